"""What the checks of the stacks by themselves share: tiny models, prompts, and the rows they are of."""

import json
import os
from pathlib import Path

os.environ["HF_HOME"] = "/tmp/hf"
os.environ["HF_HUB_OFFLINE"] = "1"
# More would wait for one another on a busy machine.
os.environ["OMP_NUM_THREADS"] = "1"

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

WORK = Path("/tmp/work")
WORK.mkdir(exist_ok=True)
LETTERS = {letter: number for number, letter in enumerate(["<pad>", "<u>", *"abcdefghijklmnopqrstuvwxyz"])}
HOLDS = 256
TEMPLATE = "{% for m in messages %}chat {{ m.content }} chat{% endfor %}"

ROWS = {}


def row(beginning):
    """Marks the check of the row of the guide's table that begins so."""

    def mark(check):
        assert beginning not in ROWS, beginning
        ROWS[beginning] = check
        return check

    return mark


def model(name, change=None, vocabulary=None, template=None, generation=None, **config):
    """A folder with a model of some thousand weights, and a tokenizer with a token for every letter."""
    folder = WORK / name
    if folder.exists():
        return folder
    torch.manual_seed(0)
    ids = {"vocab_size": len(LETTERS), "bos_token_id": None, "eos_token_id": None}
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    loaded = LlamaForCausalLM(
        LlamaConfig(**ids, **sizes, max_position_embeddings=HOLDS, initializer_range=1.0)
    )
    if change:
        change(loaded)
    loaded.save_pretrained(folder)
    words = Tokenizer(models.WordLevel({**LETTERS, **(vocabulary or {})}, unk_token="<u>"))
    words.normalizer = normalizers.Replace("!", "")
    words.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, pad_token="<pad>")
    tokenizer.chat_template = template
    tokenizer.save_pretrained(folder)
    if generation is not None:
        (folder / "generation_config.json").write_text(json.dumps(generation))
    edit(folder / "config.json", config)
    return folder


def edit(file, changes):
    """Adds to a JSON file."""
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def data(name, texts):
    """A folder with a dataset of these prompts."""
    folder = WORK / name
    folder.mkdir(exist_ok=True)
    (folder / "train.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    return folder


def raised(kind, do, *arguments, **keywords):
    """What is said by an error that must come."""
    try:
        do(*arguments, **keywords)
    except kind as error:
        return f"{type(error).__name__}: {error}"
    raise AssertionError(f"no {kind.__name__} came")
