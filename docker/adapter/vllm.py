"""The `vllm` backend: the runner of ai_energy_benchmarks with the model in a server elsewhere."""

import json
import time

import requests
from ai_energy_benchmarks.backends.vllm import VLLMBackend

from . import loop
from .record import digest
from .refusal import Refusal, first_lines
from .settings import ENDPOINT


def base(endpoint):
    """The server's address, without the path of the API and what follows."""
    address = endpoint.strip().rstrip("/")
    if not address.startswith(("http://", "https://")):
        raise Refusal(
            f"{ENDPOINT}={endpoint}: this is no address; it begins with http:// or https://, as in"
            " http://host.docker.internal:8000/v1"
        )
    return address.removesuffix("/v1")


class SettledClient(VLLMBackend):
    """The stack's client, for any server that speaks OpenAI's protocol.

    The stack's own strips single characters off the address (a port that ends in 1 loses it), never
    asks for token counts, and fails on pieces of an answer that hold no text.
    """

    def __init__(self, settings, record):
        super().__init__(endpoint="", model=settings.model)
        self.endpoint = base(settings.endpoint)
        self.settings, self.record, self.answers = settings, record, digest()
        # The server formats prompts by itself, whatever its model is called.
        self.formatter, self.use_harmony = None, False

    def validate_environment(self):
        """Asks the server for its models. Unlike the stack's own, it does not hide what is wrong."""
        url = f"{self.endpoint}/v1/models"
        try:
            response = requests.get(url, timeout=10)
            response.raise_for_status()
            models = [model.get("id", "") for model in response.json().get("data", [])]
        except (requests.RequestException, ValueError, AttributeError) as error:
            raise Refusal(
                f"no OpenAI-compatible server answers at {url} ({first_lines(error)}); check"
                f" {ENDPOINT}, and that the server listens on more than its own loopback"
            ) from error
        if self.model not in models:
            raise Refusal(
                f"the server at {self.endpoint} has no model `{self.model}`; it has"
                f" {', '.join(f'`{model}`' for model in models) or 'none'}"
            )
        return True

    def health_check(self):
        """A server that lists its models is there: not every one has a page for its health."""
        return self.validate_environment()

    def warm_up(self, prompt):
        """Whole answers, which the server prepares itself by."""
        for _ in range(self.settings.scenario["warmup_runs"]):
            self._answer(prompt)

    def run_inference(self, prompt, **_):
        """Answers one prompt; a failure is a result, as the stack's runner counts it."""
        began = time.perf_counter()
        try:
            text, usage, first = self._answer(prompt)
        except (requests.RequestException, ValueError, KeyError, TypeError) as error:
            return self._failed(began, f"{type(error).__name__}: {first_lines(error)}")
        if not text:
            return self._failed(began, "the server wrote no text")
        tokens = [usage.get(key) or 0 for key in ["prompt_tokens", "completion_tokens"]]
        record, seconds = self.record, time.perf_counter() - began
        record.prompts_answered += 1
        record.prompt_tokens += tokens[0]
        record.completion_tokens += tokens[1]
        mean = record.first_token_seconds or 0.0
        record.first_token_seconds = mean + (first - mean) / record.prompts_answered
        self.answers.update(text.encode())
        return {
            "text": text,
            "prompt_tokens": tokens[0],
            "completion_tokens": tokens[1],
            "total_tokens": sum(tokens),
            "latency_seconds": seconds,
            "time_to_first_token": first,
            "success": True,
            "error": None,
        }

    def _failed(self, began, why):
        self.record.prompts_failed += 1
        seconds = time.perf_counter() - began
        return {"text": "", "success": False, "error": why, "latency_seconds": seconds}

    def _answer(self, prompt):
        began, first, text, usage = time.perf_counter(), None, "", {}
        url = f"{self.endpoint}/v1/chat/completions"
        with requests.post(url, json=self._request(prompt), stream=True, timeout=self.timeout) as reply:
            if reply.status_code != 200:
                raise ValueError(f"HTTP {reply.status_code}: {first_lines(reply.text)}")
            for line in reply.iter_lines():
                if not line.startswith(b"data:") or line.removeprefix(b"data:").strip() == b"[DONE]":
                    continue
                piece = json.loads(line.removeprefix(b"data:"))
                usage = piece.get("usage") or usage
                for choice in piece.get("choices") or []:
                    delta = choice.get("delta") or {}
                    written = delta.get("content") or delta.get("reasoning_content") or ""
                    if written and first is None:
                        first = time.perf_counter() - began
                    text += written
        return text, usage, first or time.perf_counter() - began

    def _request(self, prompt):
        scenario = self.settings.scenario
        keywords = scenario["generate_kwargs"]
        request = {
            "model": self.model,
            "messages": self.settings.messages(prompt),
            "max_tokens": keywords["max_new_tokens"],
            "temperature": keywords.get("temperature", 1.0) if keywords.get("do_sample") else 0.0,
            "seed": self.settings.seed,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if keywords.get("do_sample") and "top_p" in keywords:
            request["top_p"] = keywords["top_p"]
        if self.settings.reasoning:
            request["chat_template_kwargs"] = scenario.get("reasoning_params", {})
        return request


def run(settings, prompts, _, record):
    """Runs the benchmark in the working directory, where its report is left."""
    client = SettledClient(settings, record)
    client.validate_environment()
    record.prompt_format = "chat template of the server"
    record.note("the model ran in a server: its energy cannot be seen from here, and does not count")
    client.warm_up(prompts.texts[0])
    loop.run(settings, prompts, record, client)
