"""Prompts to tokens, by the same rule for every model, name and stack."""

import json

from . import length
from .model import explained
from .refusal import Refusal

# What every chat template gets: no parameters of reasoning.
EVERY_TEMPLATES = {"messages", "add_generation_prompt", "tools", "documents"}


class Unreadable(Exception):
    """Why the model cannot read a prompt, in a sentence: that prompt fails, and no other."""


class Reader:
    """Turns prompts into tokens.

    Plain text, or with reasoning the model's own chat template with the reasoning parameters as
    its keywords. Prompts are cut where the model could not hold the answer any more, and answers
    where it could hold no prompt.
    """

    def __init__(self, tokenizer, configuration, settings):
        self.tokenizer = tokenizer
        self.settings = settings
        self.reasoning = settings.reasoning
        self.parameters = settings.scenario.get("reasoning_params", {})
        holds = length.holds(configuration, tokenizer)
        self.shortened = self._shorten(settings, holds)
        # The longest prompt; none if any will do.
        self.limit = None
        if holds is not None and settings.scenario["truncation"]:
            self.limit = holds - settings.max_new_tokens
        about_text = configuration.get_text_config(decoder=True)
        self.vocabulary = getattr(about_text, "vocab_size", None)
        if self.vocabulary is not None and (tokenizer.pad_token_id or 0) >= self.vocabulary:
            # Padding is masked, but the model looks it up.
            tokenizer.pad_token = tokenizer.convert_ids_to_tokens(0)
        # Prompts that are as long as they may be, so perhaps cut.
        self.longest = set()
        if self.reasoning:
            self._check_template(settings)

    @property
    def format(self):
        """What the model sees of a prompt, in words."""
        if not self.reasoning:
            return "plain text"
        given = [f"{key}={_spelt(value)}" for key, value in self.parameters.items()]
        if self.settings.system_prompt is not None:
            given.append(f"system message {self.settings.system_prompt}")
        return ", ".join(["chat template", *given])

    def notes(self):
        """What a reader of the numbers must know before any prompt was read."""
        yield self.shortened
        ids = max(self.tokenizer.get_vocab().values(), default=-1) + 1
        if self.vocabulary is not None and ids > self.vocabulary:
            yield (
                f"the tokenizer has {ids} ids and the model {self.vocabulary}: a prompt with one of the"
                " others fails"
            )

    def read(self, text):
        """The tokens of one prompt."""
        tokens = self._tokens(text, self.limit)
        if not tokens:
            raise Unreadable("the tokenizer leaves no token of it")
        if self.vocabulary is not None and max(tokens) >= self.vocabulary:
            raise Unreadable(
                f"the tokenizer makes a token {max(tokens)} of it, and the model knows"
                f" {self.vocabulary}: they do not belong together"
            )
        if self.limit is not None and len(tokens) >= self.limit:
            self.longest.add(text)
        return tokens

    def cut(self, texts):
        """How many of these prompts were cut when they were read, and how many tokens of them.

        Long prompts are read again for that, so it is no part of what is measured.
        """
        left_out = [len(self._tokens(text, None)) - self.limit for text in texts if text in self.longest]
        left_out = [tokens for tokens in left_out if tokens > 0]
        return len(left_out), sum(left_out)

    def _tokens(self, text, limit):
        if not self.reasoning:
            cut = {} if limit is None else {"truncation": True, "max_length": limit}
            return self.tokenizer(text, **cut)["input_ids"]
        tokens = self.tokenizer.apply_chat_template(
            self.settings.messages(text),
            add_generation_prompt=True,
            tokenize=True,
            **{"enable_thinking": True, **self.parameters},
        )
        return tokens[:limit]

    @staticmethod
    def _shorten(settings, holds):
        """Leaves a quarter of what the model holds to the prompt; what is to be said of it."""
        lengths = settings.scenario["generate_kwargs"]
        asked = lengths["max_new_tokens"]
        if holds is None or asked < holds:
            return None
        longest = holds - max(1, holds // 4)
        if lengths["min_new_tokens"] > longest:
            raise Refusal(
                f"the model holds {holds} tokens, and answers of at least {lengths['min_new_tokens']}"
                " leave no room for a prompt; lower `scenario.generate_kwargs.max_new_tokens`, and"
                " `min_new_tokens`, which is the same unless it is given"
            )
        lengths["max_new_tokens"] = longest
        return f"the model holds {holds} tokens: answers end after {longest}, not {asked}"

    def _check_template(self, settings):
        template = self.tokenizer.chat_template
        if not template:
            raise Refusal(
                f"`scenario.reasoning=True` needs a chat template, and `{settings.model}` has none"
            )
        if not self.parameters:
            return
        known = set()
        for text in template.values() if isinstance(template, dict) else [template]:
            with explained(settings):
                known |= names(text)
        unknown = [key for key in self.parameters if key not in known]
        if unknown:
            named = ", ".join(f"`scenario.reasoning_params.{key}`" for key in unknown)
            raise Refusal(
                f"{named}: the chat template of `{settings.model}` does not use it, so it would change"
                " nothing; leave it out"
            )


def _spelt(value):
    """A text as it is, anything else in JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def names(template):
    """The names that a chat template reads and does not set itself."""
    from jinja2 import Environment, ext, meta

    class Generation(ext.Extension):
        """A tag of transformers alone, around what a model writes."""

        tags = {"generation"}

        def parse(self, parser):
            next(parser.stream)
            return parser.parse_statements(("name:endgeneration",), drop_needle=True)

    environment = Environment(extensions=[Generation, ext.loopcontrols])
    return meta.find_undeclared_variables(environment.parse(template)) - EVERY_TEMPLATES
