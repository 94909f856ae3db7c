"""The model's own files, besides its weights: what it is, and how it reads a prompt."""

import json
import os
import re

from . import hub
from .refusal import Refusal, named

# Files of which a tokenizer has one, whatever it is.
TOKENIZERS = ["tokenizer_config.json", "tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt"]

# Files of which weights for PyTorch have one.
WEIGHTS = [
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
]

# What an adapter of another model has instead of a configuration.
ADAPTER = "adapter_config.json"

# What every chat template gets: no parameters of reasoning.
EVERY_TEMPLATES = {"messages", "add_generation_prompt", "tools", "documents"}


def config(settings):
    """The model's configuration, by Hub id or path, from the cache or the Hub."""
    from transformers import AutoConfig

    with explained(settings, no_config):
        loaded = AutoConfig.from_pretrained(settings.model, **settings.model_kwargs)
    # Without one, libraries guess by the model's name, and make it up.
    why = no_config(settings)
    if why:
        raise Refusal(f"`backend.model={settings.model}` could not be loaded: {why}")
    if loaded.is_encoder_decoder:
        raise Refusal(
            f"`backend.model={settings.model}` is an encoder-decoder model (`{loaded.model_type}`),"
            " and the task `text-generation` takes models that continue a text; choose another model"
        )
    return loaded


def tokenizer(settings):
    """The model's tokenizer, which can pad."""
    from transformers import AutoTokenizer

    with explained(settings, no_tokenizer):
        loaded = AutoTokenizer.from_pretrained(settings.model, **settings.processor_kwargs)
    if loaded.pad_token is None:
        # Padding is masked, so any token will do.
        loaded.pad_token = loaded.eos_token or loaded.convert_ids_to_tokens(0)
    # Answers begin where prompts end, so prompts of one batch must end together.
    loaded.padding_side = "left"
    return loaded


def commit(configuration):
    """The Hub's commit that a configuration came from; none for a folder."""
    return getattr(configuration, "_commit_hash", None)


def find(settings, name):
    """The path of the model's file of this name, if it has one."""
    from transformers.utils import cached_file

    try:
        return cached_file(settings.model, name, revision=settings.model_kwargs.get("revision"))
    except OSError:
        return None


def is_there(settings, name):
    """Whether the model has a file of this name."""
    return find(settings, name) is not None


def no_config(settings):
    """That the model has no configuration, if so: nothing else tells a folder from a model."""
    if is_there(settings, "config.json"):
        return None
    if is_there(settings, ADAPTER):
        return (
            f"it is an adapter (`{ADAPTER}`), which is no model by itself; merge it into its base model"
            " and save that"
        )
    return "it has no `config.json`, which every model for transformers has"


def no_tokenizer(settings):
    """That the model has no tokenizer, if so."""
    if any(is_there(settings, name) for name in TOKENIZERS):
        return None
    return f"it has no tokenizer, which is one of {', '.join(TOKENIZERS)}"


def no_weights(settings):
    """That the model has no weights, if so."""
    if any(is_there(settings, name) for name in WEIGHTS):
        return None
    return f"it has no weights, which are one of {', '.join(WEIGHTS)}"


def up_to_end(answer, ends):
    """An answer without what fills it up in a batch, after the token that ended it."""
    ends = [] if ends is None else ends if isinstance(ends, list) else [ends]
    last = next((at for at, token in enumerate(answer) if token in ends), len(answer))
    return answer[: last + 1]


def note_random(record, missing):
    """Says which weights the checkpoint lacks: they are random then, and so are the answers."""
    if missing:
        first = ", ".join(f"`{name}`" for name in sorted(missing)[:3])
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        record.note(f"the checkpoint lacks weights, which are random instead: {first}{more}")


class explained:
    """Turns what the libraries say about a model that they cannot load into a sentence.

    `better` may know the reason better than the libraries do.
    """

    def __init__(self, settings, better=lambda _: None):
        self.settings, self.better = settings, better

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        if isinstance(error, Exception) and not isinstance(error, Refusal):
            why = _unreadable(error) or _foreign(error) or _absent(self.settings, error)
            why = why or _unfit(error) or self.better(self.settings) or named(error)
            model = self.settings.model
            raise Refusal(f"`backend.model={model}` could not be loaded: {why}") from error
        return False


def _foreign(error):
    """That a model is of code that comes with it, if that is what libraries ask about."""
    if "trust_remote_code" not in str(error):
        return None
    return (
        "it needs code of its own repository, which runs only with"
        " `backend.model_kwargs.trust_remote_code=True`; read that code before"
    )


def _unfit(error):
    """That a model is of a type that is loaded for other tasks, such as one that also sees."""
    found = re.match(r"Unrecognized configuration class <class '[\w.]*?(\w+)'>", str(error))
    if found is None:
        return None
    return (
        f"it is configured by `{found[1]}`, of which transformers has no model for the task"
        " `text-generation`; choose a model that continues a text"
    )


def _absent(settings, error):
    """That the cache has no such model or revision, where the Hub must not be asked."""
    local = os.path.isdir(settings.model) or settings.model.startswith((".", "/", "~"))
    if local or not hub.offline() or "couldn't find them in the cached files" not in str(error):
        return None
    revision = settings.model_kwargs.get("revision")
    words = f"{settings.model} --revision {revision}" if revision else settings.model
    return (
        "it is not in the cache, or not all of it, and the Hub must not be asked (offline); download"
        f" it once with `hf download {words}`"
    )


def _unreadable(error):
    """What is wrong with a file that libraries say is absent when it only cannot be read."""
    if not isinstance(error, OSError):
        return None
    for path in re.findall(r"/[^'\"]+[^'\"\s.]", str(error)):
        if os.path.exists(path) and not os.access(path, os.R_OK):
            return (
                f"`{path}` is there, and uid {os.geteuid()} may not read it; let everybody read it"
                " (`chmod a+r`), or run as its owner"
            )
    return None


class Reader:
    """Turns prompts into tokens, by the same rule for every model, name and stack.

    Plain text, or with reasoning the model's own chat template with the reasoning parameters as
    its keywords. Prompts are cut where the model could not hold the answer any more, and answers
    where it could hold no prompt.
    """

    def __init__(self, tokenizer, configuration, settings):
        self.tokenizer = tokenizer
        self.settings = settings
        self.reasoning = settings.reasoning
        self.parameters = settings.scenario.get("reasoning_params", {})
        self.truncation = settings.scenario["truncation"]
        # Models that also see or hear keep what is about text in a part of its own.
        about_text = configuration.get_text_config(decoder=True)
        holds = getattr(about_text, "max_position_embeddings", None) or 512
        self.note = self._shorten(settings, holds)
        self.limit = holds - settings.max_new_tokens
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

    def read(self, text):
        """The tokens of one prompt."""
        if not self.reasoning:
            cut = {"truncation": True, "max_length": self.limit} if self.truncation else {}
            return self.tokenizer(text, **cut)["input_ids"]
        tokens = self.tokenizer.apply_chat_template(
            self.settings.messages(text),
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
