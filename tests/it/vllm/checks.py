"""Checks of the adapter's client of a server; an assertion that fails is the exit code.

With the word `stacks` also of what needs ai_energy_benchmarks.
"""

import json
import os
import select
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from unittest import mock

from adapter import endpoint, failure_limit, server, sse
from adapter.chat_request import ChatRequest
from adapter.completion import RequestError, parse
from adapter.environment import Environment
from adapter.errors import UserError
from adapter.server import RequestRejected, Server
from adapter.settings import Settings
from stub import Stub

MODEL = "org/model"


def raised(kind, do, *arguments):
    """What is said when it cannot be."""
    try:
        do(*arguments)
    except kind as error:
        return str(error)
    raise AssertionError(f"{arguments} was taken")


# Addresses. The stack's own client makes `http://h:800` and `http://sr` of the first two.
for given, base in [
    ("http://h:8001/v1", "http://h:8001/v1"),
    ("http://srv1", "http://srv1/v1"),
    ("http://vv/", "http://vv/v1"),
    ("http://h:11/v1/", "http://h:11/v1"),
    (" https://h/openai/v1 ", "https://h/openai/v1"),
    ("http://h/api", "http://h/api"),
    ("http://h:1/v1/chat/completions", "http://h:1/v1"),
    ("http://[fd00::1]:8001", "http://[fd00::1]:8001/v1"),
]:
    assert endpoint.base_url(given) == base, (given, endpoint.base_url(given))
assert endpoint.with_api_path("http://h/api") == "http://h/api/v1" and endpoint.with_api_path("http://h/v1") is None
assert endpoint.without_api_path("http://h/llm/v1") == "http://h/llm" and endpoint.without_api_path("http://h1") == "http://h1"
for given in ["h:8000", "", "ftp://h", "http://", "http://h:x", "http://h:0", "http://h?k=1", "http://[::1"]:
    assert "this is no address" in raised(UserError, endpoint.base_url, given), given
said = raised(UserError, endpoint.base_url, "http://ada:secret@h/v1")
assert "secret" not in said and "VLLM_API_KEY" in said, said
assert [endpoint.is_loopback(f"http://{host}:1") for host in ["localhost", "127.1.2.3", "0.0.0.0", "[::1]"]] == [True] * 4
assert not endpoint.is_loopback("http://localhost.example") and endpoint.is_local("http://host.docker.internal:1")
assert endpoint.is_local("http://192.168.1.7") and not endpoint.is_local("http://gpu7.example")


def parsed(*chunks):
    """The events of a stream that was cut like this."""
    return list(sse.events(sse.lines(chunks)))


# Events, however lines end and wherever a stream is cut.
stream = ": alive\r\n\r\ndata:{\"a\": \"é\"}\r\nid: 7\r\n\r\nevent: x\rdata: {\r\rdata: [DONE]\n\n".encode()
whole = ['{"a": "é"}', "{", "[DONE]"]
assert parsed(stream) == whole, parsed(stream)
for size in range(1, 9):
    cut = [stream[at : at + size] for at in range(0, len(stream), size)]
    assert parsed(*cut) == whole, (size, parsed(*cut))
for cut in range(len(stream)):
    assert parsed(stream[:cut], b"", stream[cut:]) == whole, cut
assert parsed(b"\xef\xbb", b"\xbfdata: 1\n\n") == ["1"]
assert parsed(b"\xef") == [] and parsed(b"") == []
assert parsed(b'data: {"a":\ndata: 1}\n\n') == ['{"a":\n1}'], "one event in two lines"
assert parsed(b'data: {"a": 1}\ndata: {"b": 1}\n') == ['{"a": 1}', '{"b": 1}'], "two without a line between"
assert parsed(b"data\ndata:\n\n") == ["\n"] and parsed(b"datax: 1\n\n") == []


def piece(text=None, key="content", **rest):
    """One piece of an answer."""
    delta = {} if text is None else {key: text}
    return b"data: " + json.dumps({"choices": [{"delta": delta}], **rest}).encode() + b"\n\n"


