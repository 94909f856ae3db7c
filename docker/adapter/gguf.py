"""Makes weights for the stacks of a GGUF file: they cannot load one themselves."""

import os
import shutil
import tempfile
from pathlib import Path

from .refusal import Refusal, first_lines


def convert(source, target):
    """Writes the model in the file `source` to the new folder `target`, in bfloat16."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    source, target = Path(source), Path(target)
    if not source.is_file():
        raise Refusal(f"`{source}`: there is no such file; in a container only mounted ones are seen")
    if target.exists():
        raise Refusal(f"`{target}` is already there, and nothing is overwritten; choose another name")
    logging.set_verbosity_error()
    keywords = {"gguf_file": source.name}
    unfinished = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        try:
            tokenizer = AutoTokenizer.from_pretrained(source.parent, **keywords)
            _ends_as_in(source, tokenizer)
            model = AutoModelForCausalLM.from_pretrained(
                source.parent, dtype=torch.bfloat16, **keywords
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise Refusal(f"`{source}` could not be read: {first_lines(error)}") from error
        model.save_pretrained(unfinished)
        tokenizer.save_pretrained(unfinished)
        _as_usual(unfinished)
        os.rename(unfinished, target)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    print(f"wrote `{target}`")


def _ends_as_in(source, tokenizer):
    """Adds a token before and after a text as the file says: the library always adds one before."""
    from gguf import GGUFReader

    fields = GGUFReader(source).fields
    for name in ["add_bos_token", "add_eos_token"]:
        field = fields.get(f"tokenizer.ggml.{name}")
        if field is not None and hasattr(tokenizer, name):
            setattr(tokenizer, name, bool(field.contents()))


def _as_usual(folder):
    """Gives the modes that new files have: weights are written for their owner alone."""
    mask = os.umask(0)
    os.umask(mask)
    folder.chmod(0o777 & ~mask)
    for file in folder.iterdir():
        file.chmod(0o666 & ~mask)
