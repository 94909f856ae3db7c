"""Selects the files of a Hub repository that a run loads, so that only those are downloaded."""

import json
from pathlib import PurePosixPath

from .dataset import LOADERS
from .errors import UserError, quoted_list
from .model_files import ADAPTER, TOKENIZERS, WEIGHTS

INDEX = ".index.json"
GGUF = ".gguf"

# Configurations, tokenizers, chat templates and the model's own code.
SMALL_FILES = {".bpe", ".jinja", ".json", ".model", ".py", ".spm", ".tiktoken", ".txt"}
TEMPLATES = "additional_chat_templates/"

DATASET_CARD = "README.md"


def select_model(repo, files, read):
    """The files of a model that the Python stacks load. `read` returns the text of a small file.

    Like transformers, this prefers safetensors, and a single file over shards.
    """
    weights = next((name for name in WEIGHTS if name in files), None)
    if "config.json" not in files:
        raise UserError(
            f"`{repo}` has no `config.json`, which every model for transformers has{_hint(files)}"
        )
    if weights is None:
        raise UserError(f"`{repo}` has no weights, which are one of {', '.join(WEIGHTS)}")
    if not any(name in files for name in TOKENIZERS):
        raise UserError(f"`{repo}` has no tokenizer, which is one of {', '.join(TOKENIZERS)}")
    selected = {name for name in files if _is_small(name)} | {weights}
    if weights.endswith(INDEX):
        selected |= _shards(repo, weights, read(weights), files)
    return sorted(selected)


def select_gguf(repo, file, files):
    """The one file that the `native` backend loads."""
    if file in files:
        return [file]
    raise UserError(f"`{repo}` has no file `{file}`{_hint(files)}")


def select_dataset(repo, files):
    """The files of a dataset that contain rows, and its card."""
    rows = [name for name in files if _contains_rows(name)]
    if not rows:
        raise UserError(
            f"the dataset `{repo}` has no file that ends in {', '.join(LOADERS)}; choose another with"
            " --dataset"
        )
    return sorted({*rows, *({DATASET_CARD} & set(files))})


def _is_small(name):
    top = "/" not in name or name.startswith(TEMPLATES)
    return top and PurePosixPath(name).suffix in SMALL_FILES and not name.endswith(INDEX)


def _contains_rows(name):
    return bool(LOADERS.keys() & {suffix.lower() for suffix in PurePosixPath(name).suffixes})


def _shards(repo, index, text, files):
    try:
        shards = set(json.loads(text)["weight_map"].values())
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"`{index}` of `{repo}` is no index of weights: {error}") from error
    missing = sorted(shards - set(files))
    if missing:
        raise UserError(f"`{index}` of `{repo}` names `{missing[0]}`, which the repository does not have")
    return shards


def _hint(files):
    """What the repository contains instead, and what to do."""
    gguf = sorted(name for name in files if name.lower().endswith(GGUF))
    if ADAPTER in files:
        return f"; it is an adapter (`{ADAPTER}`) of another model: merge it into that and save the result"
    if gguf:
        return (
            "; for the `native` backend name one of its files, as in ORG/REPO:FILE:"
            f" {quoted_list(gguf, 3)}"
        )
    return ""