END = b'data: {"choices": [{"delta": {}, "finish_reason": "length"}]}\n\n'
USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
COUNTS = b"data: " + json.dumps({"choices": [], "usage": USAGE}).encode() + b"\n\n"
DONE = b"data: [DONE]\n\n"

# What a server may send for an answer, and what comes of it: each fails the stack's own client, or is
# counted wrongly by it.
for parts, text, counted in [
    ([piece("a"), piece("b"), END, COUNTS, DONE], "ab", True),
    ([piece(None, role="assistant"), piece("a"), END, COUNTS], "a", True),
    ([b'data: {"choices": [{"delta": {"content": null}}]}\n\n', piece("a"), END, DONE], "a", False),
    ([b'data: {"choices": [{"delta": null}], "usage": null}\n\n', piece("a", usage=None), END], "a", False),
    ([piece("a", usage=USAGE), piece("b", usage=None), DONE], "ab", True),
    ([b'data: {"choices": null}\n\n', b"data: {}\n\n", piece("a"), DONE], "a", False),
    ([b": keep-alive\n\n", piece("a").replace(b": ", b":"), END], "a", False),
    ([piece("th", "reasoning"), piece("ink", "reasoning_content"), piece("a"), END], "thinka", False),
    ([piece("a"), COUNTS], "a", True),
    ([b"\n\n", piece("a").replace(b"\n", b"\r\n"), DONE.replace(b"\n", b"\r\n")], "a", False),
    ([b'data: {"choices": [{"delta": {"reasoning": "x", "reasoning_content": "x"}}]}\n\n', END], "x", False),
]:
    answer = parse(iter(parts), False)
    assert (answer.text, answer.has_counts) == (text, counted), (parts, answer)
    assert answer.streamed and answer.first_at is not None, parts
# What is thought is the first token, and nothing before it: here the clock counts the parts.
arrived = []


def arriving(parts):
    for part in parts:
        arrived.append(part)
        yield part


with mock.patch("adapter.completion.time.perf_counter", lambda: len(arrived)):
    parts = [b": alive\n\n", piece(None), piece("a", "reasoning"), piece("b"), END, DONE]
    assert parse(arriving(parts), False).first_at == 3, arrived
assert parse([END, COUNTS], False).tokens("completion_tokens") == 2
assert parse([END, COUNTS.replace(b"2", b"null")], True).tokens("completion_tokens") == 0
whole = {"choices": [{"message": {"content": "a b"}, "finish_reason": "stop"}], "usage": USAGE, "model": "m"}
answer = parse([json.dumps(whole, indent=1).encode()], True)
assert (answer.text, answer.first_at, answer.model) == ("a b", None, "m") and not answer.streamed, answer
for parts, why in [
    ([piece("a"), b'data: {"error": {"message": "out of memory", "code": 500}}\n\n', DONE], "out of memory"),
    ([piece("a"), b'event: error\ndata: {"error": "aborted"}\n\n'], "aborted"),
    ([b'data: {"object": "error", "message": "old", "code": 400}\n\n'], "old"),
    ([b'{"detail": "no"}'], "no"),
    ([b"data: {\n\n", DONE], "no JSON"),
    ([b"data: 7\n\n", DONE], "sent 7 for a piece"),
    ([b"{1"], "no JSON"),
    ([b"{}"], "no `choices`"),
    ([piece("a")], "closed the connection before the end"),
    ([b""], "closed the connection before the end"),
    ([b"<html>no</html>"], "closed the connection before the end"),
]:
    said = raised(RequestError, parse, iter(parts), False)
    assert why in said, (parts, said)
assert parse([piece("a")], True).text == "a", "cut short by nobody: the chunks are whole"


def settings(reasoning=False, keywords=(), parameters=(), **backend):
    """A run of the `vllm` backend."""
    lengths = {"max_new_tokens": 10, "min_new_tokens": 10, **dict(keywords)}
    asked = {"reasoning": reasoning, "generate_kwargs": lengths, "warmup_runs": 2}
    asked["reasoning_params"] = dict(parameters)
    return Settings("vllm", {"model": MODEL, "seed": 42, **backend}, asked)


