"""Tokenizes prompts by the same rule for every model and stack."""

import json

from .context_length import context_length
from .errors import UserError
from .model_errors import explain_load_errors

# Variables that transformers passes to every chat template.
STANDARD_VARIABLES = {"messages", "add_generation_prompt", "tools", "documents"}


class PromptError(Exception):
    """A prompt that the model cannot read. The message is the reason, and other prompts go on."""


class PromptTokenizer:
    """Turns prompts into tokens.

    A prompt is plain text. With reasoning it goes through the model's chat template, which gets the
    reasoning parameters as keywords. Prompts are truncated so that the answer fits into the context
    length, and answers are limited so that a prompt does.
    """

    def __init__(self, tokenizer, configuration, settings):
        self.tokenizer = tokenizer
        self.settings = settings
        self.parameters = settings.scenario.get("reasoning_params", {})
        context = context_length(configuration, tokenizer)
        self.shorter_answers = self._limit_answers(settings, context)
        # Maximum tokens of a prompt, if there is a maximum.
        self.limit = None
        if context is not None and settings.scenario["truncation"]:
            self.limit = context - settings.max_new_tokens
        text_config = configuration.get_text_config(decoder=True)
        self.vocabulary = getattr(text_config, "vocab_size", None)
        if self.vocabulary is not None and (tokenizer.pad_token_id or 0) >= self.vocabulary:
            # Padding is masked, but the model still looks up its embedding.
            tokenizer.pad_token = tokenizer.convert_ids_to_tokens(0)
        # Prompts of the maximum length, which may have been truncated.
        self.longest = set()
        if settings.reasoning:
            self._check_template()

    @property
    def format(self):
        """A description of the prompt format, for the record."""
        if not self.settings.reasoning:
            return "plain text"
        options = [
            f"{key}={value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"
            for key, value in self.parameters.items()
        ]
        if self.settings.system_prompt is not None:
            options.append(f"system message {self.settings.system_prompt}")
        return ", ".join(["chat template", *options])

    def notes(self):
        """Notes about the answers' length and the vocabulary."""
        yield self.shorter_answers
        ids = max(self.tokenizer.get_vocab().values(), default=-1) + 1
        if self.vocabulary is not None and ids > self.vocabulary:
            yield (
                f"the tokenizer has {ids} ids and the model {self.vocabulary}: a prompt with one of the"
                " others fails"
            )

    def encode(self, text):
        """The tokens of one prompt."""
        tokens = self._tokens(text, self.limit)
        if not tokens:
            raise PromptError("the tokenizer leaves no token of it")
        if self.vocabulary is not None and max(tokens) >= self.vocabulary:
            raise PromptError(
                f"the tokenizer makes a token {max(tokens)} of it, and the model knows"
                f" {self.vocabulary}: they do not belong together"
            )
        if self.limit is not None and len(tokens) >= self.limit:
            self.longest.add(text)
        return tokens

    def count_truncated(self, texts):
        """How many of these prompts were truncated, and how many tokens they lost.

        This tokenizes long prompts again, so it must not be part of the measurement.
        """
        lost = [len(self._tokens(text, None)) - self.limit for text in texts if text in self.longest]
        lost = [tokens for tokens in lost if tokens > 0]
        return len(lost), sum(lost)

    def _tokens(self, text, limit):
        if not self.settings.reasoning:
            truncation = {} if limit is None else {"truncation": True, "max_length": limit}
            return self.tokenizer(text, **truncation)["input_ids"]
        tokens = self.tokenizer.apply_chat_template(
            self.settings.messages(text),
            add_generation_prompt=True,
            tokenize=True,
            **{"enable_thinking": True, **self.parameters},
        )
        return tokens[:limit]

    @staticmethod
    def _limit_answers(settings, context):
        """Keeps a quarter of the context length for the prompt, and returns a note about it."""
        lengths = settings.scenario["generate_kwargs"]
        requested = lengths["max_new_tokens"]
        if context is None or requested < context:
            return None
        longest = context - max(1, context // 4)
        if lengths["min_new_tokens"] > longest:
            raise UserError(
                f"the model holds {context} tokens, and answers of at least {lengths['min_new_tokens']}"
                " leave no room for a prompt; lower `scenario.generate_kwargs.max_new_tokens`, and"
                " `min_new_tokens`, which is the same unless it is given"
            )
        lengths["max_new_tokens"] = longest
        return f"the model holds {context} tokens: answers end after {longest}, not {requested}"

    def _check_template(self):
        """Rejects a model without a chat template, and parameters that the template ignores."""
        template, model = self.tokenizer.chat_template, self.settings.model
        if not template:
            raise UserError(f"`scenario.reasoning=True` needs a chat template, and `{model}` has none")
        if not self.parameters:
            return
        known = set()
        for text in template.values() if isinstance(template, dict) else [template]:
            with explain_load_errors(self.settings):
                known |= template_variables(text)
        unknown = [key for key in self.parameters if key not in known]
        if unknown:
            listed = ", ".join(f"`scenario.reasoning_params.{key}`" for key in unknown)
            raise UserError(
                f"{listed}: the chat template of `{model}` does not use it, so it would change"
                " nothing; leave it out"
            )


def template_variables(template):
    """The variables that a chat template reads and does not set itself."""
    from jinja2 import Environment, ext, meta

    class Generation(ext.Extension):
        """A tag that transformers adds to Jinja, around the text of the model."""

        tags = {"generation"}

        def parse(self, parser):
            next(parser.stream)
            return parser.parse_statements(("name:endgeneration",), drop_needle=True)

    environment = Environment(extensions=[Generation, ext.loopcontrols])
    return meta.find_undeclared_variables(environment.parse(template)) - STANDARD_VARIABLES
