"""The `vllm` backend: the runner of ai_energy_benchmarks with the model in a server elsewhere.

The stack's own client is not used. It strips single characters off the address (a port that ends in
1 loses it), never asks for token counts, fails on pieces of an answer that hold no text, and sends
reasoning parameters where no server looks for them.
"""

import time

from ai_energy_benchmarks.backends.base import Backend

from . import loop
from .answer import Fault
from .chat import Chat
from .record import digest
from .refusal import Refusal
from .server import Rejected

# Failures in a row after which the stack's runner gives up, and a warm-up does.
IN_A_ROW = 3
# Seconds without a piece of an answer, as the stack's own client has it.
SILENCE = 300


class Client(Backend):
    """A client of any server that speaks OpenAI's protocol."""

    def __init__(self, settings, server, record):
        self.settings, self.server, self.record = settings, server, record
        self.chat, self.answers = Chat(settings), digest()
        self.silence = settings.backend.get("timeout") or SILENCE
        self.uncounted = self.short = self.long = self.unstreamed = 0
        self.models = set()

    def validate_environment(self):
        """The server was asked before the prompts were loaded."""
        return True

    def health_check(self):
        """As above."""
        return True

    def get_endpoint_info(self):
        """For the stack's report."""
        return {"backend": "vllm", "endpoint": self.server.base, "model": self.settings.model}

    def agree(self, prompt):
        """Asks for one token, which loads a model that is not yet there; fields that the server does
        not take are left out from then on."""
        first, failures = None, 0
        while True:
            try:
                self.server.ask(self.chat.body(prompt, 1), self.silence)
                break
            except Rejected as complaint:
                first = first or str(complaint)
                # Each complaint that is heard leaves out a field, so this ends.
                if not self.chat.do_without(str(complaint)):
                    raise self.chat.refusal(first) from complaint
            except Fault as fault:
                failures += 1
                if failures == IN_A_ROW:
                    raise Refusal(f"the server does not answer a prompt: {fault}") from fault
        for note in self.chat.missed():
            self.record.note(note)
        self.record.prompt_format = self.chat.format

    def warm_up(self, prompt):
        """Whole answers, which the server prepares itself by. Each prompt begins in its own way, so
        that a server which keeps what it has read finds none of the measured ones there."""
        failures = 0
        for number in range(self.settings.scenario["warmup_runs"]):
            try:
                self.server.ask(self.chat.body(f"{number + 1}. {prompt}"), self.silence)
                failures = 0
            except Fault as fault:
                failures += 1
                print(f"warm-up {number + 1} failed: {fault}", flush=True)
                if failures == IN_A_ROW:
                    raise Refusal(f"{failures} warm-ups in a row failed, the last with: {fault}") from fault

    def run_inference(self, prompt, **_):
        """Answers one prompt; a failure is a result, as the stack's runner counts it."""
        began = time.perf_counter()
        try:
            answer = self.server.ask(self.chat.body(prompt), self.silence)
        except Fault as fault:
            return self._failed(began, str(fault))
        seconds = time.perf_counter() - began
        read, wrote = [answer.tokens(kind) for kind in ["prompt_tokens", "completion_tokens"]]
        if not answer.text and not wrote:
            return self._failed(began, "the server wrote no text")
        self._look_at(answer, wrote)
        first = None if answer.first_at is None else answer.first_at - began
        record = self.record
        record.prompts_answered += 1
        record.prompt_tokens += read
        record.completion_tokens += wrote
        if first is not None:
            timed = record.prompts_answered - self.unstreamed
            mean = record.first_token_seconds or 0.0
            record.first_token_seconds = mean + (first - mean) / timed
        self.answers.update(answer.text.encode())
        return {
            "text": answer.text,
            "prompt_tokens": read,
            "completion_tokens": wrote,
            "total_tokens": read + wrote,
            "latency_seconds": seconds,
            "time_to_first_token": first,
            "success": True,
            "error": None,
        }

    def _look_at(self, answer, wrote):
        self.models |= {answer.model} - {None, self.settings.model}
        self.unstreamed += answer.first_at is None
        self.uncounted += not answer.counted
        self.short += answer.counted and wrote < self.chat.least
        self.long += answer.counted and wrote > self.chat.most

    def _failed(self, began, why):
        record = self.record
        record.fail(record.prompts_answered + record.prompts_failed + 1, why)
        seconds = time.perf_counter() - began
        return {"text": "", "success": False, "error": why, "latency_seconds": seconds}

    def note(self):
        """Says what a reader of the numbers must know of the answers."""
        record, least, most = self.record, self.chat.least, self.chat.most
        of = f"of {record.prompts_answered} answers"
        if self.uncounted:
            # Where some are missing, the sum would be wrong.
            record.prompt_tokens = record.completion_tokens = 0
            record.note(f"the server did not count tokens: {self.uncounted} {of} came without")
        if self.short:
            record.note(f"{self.short} {of} have fewer tokens than {least}: the server lets them end earlier")
        if self.long:
            record.note(f"{self.long} {of} have more tokens than {most}: the server does not heed the limit")
        if self.unstreamed and self.chat.streams:
            record.note(
                f"{self.unstreamed} {of} came at once: their time to the first token was not measured"
            )
        for model in sorted(self.models):
            record.note(f"the server says that `{model}` answered, and `{self.settings.model}` was asked")


def run(settings, prompts, server, record):
    """Runs the benchmark in the working directory, where its report is left."""
    client = Client(settings, server, record)
    record.note(
        "the model ran in a server, whose energy its client does not measure: what the client lists is"
        " of its own machine, and does not count"
    )
    # No measured prompt begins so: a server may keep what it has read.
    client.agree(f"0. {prompts.texts[0]}")
    client.warm_up(prompts.texts[0])
    loop.run(settings, prompts, record, client)
    client.note()