# The request: the likeliest tokens, as many as asked for, with counts; nothing below `extra_body`.
assert ChatRequest(settings()).body("hi") == {
    "model": MODEL,
    "messages": [{"role": "user", "content": "hi"}],
    "max_tokens": 10,
    "min_tokens": 10,
    "ignore_eos": True,
    "temperature": 0.0,
    "repetition_penalty": 1.0,
    "seed": 42,
    "stream": True,
    "stream_options": {"include_usage": True},
}
short = ChatRequest(settings()).body("hi", 1)
assert (short["max_tokens"], short["min_tokens"]) == (1, 1)
sampled = ChatRequest(settings(keywords={"do_sample": True, "top_p": 0.5, "top_k": 3, "min_new_tokens": 1})).body("hi")
assert (sampled["temperature"], sampled["top_p"], sampled["top_k"]) == (1.0, 0.5, 3), sampled
# What is not asked for is not left to the model's own `generation_config.json`, which vLLM heeds.
unasked = ChatRequest(settings(keywords={"do_sample": True})).body("hi")
choice = {"temperature": 1.0, "top_p": 1.0, "top_k": 50, "min_p": 0.0, "repetition_penalty": 1.0}
assert choice.items() <= unasked.items(), unasked
assert "ignore_eos" not in sampled and sampled["min_tokens"] == 1, sampled
effort = ChatRequest(settings(True, parameters={"reasoning_effort": "high"}))
assert effort.body("hi")["reasoning_effort"] == "high"
assert effort.body("hi")["chat_template_kwargs"] == {"enable_thinking": True, "reasoning_effort": "high"}
assert effort.format == "chat template of the server, reasoning_effort=high"
off = ChatRequest(settings(True, parameters={"enable_thinking": False, "reasoning_effort": "off"})).body("hi")
assert off["chat_template_kwargs"] == {"enable_thinking": False, "reasoning_effort": "off"}
assert "reasoning_effort" not in off and "extra_body" not in off, off

# What a server does without: what it names, then all that may go, then the pieces.
chat = ChatRequest(settings())
assert chat.drop_fields("Unexpected keys in the request: {'min_tokens', 'ignore_eos'}")
assert "min_tokens" not in chat.body("hi", 1) and "seed" in chat.fields and chat.streams
assert chat.drop_fields("Use 'max_completion_tokens' instead of 'max_tokens'")
assert chat.body("hi")["max_completion_tokens"] == 10 and "max_tokens" not in chat.body("hi")
assert chat.drop_fields("bad request") and chat.streams and set(chat.fields) == {"stream"}
assert chat.drop_fields("bad request") and not chat.fields
assert not chat.drop_fields("bad request")
assert ["does not stream" in note or "`temperature`" in note for note in chat.notes()] == [True, True]
chat = ChatRequest(settings())
assert chat.drop_fields("`stream` must be false") and {"stream", "stream_options"}.isdisjoint(chat.fields)
chat = ChatRequest(settings(keywords={"do_sample": True, "top_k": 3}))
assert not chat.drop_fields("top_k: unknown") and "top_k" in chat.fields
assert "leave out `scenario.generate_kwargs.top_k`" in str(chat.rejection("top_k: unknown"))
# A parameter of reasoning arrives in one place at least.
assert effort.drop_fields("chat_template_kwargs?") and not effort.drop_fields("reasoning_effort?")
assert "leave out `scenario.reasoning_params`" in str(effort.rejection("reasoning_effort?"))
effort = ChatRequest(settings(True, parameters={"reasoning_effort": "high"}))
assert effort.drop_fields("no") and ("reasoning_effort" in effort.fields) != ("chat_template_kwargs" in effort.fields)
assert not ChatRequest(settings(True, parameters={"budget": 3})).drop_fields("chat_template_kwargs?")
assert ChatRequest(settings(True)).drop_fields("chat_template_kwargs?"), "nobody asked for it"

