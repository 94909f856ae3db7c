"""The model's own files: what it is, and why it cannot be loaded."""

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
    # What is cut is the end, with every model and backend.
    loaded.truncation_side = "right"
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
        record.note(f"the checkpoint lacks weights, which are random instead: {_listed(missing)}")


def note_unused(record, unexpected):
    """Says which weights of the checkpoint the model leaves out: what ran is not all of it."""
    if unexpected:
        record.note(f"the checkpoint has weights that the model does not use: {_listed(unexpected)}")


def _listed(weights):
    first = ", ".join(f"`{name}`" for name in sorted(weights)[:3])
    more = f" and {len(weights) - 3} more" if len(weights) > 3 else ""
    return first + more


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
