"""Converts a GGUF file to a model folder, since the stacks cannot load GGUF."""

import os
import shutil
import tempfile
from pathlib import Path

from .errors import UserError, first_lines


def convert(source, target):
    """Converts the file `source` to the new folder `target`, in bfloat16."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    source, target = Path(source), Path(target)
    if not source.is_file():
        raise UserError(f"`{source}`: there is no such file; in a container only mounted ones are seen")
    if target.exists():
        raise UserError(f"`{target}` is already there, and nothing is overwritten; choose another name")
    logging.set_verbosity_error()
    keywords = {"gguf_file": source.name}
    unfinished = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        try:
            tokenizer = AutoTokenizer.from_pretrained(source.parent, **keywords)
            _set_special_tokens(source, tokenizer)
            model = AutoModelForCausalLM.from_pretrained(
                source.parent, dtype=torch.bfloat16, **keywords
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(f"`{source}` could not be read: {first_lines(error)}") from error
        model.save_pretrained(unfinished)
        tokenizer.save_pretrained(unfinished)
        _set_default_modes(unfinished)
        os.rename(unfinished, target)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    print(f"wrote `{target}`")


def _set_special_tokens(source, tokenizer):
    """Sets from the file whether a text begins and ends with a special token, which transformers ignores."""
    from gguf import GGUFReader

    fields = GGUFReader(source).fields
    for name in ["add_bos_token", "add_eos_token"]:
        field = fields.get(f"tokenizer.ggml.{name}")
        if field is not None and hasattr(tokenizer, name):
            setattr(tokenizer, name, bool(field.contents()))


def _set_default_modes(folder):
    """Sets the default modes of new files, since only the owner can read the files as written."""
    mask = os.umask(0)
    os.umask(mask)
    folder.chmod(0o777 & ~mask)
    for file in folder.iterdir():
        file.chmod(0o666 & ~mask)
