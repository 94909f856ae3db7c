"""What the client of ai_energy_benchmarks does by itself, beside a server of which every byte is ours."""

import contextlib
import io
import json
import os
import time

from ai_energy_benchmarks.backends.vllm import VLLMBackend
from rows import row
from stub import Stub

MODEL = "org/model"
USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


def piece(**delta):
    """A piece of an answer."""
    return b"data: " + json.dumps({"choices": [{"delta": delta}]}).encode() + b"\n\n"


def answered(*parts, prompt="Hi", before=None, **keywords):
    """The result of one prompt that is answered like this, and what was asked."""

    def answer(asked):
        if before:
            before(asked)
        asked.stream(*parts)

    with Stub(answer) as stub:
        client = VLLMBackend(stub.url.removesuffix("/v1"), MODEL)
        client.endpoint = stub.url.removesuffix("/v1")
        with contextlib.redirect_stdout(io.StringIO()):
            result = client.run_inference(prompt, **keywords)
        return result, stub.asked[-1]


def payload(**keywords):
    """What a server gets."""
    return answered(piece(content="a"), b"data: [DONE]\n\n", **keywords)[1].body


@row("a server's address loses characters at its end")
def address():
    made = {given: VLLMBackend(given, MODEL).endpoint for given in ["http://h:8001/v1", "http://srv1"]}
    assert made == {"http://h:8001/v1": "http://h:800", "http://srv1": "http://sr"}, made


@row("tokens not counted, and a piece of an answer without text fails the prompt")
def counts():
    # A server tells its counts where it is asked to.
    assert "stream_options" not in payload()
    result, _ = answered(piece(content="a"), b"data: [DONE]\n\n")
    assert result["success"] and result["completion_tokens"] == 0, result
    usage = b"data: " + json.dumps({"choices": [], "usage": USAGE}).encode() + b"\n\n"
    for part in [piece(content=None), usage]:
        assert not answered(piece(content="a"), part)[0]["success"], part


@row("an error in the middle of an answer, or a closed connection, counts as an answer")
def broken_answers():
    for parts in [[piece(content="a"), b'data: {"error": {"message": "out of memory"}}\n\n'], [piece(content="a")]]:
        result, _ = answered(*parts)
        assert result["success"] and result["error"] is None, result


@row("what a model thinks is not a first token")
def first_token():
    def answer(asked):
        asked.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
        asked.send(piece(reasoning_content="hm", content=""))
        time.sleep(0.5)
        asked.send(piece(content="a"), b"data: [DONE]\n\n")

    with Stub(answer) as stub:
        client = VLLMBackend("http://h", MODEL)
        client.endpoint = stub.url.removesuffix("/v1")
        result = client.run_inference("Hi")
    assert result["time_to_first_token"] > 0.5, result


@row("reasoning parameters in `extra_body`, where no server looks for them")
def reasoning():
    body = payload(reasoning_params={"reasoning_effort": "low", "enable_thinking": False})
    assert body["extra_body"] == {"reasoning_effort": "low", "enable_thinking": False}, body
    assert not {"reasoning_effort", "chat_template_kwargs"} & set(body), body


@row("no API key, no path but `/v1`, no server without `/health` or without streams")
def servers():
    os.environ |= {"VLLM_API_KEY": "key", "OPENAI_API_KEY": "key"}
    _, asked = answered(piece(content="a"), b"data: [DONE]\n\n")
    assert "authorization" not in asked.headers, asked.headers
    models = {"data": [{"id": MODEL}]}
    with Stub(lambda asked: asked.reply(models, 200 if "models" in asked.path else 404)) as stub:
        client = VLLMBackend("http://h", MODEL)
        client.endpoint = stub.url.removesuffix("/v1") + "/api"
        assert client.validate_environment() and not client.health_check()
        assert [asked.path for asked in stub.asked] == ["/api/v1/models", "/api/health"], stub.asked
    whole = {"choices": [{"message": {"content": "a"}}], "usage": USAGE}
    with Stub(lambda asked: asked.reply(whole)) as stub:
        client.endpoint = stub.url.removesuffix("/v1")
        result = client.run_inference("Hi")
    assert (result["text"], result["completion_tokens"]) == ("", 0), result


@row("what is wrong with a server is hidden")
def hidden_faults():
    faults = [
        lambda asked: asked.reply({"error": {"message": "wrong key"}}, 401),
        lambda asked: asked.reply({"data": [{"id": "another"}]}),
    ]
    for fault in faults:
        with Stub(fault) as stub:
            client = VLLMBackend("http://h", MODEL)
            client.endpoint = stub.url.removesuffix("/v1")
            said = io.StringIO()
            with contextlib.redirect_stdout(said):
                assert client.validate_environment() is False
            assert said.getvalue() == "", said.getvalue()
