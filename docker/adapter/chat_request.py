"""The request for a chat completion, and which of its fields may be dropped if a server rejects them.

Fields beyond OpenAI's own are those of vLLM, some of which llama.cpp's server knows too. `min_tokens`,
`ignore_eos`, `top_k`, `repetition_penalty`, `chat_template_kwargs` and `reasoning_effort` are in the
body itself (vLLM's documentation, "OpenAI-Compatible Server", extra parameters, and "Reasoning
Outputs"). `extra_body` is only an argument of OpenAI's Python client, which adds its content to the
body.
"""

import re

from .errors import UserError
from .settings import DEFAULTS, SAMPLING_DEFAULTS

EFFORT = "reasoning_effort"
TEMPLATE = "chat_template_kwargs"
PARAMETERS = "scenario.reasoning_params"

# Values in OpenAI's API. Values of other models go to the chat template alone.
EFFORTS = {"none", "minimal", "low", "medium", "high", "xhigh"}


class ChatRequest:
    """The fields that all requests of a run share."""

    def __init__(self, settings):
        scenario, self.settings = settings.scenario, settings
        keywords = scenario["generate_kwargs"]
        self.max_tokens, self.min_tokens = keywords["max_new_tokens"], keywords.get("min_new_tokens") or 0
        self.parameters = dict(scenario.get("reasoning_params") or {}) if settings.reasoning else {}
        self.sampled = bool(keywords.get("do_sample"))
        # Fields that the user set. A run without them would not be the one that was asked for.
        self.required = {
            name: keywords[name]
            for name in ["temperature", "top_p", "top_k", "repetition_penalty"]
            if keywords.get(name) is not None and (self.sampled or name == "repetition_penalty")
        }
        self.length_field = "max_tokens"
        self.fields = {
            "stream": True,
            "stream_options": {"include_usage": True},
            "seed": settings.seed,
            "temperature": 0.0,
            **DEFAULTS,
            **(SAMPLING_DEFAULTS if self.sampled else {}),
            **self.required,
        }
        if self.min_tokens:
            self.fields["min_tokens"] = self.min_tokens
        if self.min_tokens == self.max_tokens:
            # llama.cpp has no `min_tokens`. vLLM takes both.
            self.fields["ignore_eos"] = True
        if settings.reasoning:
            self.fields[TEMPLATE] = {"enable_thinking": True, **self.parameters}
        if self.parameters.get(EFFORT) in EFFORTS:
            self.fields[EFFORT] = self.parameters[EFFORT]

    def body(self, prompt, max_tokens=None):
        """The body for one prompt. `max_tokens` overrides the maximum length of the run."""
        lengths = {self.length_field: self.max_tokens if max_tokens is None else max_tokens}
        if max_tokens is not None and "min_tokens" in self.fields:
            lengths["min_tokens"] = min(self.min_tokens, max_tokens)
        messages = self.settings.messages(prompt)
        return {"model": self.settings.model, "messages": messages, **self.fields, **lengths}

    @property
    def streams(self):
        """Whether the request asks for a stream."""
        return self.fields.get("stream", False)

    @property
    def format(self):
        """A description of the prompt format, for the record."""
        options = "".join(f", {key}={value}" for key, value in self.parameters.items())
        return f"chat template of the server{options}"

    def drop_fields(self, complaint):
        """Drops the fields that the server's error names, or all optional ones if it names none.

        Returns whether anything was dropped.
        """
        named = [name for name in [*self.fields, self.length_field] if _mentions(complaint, name)]
        if self.length_field in named and self.length_field == "max_tokens":
            # OpenAI's newer models know the length only by this name, and vLLM knows it too.
            self.length_field = "max_completion_tokens"
            named.remove("max_tokens")
            if not named:
                return True
        # Without a stream there is no time to the first token, so `stream` is dropped last.
        others = [name for name in self.fields if name != "stream"]
        return self._drop(named or others) or (not named and self._drop(["stream"]))

    def _drop(self, names):
        """Drops the optional ones of these fields. Returns whether there were any."""
        before = len(self.fields)
        for name in names:
            if name in self.fields and self._is_optional(name):
                del self.fields[name]
        if not self.streams:
            self.fields.pop("stream_options", None)
        return len(self.fields) < before

    def _is_optional(self, name):
        """Whether the run is the same without the field. Each parameter must remain in one field."""
        if name in self.required:
            return False
        delivered = {TEMPLATE: set(self.parameters), EFFORT: {EFFORT} & set(self.parameters)}
        others = [places for place, places in delivered.items() if place in self.fields and place != name]
        return delivered.get(name, set()) <= set().union(*others)

    def notes(self):
        """Notes about the dropped fields."""
        if not self.streams:
            yield "the server does not stream: the time to the first token was not measured"
        if "temperature" not in self.fields:
            yield "the server does not take `temperature`: it chooses the tokens by its own rule"
        if self.sampled and "seed" not in self.fields:
            yield "the server does not take `seed`: its answers differ from run to run"

    def rejection(self, complaint):
        """The error about a server that rejects a required field."""
        named = [name for name in self.fields if _mentions(complaint, name)]
        told = [f"`scenario.generate_kwargs.{name}`" for name in named if name in self.required]
        if self.parameters and {TEMPLATE, EFFORT} & set(named):
            told.append(f"`{PARAMETERS}`")
        why = f"; leave out {' and '.join(told)}" if told else ""
        return UserError(f"the server does not answer a prompt: {complaint}{why}")


def _mentions(complaint, name):
    return re.search(rf"(?<![A-Za-z0-9_]){name}(?![A-Za-z0-9_])", complaint) is not None
