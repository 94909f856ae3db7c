"""Checks inside an image that a model's own generation configuration changes no answer.

Every case is held against the answer of plain transformers to a configuration that names ids alone.
"""

import json
from pathlib import Path

import torch
from adapter import ending, model
from adapter.record import Record
from adapter.refusal import Refusal
from adapter.settings import Settings
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

ENDS = [3, 9, 20]
PROMPT = torch.tensor([[9, 6, 13, 13, 16]])
LONGEST = 40

# Each chooses other tokens, takes other time, or fails, if it is used.
CASES = {
    "max_time": 0.0001,
    "exponential_decay_length_penalty": [0, 9.0],
    "prompt_lookup_num_tokens": 3,
    "guidance_scale": 2.0,
    "repetition_penalty": 9.0,
    "encoder_repetition_penalty": 2.0,
    "no_repeat_ngram_size": 1,
    "suppress_tokens": [5, 6, 7, 8],
    "begin_suppress_tokens": [5, 6],
    "bad_words_ids": [[5], [6]],
    "sequence_bias": [[[7], 10.0]],
    "forced_bos_token_id": 5,
    "forced_eos_token_id": 5,
    "return_dict_in_generate": True,
    "output_scores": True,
    "stop_strings": ["a"],
    "num_return_sequences": 2,
    "num_beams": 3,
    "penalty_alpha": 0.6,
    "dola_layers": "low",
    "cache_implementation": "static",
    "min_length": 30,
    "max_length": 4,
    "watermarking_config": {"bias": 5.0},
    "do_sample": True,
    "top_k": "x",
    "temperature": -3,
    "unknown": [1],
}
# The same of the model's `config.json`, where the other file is missing; these are noted.
LEGACY = {"num_return_sequences": 2, "suppress_tokens": [5, 6, 7], "min_length": 40}
# Options for what a forward pass returns do not choose tokens.
SILENT = {"output_hidden_states": True, "output_attentions": True, "return_dict": False}

torch.manual_seed(0)
tiny = LlamaForCausalLM(
    LlamaConfig(
        vocab_size=28,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=64,
        initializer_range=1.0,
        bos_token_id=None,
        eos_token_id=None,
    )
)
folder = Path("/tmp/tiny")
tiny.save_pretrained(folder)
plain = json.loads((folder / "config.json").read_text())
settings = Settings(
    stack="pytorch",
    backend={"model": str(folder), "seed": 42},
    scenario={"generate_kwargs": {"min_new_tokens": 2, "max_new_tokens": LONGEST}, "reasoning": False},
)


def saved(own, configuration):
    """Gives the model this file of its own, or none, and adds to its configuration."""
    (folder / "config.json").write_text(json.dumps({**plain, **configuration}))
    (folder / ending.FILE).unlink(missing_ok=True)
    if own is not None:
        (folder / ending.FILE).write_text(own if isinstance(own, str) else json.dumps(own))


def answered(own, configuration=None):
    """The answer of the model, and what is noted."""
    saved(own, configuration or {})
    record = Record(stack="pytorch", model=settings.model)
    ending.settle(settings, model.config(settings), record)
    loaded = AutoModelForCausalLM.from_pretrained(settings.model)
    ending.plain(loaded)
    output = loaded.generate(
        input_ids=PROMPT,
        attention_mask=torch.ones_like(PROMPT),
        pad_token_id=0,
        **settings.generate_kwargs(),
    )
    return output.tolist(), record.notes


def refused(own):
    """What is said about a file that cannot be used."""
    try:
        answered(own)
    except Refusal as refusal:
        return str(refusal)
    raise AssertionError(f"{own} was taken")


# Plain transformers, before anything of the adapter is at work.
saved({"eos_token_id": ENDS}, {})
unchanged = AutoModelForCausalLM.from_pretrained(folder).generate(
    input_ids=PROMPT, pad_token_id=0, do_sample=False, min_new_tokens=2, max_new_tokens=LONGEST
)
expected = unchanged.tolist()
assert PROMPT.shape[1] + 2 < len(expected[0]) < PROMPT.shape[1] + LONGEST, "it ends by itself"

words = "not used of the model's `{}`: `{}`; the arguments alone choose the tokens"
for key, value in CASES.items():
    answer, notes = answered({"eos_token_id": ENDS, key: value})
    assert (answer, notes) == (expected, [words.format(ending.FILE, key)]), (key, answer, notes)
for key, value in LEGACY.items():
    answer, notes = answered(None, {"eos_token_id": ENDS, key: value})
    assert (answer, notes) == (expected, [words.format("config.json", key)]), (key, answer, notes)
for key, value in SILENT.items():
    assert answered(None, {"eos_token_id": ENDS, key: value}) == (expected, []), key

# Comments, metadata and what is the default anyway are not noted; many settings are not all listed.
quiet = {"_from_model_config": True, "transformers_version": "4.1", "do_sample": False, "eos_token_id": ENDS}
assert answered(quiet) == (expected, [])
answer, [note] = answered({"eos_token_id": ENDS, **CASES})
assert answer == expected and f" and {len(CASES) - ending.LISTED} more; " in note, note
# Nothing says how a text ends: -1 is how some models write that, and no file says nothing.
for own in [None, {}, {"eos_token_id": -1, "pad_token_id": -1}]:
    [answer], notes = answered(own)
    assert len(answer) == PROMPT.shape[1] + LONGEST and notes == [], (own, answer, notes)

assert f"`{ending.FILE}` of `{folder}` is not valid JSON" in refused("{no")
assert "is not a JSON object" in refused("[1]")
for wrong in ["x", [1, "x"], 1.5, True, {}, [3, 2**70]]:
    assert "which is not the id of a token" in refused({"eos_token_id": wrong}), wrong
