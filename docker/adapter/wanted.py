"""Which files of a repository of the Hub a run loads: all others are not fetched."""

import json
from pathlib import PurePosixPath

from .dataset import LOADERS
from .model import ADAPTER, TOKENIZERS, WEIGHTS
from .refusal import Refusal

INDEX = ".index.json"
GGUF = ".gguf"

# Settings, tokenizers, chat templates and code of a model's own.
BESIDES = {".bpe", ".jinja", ".json", ".model", ".py", ".spm", ".tiktoken", ".txt"}
TEMPLATES = "additional_chat_templates/"

# What the library is told about a dataset by.
CARD = "README.md"


def of_model(repo, files, read):
    """Files of a model that the Python stacks load; `read` gives the text of one that is small.

    The weights are those that transformers prefers: safetensors, whole before parts.
    """
    found = [name for name in WEIGHTS if name in files]
    if "config.json" not in files:
        raise Refusal(f"`{repo}` has no `config.json`, which every model for transformers has{_instead(files)}")
    if not found:
        raise Refusal(f"`{repo}` has no weights, which are one of {', '.join(WEIGHTS)}")
    if not any(name in files for name in TOKENIZERS):
        raise Refusal(f"`{repo}` has no tokenizer, which is one of {', '.join(TOKENIZERS)}")
    weights = found[0]
    wanted = {name for name in files if _is_besides(name)} | {weights}
    if weights.endswith(INDEX):
        wanted |= _parts(repo, weights, read(weights), files)
    return sorted(wanted)


def of_gguf(repo, file, files):
    """The one file that the `native` backend loads."""
    if file in files:
        return [file]
    raise Refusal(f"`{repo}` has no file `{file}`{_instead(files)}")


def of_dataset(repo, files):
    """Files of a dataset that hold rows, and what describes them."""
    rows = [name for name in files if _holds_rows(name)]
    if not rows:
        raise Refusal(
            f"the dataset `{repo}` has no file that ends in {', '.join(LOADERS)}; choose another with"
            " --dataset"
        )
    return sorted({*rows, *({CARD} & set(files))})


def _is_besides(name):
    top = "/" not in name or name.startswith(TEMPLATES)
    return top and PurePosixPath(name).suffix in BESIDES and not name.endswith(INDEX)


def _holds_rows(name):
    return bool(LOADERS.keys() & {end.lower() for end in PurePosixPath(name).suffixes})


def _parts(repo, index, text, files):
    try:
        parts = set(json.loads(text)["weight_map"].values())
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Refusal(f"`{index}` of `{repo}` is no index of weights: {error}") from error
    missing = sorted(parts - set(files))
    if missing:
        raise Refusal(f"`{index}` of `{repo}` names `{missing[0]}`, which the repository does not have")
    return parts


def _instead(files):
    """What the repository has instead."""
    gguf = sorted(name for name in files if name.lower().endswith(GGUF))
    if ADAPTER in files:
        return f"; it is an adapter (`{ADAPTER}`) of another model: merge it into that and save the result"
    if gguf:
        more = f" and {len(gguf) - 3} more" if len(gguf) > 3 else ""
        return (
            f"; for the `native` backend name one of its files, as in ORG/REPO:FILE:"
            f" {', '.join(f'`{name}`' for name in gguf[:3])}{more}"
        )
    return ""
