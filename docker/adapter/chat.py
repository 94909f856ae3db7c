"""The body of a request for a chat completion, and what of it a server does without.

Fields beyond OpenAI's own are those of vLLM, which llama.cpp's server shares in part: `min_tokens`,
`ignore_eos`, `top_k`, `repetition_penalty`, `chat_template_kwargs` and `reasoning_effort` stand in
the body itself (vLLM's documentation, "OpenAI-Compatible Server", extra parameters, and "Reasoning
Outputs"). `extra_body` is an argument of OpenAI's Python client, which puts what it holds there.
"""

import re

from .refusal import Refusal
from .settings import CHOSEN, SAMPLED

EFFORT = "reasoning_effort"
TEMPLATE = "chat_template_kwargs"
PARAMETERS = "scenario.reasoning_params"

# The values that OpenAI's API knows; a model may know others, by its template alone.
EFFORTS = {"none", "minimal", "low", "medium", "high", "xhigh"}


class Chat:
    """The fields that every request of a run has."""

    def __init__(self, settings):
        scenario, self.settings = settings.scenario, settings
        keywords = scenario["generate_kwargs"]
        self.most, self.least = keywords["max_new_tokens"], keywords.get("min_new_tokens") or 0
        self.parameters = dict(scenario.get("reasoning_params") or {}) if settings.reasoning else {}
        self.sampled = bool(keywords.get("do_sample"))
        # What somebody asked for by name; a server that does not take it is not the one to measure.
        self.asked = {
            name: keywords[name]
            for name in ["temperature", "top_p", "top_k", "repetition_penalty"]
            if keywords.get(name) is not None and (self.sampled or name == "repetition_penalty")
        }
        self.length = "max_tokens"
        self.fields = {
            "stream": True,
            "stream_options": {"include_usage": True},
            "seed": settings.seed,
            "temperature": 0.0,
            **CHOSEN,
            **(SAMPLED if self.sampled else {}),
            **self.asked,
        }
        if self.least:
            self.fields["min_tokens"] = self.least
        if self.least == self.most:
            # What llama.cpp knows instead; vLLM takes both.
            self.fields["ignore_eos"] = True
        if settings.reasoning:
            self.fields[TEMPLATE] = {"enable_thinking": True, **self.parameters}
        if self.parameters.get(EFFORT) in EFFORTS:
            self.fields[EFFORT] = self.parameters[EFFORT]

    def body(self, prompt, most=None):
        """The body for one prompt; the answer has `most` tokens, or as many as the run asks for."""
        lengths = {self.length: self.most if most is None else most}
        if most is not None and "min_tokens" in self.fields:
            lengths["min_tokens"] = min(self.least, most)
        messages = self.settings.messages(prompt)
        return {"model": self.settings.model, "messages": messages, **self.fields, **lengths}

    @property
    def streams(self):
        """Whether the answer is asked for piece by piece."""
        return self.fields.get("stream", False)

    @property
    def format(self):
        """What the model sees of a prompt, in words."""
        given = "".join(f", {key}={value}" for key, value in self.parameters.items())
        return f"chat template of the server{given}"

    def do_without(self, complaint):
        """Leaves out what an error of the server's names, or all that can be where it names nothing.

        Whether there was anything to leave out.
        """
        named = [name for name in [*self.fields, self.length] if _names(complaint, name)]
        if self.length in named and self.length == "max_tokens":
            # OpenAI's newer models know the length by this name alone, and so does vLLM.
            self.length = "max_completion_tokens"
            named.remove("max_tokens")
            if not named:
                return True
        # Whether an answer comes in pieces decides what can be measured, so that goes last.
        rest = [name for name in self.fields if name != "stream"]
        left_out = self._leave_out(named or rest)
        return left_out or (not named and self._leave_out(["stream"]))

    def _leave_out(self, names):
        """Whether any of these fields could go."""
        before = len(self.fields)
        for name in names:
            if name in self.fields and self._may_go(name):
                del self.fields[name]
        if not self.streams:
            self.fields.pop("stream_options", None)
        return len(self.fields) < before

    def _may_go(self, name):
        if name in self.asked:
            return False
        delivered = {TEMPLATE: set(self.parameters), EFFORT: {EFFORT} & set(self.parameters)}
        others = [places for place, places in delivered.items() if place in self.fields and place != name]
        return delivered.get(name, set()) <= set().union(*others)

    def missed(self):
        """What a reader of the numbers must know of what the server does without."""
        if not self.streams:
            yield "the server does not stream: the time to the first token was not measured"
        if "temperature" not in self.fields:
            yield "the server does not take `temperature`: it chooses the tokens by its own rule"
        if self.sampled and "seed" not in self.fields:
            yield "the server does not take `seed`: its answers differ from run to run"

    def refusal(self, complaint):
        """What is said of a server that does not take what was asked for."""
        named = [name for name in self.fields if _names(complaint, name)]
        told = [f"`scenario.generate_kwargs.{name}`" for name in named if name in self.asked]
        if self.parameters and {TEMPLATE, EFFORT} & set(named):
            told.append(f"`{PARAMETERS}`")
        why = f"; leave out {' and '.join(told)}" if told else ""
        return Refusal(f"the server does not answer a prompt: {complaint}{why}")


def _names(complaint, name):
    return re.search(rf"(?<![A-Za-z0-9_]){name}(?![A-Za-z0-9_])", complaint) is not None
