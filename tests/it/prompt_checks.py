"""Checks inside an image how prompts are tokenized, truncated and counted.

Also checks broken weights, unknown quantization, and a tokenizer that does not fit the model.
"""

import json
import os
from pathlib import Path

import torch
from adapter import dataset, devices, optimum, pytorch
from adapter.context_length import KEYS, context_length
from adapter.errors import UserError
from adapter.record import Record
from adapter.settings import Settings
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from transformers import (
    AutoModelForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MambaConfig,
    MptConfig,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaForCausalLM,
)

work = Path("/tmp/work")
work.mkdir()
HOLDS, ANSWER = 64, 4
LETTERS = {letter: number for number, letter in enumerate(["<pad>", "<u>", *"abcdefghijklmnopqrstuvwxyz"])}


def tokenizer(more="", **known):
    """A tokenizer with a token for every letter."""
    vocabulary = {**LETTERS, **{sign: len(LETTERS) + at for at, sign in enumerate(more)}}
    words = Tokenizer(models.WordLevel(vocabulary, unk_token="<u>"))
    words.normalizer = normalizers.Replace("!", "")
    words.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    return PreTrainedTokenizerFast(tokenizer_object=words, pad_token="<pad>", **known)


def save(name, words=None, change=None, **config):
    """Saves a tiny model with a tokenizer. `change` may modify its weights."""
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    ids = {"vocab_size": len(LETTERS), "bos_token_id": None, "eos_token_id": None}
    loaded = LlamaForCausalLM(LlamaConfig(**sizes, **ids, max_position_embeddings=HOLDS))
    if change:
        change(loaded)
    loaded.save_pretrained(work / name)
    (words or tokenizer()).save_pretrained(work / name)
    if config:
        file = work / name / "config.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), **config}))


def ran(name, texts, stack, batch=1, **changes):
    """Runs a model and returns the record."""
    results = work / f"results-{len(list(work.glob('results-*')))}"
    results.mkdir()
    os.chdir(results)
    lengths = {"min_new_tokens": ANSWER, "max_new_tokens": ANSWER}
    scenario = {"dataset_name": "x", "dataset_split": "train", "text_column_name": "text", "num_samples": 9}
    scenario |= {"truncation": True, "warmup_runs": 1, "reasoning": False, "generate_kwargs": lengths}
    scenario |= {"input_shapes": {"batch_size": batch}, **changes}
    backend = {"model": str(work / name), "device": "cpu", "torch_dtype": "float32", "seed": 42}
    settings = Settings(stack=stack, backend=backend, scenario=scenario)
    record = Record(stack=stack, model=settings.model, device=devices.choose(settings))
    prompts = dataset.Prompts(texts=texts, asked=len(texts), available=len(texts))
    {"optimum": optimum, "pytorch": pytorch}[stack].run(settings, prompts, "cpu", record)
    record.notes = [note for note in record.notes if not note.startswith("too short to measure")]
    return record


def refused(name, texts, stack):
    """The error about a model."""
    try:
        ran(name, texts, stack)
    except UserError as error:
        return str(error)
    raise AssertionError(f"{name} was measured")


STACKS = [("optimum", 1), ("optimum", 2), ("pytorch", 1)]
save("plain")
room = HOLDS - ANSWER
texts = ["ab" * 50, "abc", "c" * (room + 7), "d" * room, "!!!", "ab" * 50]
cut = f"3 of 6 prompts were cut to {room} tokens, which is what the model holds beside its answer: 87 tokens"
for stack, batch in STACKS:
    record = ran("plain", texts, stack, batch)
    assert (record.prompts_answered, record.prompts_failed) == (5, 1), (stack, record)
    assert (record.prompts_cut, record.prompt_tokens_cut) == (3, 40 + 40 + 7), (stack, record)
    assert record.prompt_tokens == 4 * room + 3, (stack, record)
    why = "prompt 5 failed: the tokenizer leaves no token of it"
    assert record.notes == [why, f"{cut} of them were not read"], record.notes
    record = ran("plain", ["abc"], stack, batch)
    assert (record.prompts_cut, record.prompt_tokens_cut, record.notes) == (0, 0, []), record
    # The warm-up skips a prompt that cannot be tokenized.
    record = ran("plain", ["!", "abc"], stack, batch)
    assert (record.prompts_answered, record.prompts_failed) == (1, 1), record
    assert "none of the 2 prompts can be read" in refused("plain", ["!", "!!"], stack)

# With a tokenizer of another model, only a prompt with an id outside the vocabulary fails.
more = "0123456789"
save("foreign", tokenizer(more))
save("foreign pad", tokenizer("~"))
file = work / "foreign pad/tokenizer_config.json"
file.write_text(json.dumps({**json.loads(file.read_text()), "pad_token": "~"}))
for stack, batch in STACKS:
    ids = f"the tokenizer has {len(LETTERS) + len(more)} ids and the model {len(LETTERS)}: "
    record = ran("foreign", ["abc", "a7", "bcdef"], stack, batch)
    assert (record.prompts_answered, record.prompts_failed) == (2, 1), record
    assert record.notes[0].startswith(ids), record.notes
    assert record.notes[1].startswith("prompt 2 failed: the tokenizer makes a token 35 of it"), record.notes
    assert ran("foreign pad", ["abc", "a"], stack, batch).prompts_answered == 2