# How many may fail.
assert [failure_limit.max_failures(None, prompts) for prompts in [1, 3, 10, 20, 100]] == [1, 1, 1, 2, 10]
assert [failure_limit.max_failures(share, 10) for share in [0, 0.25, 0.3, 1]] == [0, 2, 3, 10]


class Counted:
    prompts_failed, prompts_answered = 3, 7


failure_limit.check(0.3, Counted)
said = raised(UserError, failure_limit.check, 0.2, Counted)
assert said.startswith("3 of 10 prompts failed, and 2 may") and "`scenario.failed_share=`" in said, said
Counted.prompts_answered = 0
failure_limit.check(None, Counted)


def listing(*models):
    """A server that has these models."""
    return lambda asked: asked.reply({"data": [{"id": name} for name in models]})


def pages(**answers):
    """A server that answers each page in its own way."""

    def answer(asked):
        page = asked.path.rsplit("/", 1)[-1]
        answers.get(page, lambda asked: asked.reply(b"no", 404, "text/plain"))(asked)

    return answer


def ready(answer, path="/v1", key=None, patience=0.0):
    """What comes of looking for the model at a server."""
    with Stub(answer) as stub:
        server = Server(f"http://127.0.0.1:{stub.port}{path}", key, patience)
        try:
            server.wait_until_ready(MODEL)
        except UserError as error:
            return str(error).replace(str(stub.port), "PORT"), stub
        return server.base_url.replace(str(stub.port), "PORT"), stub


def reply(*arguments, **words):
    """A server that always answers so."""
    return lambda asked: asked.reply(*arguments, **words)


HERE = "http://127.0.0.1:PORT"
good = listing("a", MODEL)
assert ready(pages(models=good))[0] == f"{HERE}/v1", "a server without a page for its health"
assert ready(pages(models=good, health=reply(b"", 500)))[0] == f"{HERE}/v1"
assert ready(reply([{"id": MODEL}]))[0] == f"{HERE}/v1", "a list without an object around it"
assert ready(pages(models=good), path="")[0] == f"{HERE}/v1"
# Another path than /v1, with and without it.
other = lambda asked: good(asked) if asked.path == "/llm/v1/models" else asked.reply(b"no", 404, "text/plain")
assert ready(other, path="/llm")[0] == f"{HERE}/llm/v1"
assert ready(other, path="/llm/v1")[0] == f"{HERE}/llm/v1"
bare = lambda asked: good(asked) if asked.path == "/llm/models" else asked.reply(b"no", 404, "text/plain")
assert ready(bare, path="/llm")[0] == f"{HERE}/llm"
loading = lambda asked: asked.reply(b"soon", 503 if asked.path == "/llm/v1/models" else 404, "text/plain")
assert "is not ready: HTTP 503, soon; " in ready(loading, path="/llm")[0]
rude = pages(models=good, health=lambda asked: asked.connection.close())
assert ready(rude)[0] == f"{HERE}/v1"
# The key.
closed = lambda asked: (
    good(asked)
    if asked.headers.get("authorization") == "Bearer sk-x"
    else asked.reply({"error": f"Unauthorized: {asked.headers.get('authorization')}"}, 401)
)
assert ready(closed, key="sk-x")[0] == f"{HERE}/v1"
said, _ = ready(closed)
assert "wants an API key (HTTP 401, Unauthorized: None); set VLLM_API_KEY" in said, said
said, _ = ready(closed, key="sk-secret")
assert "does not take the API key (HTTP 401, Unauthorized: Bearer ***)" in said and "sk-secret" not in said, said
said, _ = ready(reply(b"", 403))
assert "wants an API key (HTTP 403)" in said, said
# What else is wrong, told apart.
said, _ = ready(listing("gpt-oss", "b"))
assert said == f"the server at {HERE}/v1 has no model `{MODEL}`; it has `gpt-oss`, `b`", said
said, _ = ready(pages())
assert f"has no page {HERE}/v1/models (HTTP 404): VLLM_ENDPOINT names another path" in said, said
for answer in [reply(b"<html>", kind="text/html; charset=x"), reply({"x": 1}), reply(b"7"), reply(b"", 400)]:
    said, _ = ready(answer)
    assert f"what answers at {HERE}/v1/models is no OpenAI-compatible server: it sent HTTP" in said, said
