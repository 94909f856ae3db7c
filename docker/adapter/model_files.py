"""The files of a model's folder or Hub repository, and which required ones are missing."""

# A tokenizer has at least one of these files.
TOKENIZERS = ["tokenizer_config.json", "tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt"]

# Weights for PyTorch have at least one of these files, in transformers' order of preference.
WEIGHTS = [
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
]

# The configuration of an adapter, such as LoRA, which has no `config.json`.
ADAPTER = "adapter_config.json"


def find(settings, name):
    """The path of a model's file, or None if the model has no such file."""
    from transformers.utils import cached_file

    try:
        return cached_file(settings.model, name, revision=settings.model_kwargs.get("revision"))
    except OSError:
        return None


def exists(settings, name):
    """Whether the model has a file of this name."""
    return find(settings, name) is not None


def missing_config(settings):
    """A sentence if the model has no configuration, otherwise None."""
    if exists(settings, "config.json"):
        return None
    if exists(settings, ADAPTER):
        return (
            f"it is an adapter (`{ADAPTER}`), which is no model by itself; merge it into its base model"
            " and save that"
        )
    return "it has no `config.json`, which every model for transformers has"


def missing_tokenizer(settings):
    """A sentence if the model has no tokenizer, otherwise None."""
    if any(exists(settings, name) for name in TOKENIZERS):
        return None
    return f"it has no tokenizer, which is one of {', '.join(TOKENIZERS)}"


def missing_weights(settings):
    """A sentence if the model has no weights, otherwise None."""
    if any(exists(settings, name) for name in WEIGHTS):
        return None
    return f"it has no weights, which are one of {', '.join(WEIGHTS)}"
