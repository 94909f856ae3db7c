"""Checks inside an image of what a run here does, where no check of another script has it."""

import json
import os
from pathlib import Path

from rows import WORK, data, model, raised

import requests
from adapter import dataset, devices, optimum, pytorch
from adapter.errors import UserError
from adapter.record import Record
from adapter.settings import Settings
from transformers import GenerationMixin

SCENARIO = {
    "dataset_name": str(data("two", ["abc", "bcd"])),
    "dataset_split": "train",
    "text_column_name": "text",
    "num_samples": 2,
    "truncation": True,
    "warmup_runs": 0,
    "reasoning": False,
    "input_shapes": {"batch_size": 1},
    "generate_kwargs": {"min_new_tokens": 10, "max_new_tokens": 10},
}
STACKS = {"optimum": optimum, "pytorch": pytorch}


def ran(stack, folder, **backend):
    """The record of a run."""
    results = WORK / f"results-{len(list(WORK.glob('results-*')))}"
    results.mkdir()
    os.chdir(results)
    whole = {"model": str(folder), "device": "cpu", "torch_dtype": "float32", "seed": 42, **backend}
    settings = Settings(stack=stack, backend=whole, scenario={**SCENARIO})
    record = Record(stack=stack, model=settings.model, device=devices.choose(settings))
    STACKS[stack].run(settings, dataset.load(settings.scenario), "cpu", record)
    record.scenario = settings.effective_scenario()
    record.write()
    return json.loads(Path("run_record.json").read_text())


asked_for = []


def get(url, *_, **__):
    """Nobody answers."""
    asked_for.append(url)
    raise requests.ConnectionError(url)


requests.get = get
real, processes = GenerationMixin.generate, set()


def generate(self, *arguments, **keywords):
    """The answer, by a process that is kept in mind."""
    processes.add(os.getpid())
    return real(self, *arguments, **keywords)


GenerationMixin.generate = generate
own, mark = model("own code"), WORK / "the code ran"
(own / "own.py").write_text(
    "from transformers import LlamaConfig, LlamaForCausalLM\n"
    f"open({str(mark)!r}, 'w').close()\n"
    "class Own(LlamaConfig):\n    model_type = 'own'\n"
    "class Model(LlamaForCausalLM):\n    config_class = Own\n"
)
config = json.loads((own / "config.json").read_text())
config |= {
    "model_type": "own",
    "architectures": ["Model"],
    "auto_map": {"AutoConfig": "own.Own", "AutoModelForCausalLM": "own.Model"},
}
(own / "config.json").write_text(json.dumps(config))

for stack in STACKS:
    # The number type is the one that was asked for, not that of the weights.
    for name in ["float32", "bfloat16"]:
        record = ran(stack, model("plain"), torch_dtype=name)
        assert record["dtype"] == name, (stack, record)
        assert record["completion_tokens"] == 20, (stack, record)
        # The settings as they were in force, for those who judge the logs.
        told = record["scenario"]
        lengths = {"min_new_tokens": 10, "max_new_tokens": 10}
        choice = {"do_sample": False, "num_beams": 1, "repetition_penalty": 1.0}
        assert {**lengths, **choice}.items() <= told["generate_kwargs"].items(), told
        rest = {key: told[key] for key in SCENARIO if key != "generate_kwargs"}
        assert rest == {key: SCENARIO[key] for key in rest}, told
        assert (record["prompt_format"], record["prompts_cut"]) == ("plain text", 0), record
    assert "needs code of its own" in raised(UserError, ran, stack, own)
    assert not mark.exists(), stack
# The model computes in the measured process, and nobody was asked where that is.
assert processes == {os.getpid()} and asked_for == [], (processes, asked_for)
assert ran("pytorch", own, model_kwargs={"trust_remote_code": True})["completion_tokens"] == 20
assert mark.exists()