said, _ = ready(reply({"error": {"message": "Loading model", "code": 503}}, 503))
assert said.startswith(f"the server at {HERE}/v1 is not ready: HTTP 503, Loading model; "), said
said, _ = ready(pages(models=good, health=reply({"error": {"message": "Loading model"}}, 503)))
assert "is not ready: HTTP 503, Loading model; " in said and said.endswith("waits for a slow start"), said
said, _ = ready(reply({"data": None}))
assert "has no model yet" in said, said
said, _ = ready(lambda asked: asked.connection.close())
assert "the connection was closed without a word" in said, said
# Redirections: followed to where the API is, and not with a key to another host.
moved = lambda to: lambda asked: (
    good(asked) if asked.path.startswith("/new") else asked.reply(b"", 308, headers=[f"Location: {to(asked)}"])
)
assert ready(moved(lambda _: "/new/v1/models"))[0] == f"{HERE}/new/v1"
assert "redirects to http://127.0.0.1:PORT/login" in ready(moved(lambda _: "/login"))[0]
far = moved(lambda _: "http://other.invalid/v1/models")
said, stub = ready(far, key="sk-x")
assert "redirects to http://other.invalid/v1, and the API key is not for others" in said and len(stub.asked) == 1
assert "its name cannot be resolved" in ready(far)[0]

# Nobody there.
free = socket.socket()
free.bind(("127.0.0.1", 0))
nobody = Server(f"http://127.0.0.1:{free.getsockname()[1]}")
said = raised(UserError, nobody.wait_until_ready, MODEL)
assert "connection refused; in a container localhost is the container itself" in said, said
said = raised(UserError, Server("http://nowhere.invalid").wait_until_ready, MODEL)
assert "its name cannot be resolved; check VLLM_ENDPOINT; `--wait-for-endpoint SECONDS`" in said, said
with Stub(good) as stub:
    said = raised(UserError, Server(f"https://127.0.0.1:{stub.port}").wait_until_ready, MODEL)
    assert "does not speak TLS" in said or "it was silent" in said or "closed without a word" in said, said
# A proxy is not between this machine and itself, and a server of version 6 is reached.
os.environ.update(http_proxy="http://127.0.0.1:9", HTTP_PROXY="http://127.0.0.1:9")
assert ready(good)[0] == f"{HERE}/v1"
# A container has no address of version 6.
if sys.argv[1:] != ["stacks"]:
    with Stub(good, "::1", socket.AF_INET6) as stub:
        Server(f"http://[::1]:{stub.port}").wait_until_ready(MODEL)
os.environ.pop("http_proxy"), os.environ.pop("HTTP_PROXY")

