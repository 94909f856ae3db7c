"""The model's own files, besides its weights: what it is, and how it reads a prompt."""

from .refusal import Refusal, first_lines


def config(settings):
    """The model's configuration, by Hub id or path, from the cache or the Hub."""
    from transformers import AutoConfig

    with explained(settings):
        return AutoConfig.from_pretrained(settings.model, **settings.model_kwargs)


def tokenizer(settings):
    """The model's tokenizer, which can pad."""
    from transformers import AutoTokenizer

    keywords = {**settings.model_kwargs, **settings.backend.get("processor_kwargs", {})}
    with explained(settings):
        loaded = AutoTokenizer.from_pretrained(settings.model, **keywords)
    if loaded.pad_token is None:
        loaded.pad_token = loaded.eos_token
    # Answers begin where prompts end, so prompts of one batch must end together.
    loaded.padding_side = "left"
    return loaded


def commit(configuration):
    """The Hub's commit that a configuration came from; none for a folder."""
    return getattr(configuration, "_commit_hash", None)


class explained:
    """Turns what the libraries say about a model that they cannot load into a sentence."""

    def __init__(self, settings):
        self.model = settings.model

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        if isinstance(error, (OSError, ValueError, KeyError)):
            raise Refusal(
                f"`backend.model={self.model}` could not be loaded: {type(error).__name__}:"
                f" {first_lines(error)}"
            ) from error
        return False


class Reader:
    """Turns prompts into tokens, by the same rule for every model, name and stack.

    Plain text, or with reasoning the model's own chat template with the reasoning parameters as
    its keywords. Prompts are cut where the model could not hold the answer any more, and answers
    where it could hold no prompt.
    """

    def __init__(self, tokenizer, configuration, settings):
        self.tokenizer = tokenizer
        self.reasoning = settings.reasoning
        self.parameters = settings.scenario.get("reasoning_params", {})
        self.truncation = settings.scenario["truncation"]
        holds = getattr(configuration, "max_position_embeddings", None) or 512
        self.note = self._shorten(settings, holds)
        self.limit = holds - settings.max_new_tokens
        if self.reasoning:
            self._check_template(settings)

    @property
    def format(self):
        """What the model sees of a prompt, in words."""
        if not self.reasoning:
            return "plain text"
        given = "".join(f", {key}={value}" for key, value in self.parameters.items())
        return f"chat template{given}"

    def read(self, text):
        """The tokens of one prompt."""
        if not self.reasoning:
            cut = {"truncation": True, "max_length": self.limit} if self.truncation else {}
            return self.tokenizer(text, **cut)["input_ids"]
        tokens = self.tokenizer.apply_chat_template(
            [{"role": "user", "content": text}],
            add_generation_prompt=True,
            tokenize=True,
            **{"enable_thinking": True, **self.parameters},
        )
        return tokens[: self.limit] if self.truncation else tokens

    @staticmethod
    def _shorten(settings, holds):
        """Leaves a quarter of what the model holds to the prompt; what is to be said of it."""
        lengths = settings.scenario["generate_kwargs"]
        asked, longest = lengths["max_new_tokens"], holds - max(1, holds // 4)
        if asked < holds:
            return None
        if lengths["min_new_tokens"] > longest:
            raise Refusal(
                f"the model holds {holds} tokens, and answers of at least {lengths['min_new_tokens']}"
                " leave no room for a prompt; lower `scenario.generate_kwargs.min_new_tokens`"
            )
        lengths["max_new_tokens"] = longest
        return f"the model holds {holds} tokens: answers end after {longest}, not {asked}"

    def _check_template(self, settings):
        template = self.tokenizer.chat_template
        if not template:
            raise Refusal(
                f"`scenario.reasoning=True` needs a chat template, and `{settings.model}` has none"
            )
        text = " ".join(template.values()) if isinstance(template, dict) else template
        unknown = [key for key in self.parameters if key not in text]
        if unknown:
            named = ", ".join(f"`scenario.reasoning_params.{key}`" for key in unknown)
            raise Refusal(
                f"{named}: the chat template of `{settings.model}` does not use it, so it would change"
                " nothing; leave it out"
            )
