"""The `vllm` backend: the runner of ai_energy_benchmarks with the model in a server.

The stack's own client has faults. It strips single characters off the address (a port that ends in
1 loses it), never asks for token counts, fails on chunks without text, and sends reasoning parameters
in a field that servers ignore.
"""

import time

from ai_energy_benchmarks.backends.base import Backend

from . import benchmark_runner
from .benchmark_runner import Answer, PromptFailed, RecordingBackend
from .chat_request import ChatRequest
from .completion import RequestError
from .errors import UserError
from .server import RequestRejected

# Failures in a row after which the warm-up gives up, as the stack's runner does.
MAX_FAILURES_IN_A_ROW = 3
# Seconds without a chunk, as in the stack's own client.
TIMEOUT = 300


class Client(RecordingBackend, Backend):
    """A client of any OpenAI-compatible server."""

    def __init__(self, settings, server, record):
        self.settings, self.server, self.record = settings, server, record
        self.request = ChatRequest(settings)
        self.timeout = settings.backend.get("timeout") or TIMEOUT
        # Numbers of answers to note.
        self.uncounted = self.too_short = self.too_long = self.unstreamed = 0
        # Other models that the server named in its answers.
        self.other_models = set()

    def get_endpoint_info(self):
        """What the stack's report says of the server."""
        return {"backend": "vllm", "endpoint": self.server.base_url, "model": self.settings.model}

    def negotiate(self, prompt):
        """Asks for one token, and removes the fields that the server rejects from all requests.

        The server also loads the model by that, if it does so on demand.
        """
        first, failures = None, 0
        while True:
            try:
                self._ask(prompt, max_tokens=1)
                break
            except RequestRejected as complaint:
                first = first or str(complaint)
                # Each round removes a field, so this ends.
                if not self.request.drop_fields(str(complaint)):
                    raise self.request.rejection(first) from complaint
            except RequestError as error:
                failures += 1
                if failures == MAX_FAILURES_IN_A_ROW:
                    raise UserError(f"the server does not answer a prompt: {error}") from error
        for note in self.request.notes():
            self.record.note(note)
        self.record.prompt_format = self.request.format

    def warm_up(self, prompt):
        """Asks for whole answers before the measurement.

        Each prompt has its own beginning, so that the server's prefix cache has no measured prompt.
        """
        failures = 0
        for number in range(1, self.settings.scenario["warmup_runs"] + 1):
            try:
                self._ask(f"{number}. {prompt}")
                failures = 0
            except RequestError as error:
                failures += 1
                print(f"warm-up {number} failed: {error}", flush=True)
                if failures == MAX_FAILURES_IN_A_ROW:
                    raise UserError(f"{failures} warm-ups in a row failed, the last with: {error}") from error

    def answer(self, prompt):
        """Answers one prompt."""
        began = time.perf_counter()
        try:
            completion = self._ask(prompt)
        except RequestError as error:
            raise PromptFailed(str(error)) from error
        seconds = time.perf_counter() - began
        completion_tokens = completion.tokens("completion_tokens")
        if not completion.text and not completion_tokens:
            raise PromptFailed("the server wrote no text")
        first = completion.first_at
        self.other_models |= {completion.model} - {None, self.settings.model}
        self.unstreamed += first is None
        self.uncounted += not completion.has_counts
        self.too_short += completion.has_counts and completion_tokens < self.request.min_tokens
        self.too_long += completion.has_counts and completion_tokens > self.request.max_tokens
        return Answer(
            text=completion.text,
            content=completion.text.encode(),
            prompt_tokens=completion.tokens("prompt_tokens"),
            completion_tokens=completion_tokens,
            seconds=seconds,
            first_token_seconds=None if first is None else first - began,
        )

    def _ask(self, prompt, max_tokens=None):
        return self.server.ask(self.request.body(prompt, max_tokens), self.timeout)

    def add_notes(self):
        """Notes answers that differ from what was asked for."""
        record, least, most = self.record, self.request.min_tokens, self.request.max_tokens
        of = f"of {record.prompts_answered} answers"
        if self.uncounted:
            # The sums would lack the tokens of these answers.
            record.prompt_tokens = record.completion_tokens = 0
            record.note(f"the server did not count tokens: {self.uncounted} {of} came without")
        if self.too_short:
            record.note(
                f"{self.too_short} {of} have fewer tokens than {least}: the server lets them end earlier"
            )
        if self.too_long:
            record.note(
                f"{self.too_long} {of} have more tokens than {most}: the server does not heed the limit"
            )
        if self.unstreamed and self.request.streams:
            record.note(
                f"{self.unstreamed} {of} came at once: their time to the first token was not measured"
            )
        for model in sorted(self.other_models):
            record.note(f"the server says that `{model}` answered, and `{self.settings.model}` was asked")


def run(settings, prompts, server, record):
    """Runs the benchmark in the working directory, and writes its report there."""
    client = Client(settings, server, record)
    record.note(
        "the model ran in a server, whose energy its client does not measure: what the client lists is"
        " of its own machine, and does not count"
    )
    # With a beginning of its own, for the same reason as the warm-up.
    client.negotiate(f"0. {prompts.texts[0]}")
    client.warm_up(prompts.texts[0])
    benchmark_runner.run(settings, prompts, record, client)
    client.add_notes()