# TLS, with a certificate of one's own. The images have no program that makes one.
if sys.argv[1:] != ["stacks"]:
    with tempfile.TemporaryDirectory() as folder:
        key, certificate = f"{folder}/key.pem", f"{folder}/certificate.pem"
        subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
        made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", *subject]
        subprocess.run([*made, "-keyout", key, "-out", certificate], check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        with Stub(good, tls=context) as stub:
            secure = Server(f"https://127.0.0.1:{stub.port}", patience=60.0)
            said = raised(UserError, secure.wait_until_ready, MODEL)
            assert "is not trusted" in said and "name the file of its authority in SSL_CERT_FILE" in said, said
            secure.certificates = certificate
            secure.wait_until_ready(MODEL)
            secure.certificates = "/none"
            said = raised(UserError, secure.wait_until_ready, MODEL)
            assert "SSL_CERT_FILE=/none: this is no file" in said, said

# A slow start: nobody, then a server without its model, then with it.
asked = []


def slow(request):
    asked.append(request.path)
    reply(b"", 503)(request) if len(asked) < 2 else good(request)


def late(_):
    """The pause between two looks; in the first one the server begins to listen."""
    if not hasattr(late, "stub"):
        late.stub = Stub.__new__(Stub)
        late.stub.answer, late.stub.asked, late.stub.socket, late.stub.tls = slow, [], free, None
        free.listen()
        threading.Thread(target=late.stub._serve, daemon=True).start()


nobody.patience = 30.0
with mock.patch.object(server.time, "sleep", late):
    nobody.wait_until_ready(MODEL)
assert hasattr(late, "stub") and asked[:2] == ["/v1/models"] * 2, asked
free.close()
began = time.monotonic()
said, _ = ready(reply(b"", 503), patience=1.0)
assert "HTTP 503, still after 1 s; " in said and time.monotonic() - began < 5, said
# What no time cures is said at once.
began = time.monotonic()
for answer in [pages(), listing("a"), reply(b"", 401), reply(b"<", kind="text/html")]:
    ready(answer, patience=60.0)
assert time.monotonic() - began < 5

# The environment.
with tempfile.NamedTemporaryFile("w") as file:
    file.write(" sk-file\n")
    file.flush()
    of = lambda **more: Server.from_environment(Environment.read({"VLLM_ENDPOINT": "http://h", **more}))
    assert of(VLLM_API_KEY_PATH=file.name).api_key == "sk-file" and of().api_key is None
    assert of(VLLM_API_KEY=" sk-y ", VLLM_API_KEY_PATH=file.name).api_key == "sk-y"
    assert of(AIENERGYSCORE_WAIT_FOR_ENDPOINT="7").patience == 7.0
    assert "is no whole number" in raised(UserError, lambda: of(AIENERGYSCORE_WAIT_FOR_ENDPOINT="-1"))
    assert "cannot be read" in raised(UserError, lambda: of(VLLM_API_KEY_PATH="/none"))
    assert "holds what no key has" in raised(UserError, lambda: of(VLLM_API_KEY="a\r\nX: b"))


def ask(answer, silence=5, key=None):
    """The answer to a prompt, or why there is none."""
    with Stub(answer) as stub:
        try:
            return Server(stub.url, key).ask(ChatRequest(settings()).body("hi"), silence)
        except RequestError as error:
            return error


def silent(request):
    """Answers nothing until the client hangs up."""
    request.connection.recv(1)


def alive(request):
    """Answers that it is alive, several times a second, until the client hangs up."""
    request.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
    while not select.select([request.connection], [], [], 0.4)[0]:
        request.send(b": alive\n\n")


for cut in [1, 7]:
    raw = 'data: {"choices":[{"delta":{"content":"hé€😀"}}]}\n\n'.encode() + END + DONE
    parts = [raw[at : at + cut] for at in range(0, len(raw), cut)]
    answer = ask(lambda request: request.stream(*parts))
    assert answer.text == "hé€😀", (cut, answer)
assert "the server was silent for 1 s" in str(ask(alive, silence=1))
assert "the server was silent for 1 s" in str(ask(silent, silence=1))
# A connection that is never accepted is not a silent server: the queue of this one is full.
deaf = socket.socket()
deaf.bind(("127.0.0.1", 0))
deaf.listen(0)
waiting = [socket.socket() for _ in range(4)]
for other in waiting:
    other.setblocking(False)
    other.connect_ex(deaf.getsockname())
server.TIMEOUT, patience = 1, server.TIMEOUT
far = Server(f"http://127.0.0.1:{deaf.getsockname()[1]}")
said = raised(RequestError, far.ask, ChatRequest(settings()).body("hi"), 300)
assert said.endswith("no connection within 1 s, as with a firewall between"), said
server.TIMEOUT = patience
cut = lambda request: request.stream(piece("a"), end=b"")
assert "the connection broke in the middle" in str(ask(cut)), ask(cut)
cut = lambda request: request.send(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n", piece("a"), END)
assert "the connection broke in the middle" in str(ask(cut)), ask(cut)
assert "closed without a word" in str(ask(lambda request: request.connection.close()))
fault = ask(reply({"error": {"message": "`seed`? key sk-x"}}, 400), key="sk-x")
assert isinstance(fault, RequestRejected) and str(fault) == "HTTP 400, `seed`? key ***", fault
assert str(ask(reply(b"", 307, headers=["Location: /x"]))) == "HTTP 307"
fault = ask(reply({"error": {"message": "sk-x is over its limit"}}, 200), key="sk-x")
assert "***" in str(fault) and "sk-x" not in str(fault), fault

if sys.argv[1:] != ["stacks"]:
    sys.exit()

from adapter.record import Record
from adapter.vllm import Client


class Served:
    """A client of a server, and its record."""

    def __init__(self, stub, **more):
        self.record = Record(stack="vllm", model=MODEL)
        self.client = Client(settings(**more), Server(stub.url), self.record)


# A server that takes less and less of what is asked for.
ONE = json.dumps({"choices": [{"message": {"content": "a"}, "finish_reason": "stop"}]}).encode()

EXTRAS = ["min_tokens", "ignore_eos", "repetition_penalty"]


def picky(asked):
    for name in [*EXTRAS, "stream_options", "seed", "temperature", "stream"]:
        if name in asked.body:
            return asked.reply({"detail": f"Unrecognized request argument: {name}"}, 422)
    return asked.reply(ONE)


with Stub(picky) as stub:
    served = Served(stub)
    served.client.negotiate("hi")
    assert set(stub.asked[-1].body) == {"model", "messages", "max_tokens"}, stub.asked[-1].body
    result = served.client.run_inference("hi")
    assert result["success"] and result["time_to_first_token"] is None, result
    served.client.add_notes()
    record = served.record
    assert (record.prompts_answered, record.completion_tokens, record.first_token_seconds) == (1, 0, None)
    assert [note.split(":")[0] for note in record.notes] == [
        "the server does not stream",
        "the server does not take `temperature`",
        "the server did not count tokens",
    ], record.notes
with Stub(reply({"detail": "this model writes no text"}, 400)) as stub:
    said = raised(UserError, Served(stub).client.negotiate, "hi")
    assert said == "the server does not answer a prompt: HTTP 400, this model writes no text", said
with Stub(reply({"error": "x"}, 500)) as stub:
    assert raised(UserError, Served(stub).client.negotiate, "hi").endswith("a prompt: HTTP 500, x")
    assert len(stub.asked) == 3
    served = Served(stub)
    served.client.settings.scenario["warmup_runs"] = 9
    assert raised(UserError, served.client.warm_up, "hi").startswith("3 warm-ups in a row failed, the last")
    assert len(stub.asked) == 6

# Counts, times and failures; warm-ups begin differently from each other and from what is measured.
def mixed(asked):
    number = len(mixed.stub.asked)
    if number == 3:
        return asked.reply({"error": "planted"}, 500)
    if number == 4:
        return asked.stream(END, b'data: {"choices": [], "usage": {"completion_tokens": 0}}\n\n', DONE)
    if number == 5:
        # Tokens that show no text, such as the first half of a letter.
        return asked.stream(END, COUNTS, DONE)
    return asked.stream(piece("a", model="other"), END, COUNTS, DONE)


with Stub(mixed) as stub:
    mixed.stub, served = stub, Served(stub)
    served.client.warm_up("hi")
    prompts = [asked.body["messages"][0]["content"] for asked in stub.asked]
    assert prompts == ["1. hi", "2. hi"], prompts
    results = [served.client.run_inference("hi") for _ in range(4)]
    assert [result["success"] for result in results] == [False, False, True, True], results
    assert [result["error"] for result in results[:2]] == ["HTTP 500, planted", "the server wrote no text"]
    served.client.add_notes()
    record = served.record
    assert (record.prompts_answered, record.prompts_failed) == (2, 2)
    assert (record.prompt_tokens, record.completion_tokens) == (6, 4)
    assert 0 < record.first_token_seconds < 5
    assert record.notes == [
        "prompt 1 failed: HTTP 500, planted",
        "prompt 2 failed: the server wrote no text",
        "2 of 2 answers have fewer tokens than 10: the server lets them end earlier",
        "1 of 2 answers came at once: their time to the first token was not measured",
        "the server says that `other` answered, and `org/model` was asked",
    ], record.notes
