"""One answer of a chat completion, as the server writes it: in pieces, or at once."""

import json
import time
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Dict, Optional

from .events import DONE, events, lines
from .refusal import first_lines

# Where pieces of an answer are: vLLM calls what a model thinks `reasoning`, before 2026 and in
# llama.cpp it is `reasoning_content`.
WRITTEN = ["content", "reasoning", "reasoning_content"]


class Fault(Exception):
    """Why a request failed, in a sentence."""


@dataclass
class Answer:
    """What the server wrote."""

    text: str = ""
    usage: Dict[str, Any] = field(default_factory=dict)
    model: Optional[str] = None
    # When the first piece was there, on the clock of `time.perf_counter`; none if all came at once.
    first_at: Optional[float] = None
    finished: bool = False
    streamed: bool = True

    @property
    def counted(self):
        """Whether the server counted tokens."""
        return isinstance(self.usage.get("completion_tokens"), int)

    def tokens(self, kind):
        """The server's count of `prompt_tokens` or `completion_tokens`."""
        count = self.usage.get(kind)
        return count if isinstance(count, int) and count > 0 else 0

    def take(self, piece, part):
        """Takes in one piece; what it wrote is in the `part` of each choice."""
        if not isinstance(piece, dict):
            raise Fault(f"the server sent {json.dumps(piece)[:80]} for a piece of an answer")
        error = error_of(piece)
        if error:
            raise Fault(f"the server broke the answer off: {error}")
        usage = piece.get("usage")
        # Some servers send `null`, or none at all, with every piece but the last one.
        self.usage = usage if isinstance(usage, dict) and usage else self.usage
        self.model = piece.get("model") or self.model
        for choice in piece.get("choices") or []:
            if not isinstance(choice, dict):
                continue
            wrote = choice.get(part) or {}
            for key in WRITTEN:
                text = wrote.get(key)
                if isinstance(text, str) and text:
                    if self.first_at is None and self.streamed:
                        self.first_at = time.perf_counter()
                    self.text += text
                    # Of the two names for what a model thinks, some servers send both.
                    break
            self.finished |= choice.get("finish_reason") is not None


def error_of(body):
    """What an error says, in any of the shapes that servers have for one; none if it is none."""
    if not isinstance(body, dict):
        return None
    error = body.get("error")
    # Older servers of vLLM send the error itself.
    if error is None and body.get("object") == "error":
        error = body
    # FastAPI's own errors have no `error`.
    if error is None and not body.get("choices"):
        error = body.get("detail") or body.get("message")
    if isinstance(error, dict):
        error = error.get("message") or json.dumps(error)
    return first_lines(error if isinstance(error, str) else json.dumps(error)) if error else None


def read(chunks, framed):
    """The answer in the body of a response, however the server sends it.

    `framed` tells whether the protocol itself shows a body that was cut short.
    """
    answer, done = Answer(), False
    rest = iter(lines(chunks))
    start = next((line for line in rest if line.strip()), b"")
    if start.lstrip().startswith(b"{"):
        answer.streamed = False
        body = b"\n".join([start, *rest])
        try:
            whole = json.loads(body)
        except ValueError as error:
            raise Fault(f"the server sent no JSON: {first_lines(error)}") from error
        answer.take(whole, "message")
        if not isinstance(whole.get("choices"), list):
            raise Fault("the server sent JSON that is no answer: it has no `choices`")
        return answer
    for data in events(chain([start], rest)):
        if data.strip() == DONE:
            done = True
            continue
        if not data.strip():
            continue
        try:
            piece = json.loads(data)
        except ValueError as error:
            raise Fault(f"the server sent a piece that is no JSON: {data[:80]!r}") from error
        answer.take(piece, "delta")
    if not (done or answer.finished or answer.counted or (framed and answer.text)):
        raise Fault("the server closed the connection before the end of the answer")
    return answer