def set_nan(loaded):
    """A NaN, as from a broken conversion."""
    loaded.model.layers[0].mlp.up_proj.weight.data[3, 3] = float("nan")


def set_infinite(loaded):
    """A weight that overflowed its dtype. Many answers are still finite."""
    loaded.model.embed_tokens.weight.data[7, 3] = float("-inf")


def overflow(loaded):
    """Finite weights whose products overflow."""
    for part in [loaded.model.layers[0].mlp.up_proj, loaded.model.layers[0].mlp.down_proj]:
        part.weight.data[:] = torch.finfo(torch.float32).max


save("nan", change=set_nan)
save("inf", change=set_infinite)
save("overflow", change=overflow)
save("deeper")
file = work / "deeper/model.safetensors"
save_file({**load_file(file), "model.layers.1.mlp.up_proj.weight": torch.ones(1)}, file, {"format": "pt"})
save("alien", quantization_config={"quant_method": "alien-4"})
save("listed", quantization_config={"quant_method": ["gptq"]})
save("unpacked", quantization_config={"quant_method": "mxfp4"})
save("adapted")
(work / "adapted/adapter_config.json").write_text('{"peft_type": "LORA"}')
for stack, _ in STACKS[1:]:
    assert "`model.layers.0.mlp.up_proj.weight` holds values that are not numbers" in refused("nan", ["abc"], stack)
    assert "`model.embed_tokens.weight` holds infinite values" in refused("inf", ["abc"], stack)
    assert "computes no numbers from the first prompt" in refused("overflow", ["abc"], stack)
    [note] = ran("deeper", ["abc"], stack).notes
    assert note == (
        "the checkpoint has weights that the model does not use: `model.layers.1.mlp.up_proj.weight`"
    ), note
    assert "is quantised by `alien-4`, which transformers" in refused("alien", ["abc"], stack)
    assert "is quantised by `['gptq']`, which transformers" in refused("listed", ["abc"], stack)
    [note] = ran("unpacked", ["abc"], stack).notes
    assert note.startswith("the weights are quantised by `mxfp4`, and ran as float32: "), note
    [note] = ran("adapted", ["abc"], stack).notes
    assert note.startswith("beside the model is an adapter (`adapter_config.json`), which was not used"), note

# The context length, under any of the keys of configurations.
words = tokenizer()
for key in KEYS:
    name = f"length {key}"
    (work / name).mkdir()
    config = {"model_type": "mamba", key: 77}
    (work / name / "config.json").write_text(json.dumps(config))
    assert context_length(MambaConfig.from_pretrained(work / name), words) == 77, key
assert context_length(MambaConfig(), words) is None
assert context_length(MambaConfig(), tokenizer(model_max_length=2048)) == 2048
assert context_length(MptConfig(max_seq_len=96), words) == 96
assert context_length(LlamaConfig(max_position_embeddings=96.0), words) == 96
assert context_length(GPT2Config(n_positions=48), tokenizer(model_max_length=2048)) == 48
assert context_length(LlamaConfig(max_position_embeddings=4096, seq_length=8), words) == 4096

# The context length is exact: one token more fails, also with tables whose first positions are unused.
sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
roberta = RobertaConfig(**sizes, vocab_size=28, max_position_embeddings=40, is_decoder=True, pad_token_id=1)
gpt2 = GPT2Config(n_embd=16, n_layer=1, n_head=2, vocab_size=28, n_positions=40)
for loaded in [RobertaForCausalLM(roberta), GPT2LMHeadModel(gpt2)]:
    most = context_length(loaded.config, words)
    loaded.eval()(input_ids=torch.full((1, most), 5))
    try:
        loaded(input_ids=torch.full((1, most + 1), 5))
    except (IndexError, RuntimeError):
        continue
    raise AssertionError(f"{loaded.config.model_type} holds more than {most}")

# Without a context length nothing is truncated.
MambaConfig(hidden_size=16, num_hidden_layers=1, vocab_size=28, state_size=4).save_pretrained(work / "mamba")
AutoModelForCausalLM.from_config(MambaConfig.from_pretrained(work / "mamba")).save_pretrained(work / "mamba")
words.save_pretrained(work / "mamba")
for stack, _ in STACKS[1:]:
    record = ran("mamba", ["ab" * 700], stack)
    assert (record.prompt_tokens, record.prompts_cut) == (1400, 0), record
    record = ran("plain", ["ab" * 700], stack, truncation=False)
    assert (record.prompt_tokens, record.prompts_cut) == (1400, 0), record
