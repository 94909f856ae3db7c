"""Parses a chat completion, which a server sends in chunks or at once."""

import json
import time
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from .errors import first_lines
from .sse import DONE, events, lines

# Keys of text in an answer. The reasoning of a model is in `reasoning` with vLLM, and in
# `reasoning_content` with vLLM before 2026 and with llama.cpp.
TEXT_KEYS = ["content", "reasoning", "reasoning_content"]


class RequestError(Exception):
    """A request that failed. The message is the reason."""


@dataclass
class Completion:
    """What the server sent."""

    text: str = ""
    usage: dict[str, Any] = field(default_factory=dict)
    model: str | None = None
    # When the first text arrived, by `time.perf_counter`. None if all arrived at once.
    first_at: float | None = None
    finished: bool = False
    streamed: bool = True

    @property
    def has_counts(self):
        """Whether the server counted tokens."""
        return isinstance(self.usage.get("completion_tokens"), int)

    def tokens(self, kind):
        """The server's count of `prompt_tokens` or `completion_tokens`."""
        count = self.usage.get(kind)
        return count if isinstance(count, int) and count > 0 else 0

    def add(self, chunk, part):
        """Adds a chunk, whose text is in the `part` of each choice."""
        if not isinstance(chunk, dict):
            raise RequestError(f"the server sent {json.dumps(chunk)[:80]} for a piece of an answer")
        error = error_message(chunk)
        if error:
            raise RequestError(f"the server broke the answer off: {error}")
        usage = chunk.get("usage")
        # Some servers send `null`, or nothing, with every chunk but the last.
        self.usage = usage if isinstance(usage, dict) and usage else self.usage
        self.model = chunk.get("model") or self.model
        for choice in chunk.get("choices") or []:
            if not isinstance(choice, dict):
                continue
            content = choice.get(part) or {}
            # Some servers send the reasoning under both of its keys.
            text = next((content[key] for key in TEXT_KEYS if _is_text(content.get(key))), "")
            if text and self.first_at is None and self.streamed:
                self.first_at = time.perf_counter()
            self.text += text
            self.finished |= choice.get("finish_reason") is not None


def _is_text(value):
    return isinstance(value, str) and value != ""


def error_message(body):
    """The message of an error response, in any of the known formats. None if it is no error."""
    if not isinstance(body, dict):
        return None
    error = body.get("error")
    # Older versions of vLLM send the error without an object around it.
    if error is None and body.get("object") == "error":
        error = body
    # FastAPI's own errors have `detail` instead of `error`.
    if error is None and not body.get("choices"):
        error = body.get("detail") or body.get("message")
    if isinstance(error, dict):
        error = error.get("message") or json.dumps(error)
    return first_lines(error if isinstance(error, str) else json.dumps(error)) if error else None


def parse(chunks, has_length):
    """Parses the body of a response, whether the server streamed or not.

    `has_length` tells whether HTTP itself detects a truncated body.
    """
    completion, done = Completion(), False
    rest = iter(lines(chunks))
    start = next((line for line in rest if line.strip()), b"")
    if start.lstrip().startswith(b"{"):
        completion.streamed = False
        try:
            body = json.loads(b"\n".join([start, *rest]))
        except ValueError as error:
            raise RequestError(f"the server sent no JSON: {first_lines(error)}") from error
        completion.add(body, "message")
        if not isinstance(body.get("choices"), list):
            raise RequestError("the server sent JSON that is no answer: it has no `choices`")
        return completion
    for data in events(chain([start], rest)):
        if data.strip() == DONE:
            done = True
        elif data.strip():
            try:
                chunk = json.loads(data)
            except ValueError as error:
                raise RequestError(f"the server sent a piece that is no JSON: {data[:80]!r}") from error
            completion.add(chunk, "delta")
    complete = done or completion.finished or completion.has_counts
    if not (complete or has_length and completion.text):
        raise RequestError("the server closed the connection before the end of the answer")
    return completion
