"""Checks the adapter inside an image: datasets, models, answers and energy."""

import bz2
import gzip
import json
import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path

os.environ["HF_HOME"] = "/tmp/hf"
os.environ["HF_HUB_OFFLINE"] = "1"

import pyarrow
import pyarrow.parquet
from adapter import dataset, devices, energy, model, weights
from adapter.context_length import context_length
from adapter.errors import UserError
from adapter.generation_config import trim_after_eos
from adapter.prompt_tokenizer import template_variables
from adapter.record import Record, write_json
from adapter.settings import Settings

TEXTS = ["one", "two", "three"]


def scenario(name, **changes):
    """A scenario with two prompts."""
    plain = {"dataset_name": str(name), "dataset_split": "train", "text_column_name": "text"}
    return {**plain, "num_samples": 2, **changes}


def refused(name, **changes):
    """The error about a dataset."""
    try:
        dataset.load(scenario(name, **changes))
    except UserError as error:
        return str(error)
    raise AssertionError(f"{name} was loaded")


def hub(repo, files):
    """Creates a dataset in the Hub cache."""
    folder = Path("/tmp/hf/hub") / f"datasets--{repo.replace('/', '--')}"
    commit = "0" * 40
    snapshot = folder / "snapshots" / commit
    snapshot.mkdir(parents=True)
    (folder / "refs").mkdir()
    (folder / "refs/main").write_text(commit)
    (folder / "blobs").mkdir()
    for number, (name, text) in enumerate(files.items()):
        (folder / "blobs" / f"{number:064}").write_text(text)
        (snapshot / name).symlink_to(f"../../blobs/{number:064}")


work = Path("/tmp/work")
work.mkdir()
csv = "text,other\n" + "".join(f"{text},x\n" for text in TEXTS)
lines = "".join(json.dumps({"text": text}) + "\n" for text in TEXTS)
(work / "a.csv").write_text(csv)
(work / "a.jsonl").write_text(lines)
(work / "A.JSON").write_text(lines)
pyarrow.parquet.write_table(pyarrow.table({"text": TEXTS}), work / "a.parquet")
(work / "folder").mkdir()
(work / "folder/train.csv").write_text(csv)
hub("org/cached", {"train.csv": csv, "README.md": "# About\n"})
hub("org/unfinished", {"README.md": "# About\n"})

for name in ["a.csv", "a.jsonl", "A.JSON", "a.parquet", "folder"]:
    prompts = dataset.load(scenario(work / name))
    assert prompts.texts == TEXTS[:2] and prompts.available == 3, (name, prompts)
    assert prompts.note() is None
assert dataset.load(scenario("org/cached")).texts == TEXTS[:2]
more = dataset.load(scenario(work / "a.csv", num_samples=9))
assert more.texts == TEXTS and "9 prompts were asked for, the dataset has 3" in more.note()

# Empty prompts are left out and not counted.
(work / "gaps.csv").write_text('text\none\n""\n"  "\ntwo\n')
assert dataset.load(scenario(work / "gaps.csv", num_samples=3)).available == 2

assert "has no column `words`; it has `text`, `other`" in refused(work / "a.csv", text_column_name="words")
assert "no such file or folder" in refused(work / "absent.csv")
assert "no such file or folder" in refused("./absent")
assert "is not in the cache" in refused("org/absent")
assert "is not in the cache" in refused("org/unfinished")
(work / "a.txt").write_text("one")
assert "must end in .csv" in refused(work / "a.txt")
(work / "empty.csv").write_text("text\n")
assert "could not be loaded" in refused(work / "empty.csv")
assert "it has no rows" in refused(work / "empty.csv")
for name in ["empty.jsonl", "nothing.csv"]:
    (work / name).write_text("")
    assert "it has no rows" in refused(work / name), name
assert "it has no rows" in refused(work / "a.csv", dataset_split="train[7:]")
(work / "broken.parquet").write_text("no parquet")
assert "could not be loaded" in refused(work / "broken.parquet")

# A line with more cells than columns has a comma without quotes, which would truncate the prompt. It
# is an error in the first line and in a later one.
for name, rows in {"first": "one, or two\nthree, or four\n", "later": "one\nthree, or four\n"}.items():
    (work / f"{name}.csv").write_text("text\n" + rows)
    assert "has more cells than its first one names columns" in refused(work / f"{name}.csv"), name
(work / "latin.csv").write_bytes("text\ncaf\u00e9\n".encode("latin-1"))
assert "it is not UTF-8" in refused(work / "latin.csv")

# Texts of a CSV file stay unchanged, and a byte order mark is not part of a column's name.
odd = '\ufefftext,other\n"a ""b"",\nc",1\nNA,2\n007,3\n'
(work / "odd.csv").write_text(odd)
(work / "folder of one").mkdir()
(work / "folder of one/x.csv").write_text(odd)
for name in ["odd.csv", "folder of one"]:
    assert dataset.load(scenario(work / name, num_samples=3)).texts == ['a "b",\nc', "NA", "007"], name
# A compressed file is read as a plain one.
for name, write in {"train.csv.gz": gzip.compress, "train.csv.bz2": bz2.compress}.items():
    (work / name.replace(".", "-")).mkdir()
    (work / name.replace(".", "-") / name).write_bytes(write(odd.encode()))
(work / "zip").mkdir()
with zipfile.ZipFile(work / "zip/train.zip", "w") as archive:
    archive.writestr("train.csv", odd)
(work / "card").mkdir()
(work / "card/x.csv").write_text(odd)
(work / "card/README.md").write_text("---\nconfigs:\n- config_name: default\n  data_files: x.csv\n---\n")
for name in ["train-csv-gz", "train-csv-bz2", "zip", "card"]:
    texts = dataset.load(scenario(work / name, num_samples=3)).texts
    assert texts == ['a "b",\nc', "NA", "007"], (name, texts)
(work / "train-csv-gz/b.jsonl").write_text(lines)
assert "several kinds (.csv, .jsonl)" in refused(work / "train-csv-gz")
(work / "numbers.csv").write_text("text\n1\n\n2\n")
assert dataset.load(scenario(work / "numbers.csv")).texts == ["1", "2"]

# Splits, slices and configurations.
(work / "folder/test.csv").write_text("text,other\nlast,x\n")
assert dataset.load(scenario(work / "folder", dataset_split="test")).texts == ["last"]
assert dataset.load(scenario(work / "folder", dataset_split="train[1:]+test")).available == 3
assert dataset.load(scenario(work / "a.csv", dataset_split="train[1:]")).available == 2
assert 'Unknown split "dev"' in refused(work / "folder", dataset_split="dev")
assert "has no configurations" in refused(work / "a.csv", dataset_config="x")
(work / "mixed").mkdir()
(work / "mixed/a.csv").write_text(csv)
(work / "mixed/b.jsonl").write_text(lines)
assert "several kinds (.csv, .jsonl)" in refused(work / "mixed")
for number in range(2):
    # There are more JSON files with metadata than files with rows.
    (work / "folder of one" / f"about{number}.json").write_text('{"license": "mit"}')
    hub(f"org/about{number}", {"x.csv": odd, **{f"{at}.json": '{"text": "no"}' for at in range(number + 1)}})
for name in [work / "folder of one", "org/about0", "org/about1"]:
    assert dataset.load(scenario(name, num_samples=3)).texts == ['a "b",\nc', "NA", "007"], name
(work / "nested.jsonl").write_text('{"text": {"a": 1}}\n')
assert "holds more than text, such as {'a': 1}" in refused(work / "nested.jsonl")
(work / "numbers.jsonl").write_text('{"text": 7}\n')
assert "holds int64, not texts" in refused(work / "numbers.jsonl")
marked = dataset.load(scenario(work / "a.csv", prompt_prefix="/think "))
assert marked.texts == ["/think one", "/think two"], marked
(work / "broken.jsonl").write_text('{"text": "a"}\n{no\n')
assert "JSON parse error" in refused(work / "broken.jsonl")
(work / "closed.csv").write_text(csv)
(work / "closed.csv").chmod(0)
assert "Permission denied" in refused(work / "closed.csv")

# An answer in a batch ends at its end-of-sequence token, without the padding.
assert trim_after_eos([5, 2, 0, 0], 2) == [5, 2]
assert trim_after_eos([5, 9, 9, 9], [2, 9]) == [5, 9]
assert trim_after_eos([5, 0, 0], None) == [5, 0, 0]

# A template uses a parameter only if it reads a variable of exactly that name.
template = (
    "{% if enable_thinking is defined and enable_thinking %}think{% endif %}{% for m in messages %}"
    "{% generation %}effort: {{ m.content }}{% endgeneration %}{% endfor %}"
    "{% set effort_text = reasoning_effort or 'tools' %}{{ {'a': {'b': budget}} }}"
)
assert template_variables(template) == {"enable_thinking", "reasoning_effort", "budget"}


def settings(folder, stack="optimum", batch=1, **backend):
    """Settings of a run with the model in `folder` and the prompts of `a.csv`."""
    backend = {"model": str(folder), "device": "cpu", "torch_dtype": "float32", "seed": 42, **backend}
    asked = {"generate_kwargs": {"min_new_tokens": 2, "max_new_tokens": 12}, "num_samples": 3}
    plain = {"truncation": True, "warmup_runs": 0, "reasoning": False}
    shapes = {"input_shapes": {"batch_size": batch}}
    whole = {**scenario(work / "a.csv"), **plain, **asked, **shapes}
    return {"stack": stack, "backend": backend, "scenario": whole}


def said(do, folder, **backend):
    """The error of `do` about a model."""
    try:
        do(Settings(**settings(folder, **backend)))
    except UserError as error:
        return str(error)
    raise AssertionError(f"{folder} was accepted")


for key, value in [("device_ids", [0]), ("device_map", "balanced"), ("allow_tf32", True)]:
    text = said(devices.choose, "m", **{key: value})
    assert text == f"`backend.{key}` is for GPUs, and the device is the CPU; leave one out", text
assert devices.choose(Settings(**settings("m", device_map="auto", allow_tf32=False))) == "cpu"

# A chat is the prompt, after a system message if there is one.
chat = Settings(**settings("m"))
assert chat.messages("Hi") == [{"role": "user", "content": "Hi"}]
chat.scenario["system_prompt"] = "/no_think"
system = {"role": "system", "content": "/no_think"}
assert chat.messages("Hi") == [system, {"role": "user", "content": "Hi"}]

# Weights that a checkpoint lacks are random, which is noted.
record = Record(stack="optimum", model="m")
weights.note_loading({"missing_keys": set(), "unexpected_keys": []}, record)
weights.note_loading({"missing_keys": {"d", "c", "b", "a"}, "unexpected_keys": []}, record)
lacks = "the checkpoint lacks weights, which are random instead: `a`, `b`, `c` and 1 more"
assert record.notes == [lacks], record.notes


class Multimodal:
    """The configuration of a multimodal model, with a nested one for text."""

    max_position_embeddings = 4096

    def get_text_config(self, decoder):
        return self if decoder else None


assert context_length(Multimodal(), None) == 4096


def configured(name, **config):
    """Creates a folder with only a configuration."""
    (work / name).mkdir()
    (work / name / "config.json").write_text(json.dumps(config))
    return work / name


assert "`hf download org/absent --revision v1`" in said(
    model.load_config, "org/absent", model_kwargs={"revision": "v1"}
)
assert "is an encoder-decoder model (`t5`)" in said(model.load_config, configured("t5", model_type="t5"))
code = {"AutoConfig": "own.Own"}
assert "needs code of its own" in said(model.load_config, configured("own", model_type="own", auto_map=code))
(work / "llama").mkdir()
assert "it has no `config.json`" in said(model.load_config, work / "llama")
(work / "llama/adapter_config.json").write_text('{"base_model_name_or_path": "org/absent"}')
assert "it is an adapter" in said(model.load_config, work / "llama")
bare = configured("bare", model_type="llama")
assert "it has no tokenizer" in said(model.load_tokenizer, bare)
(bare / "tokenizer.json").write_text("{}")
(bare / "tokenizer.json").chmod(0)
assert f"tokenizer.json` is there, and uid {os.getuid()} may not read it" in said(model.load_tokenizer, bare)

# A model with many end-of-sequence tokens, which ends its answers early, gives the same answers with
# both stacks and any batch size.
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

letters = {letter: number for number, letter in enumerate(["<pad>", "<u>", *"abcdefghijklmnopqrstuvwxyz"])}
words = Tokenizer(models.WordLevel(letters, unk_token="<u>"))
words.pre_tokenizer = pre_tokenizers.Split("", "isolated")
torch.manual_seed(0)
tiny = LlamaForCausalLM(
    LlamaConfig(
        vocab_size=len(letters),
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=64,
        initializer_range=1.0,
    )
)
tiny.generation_config.eos_token_id = list(range(2, len(letters), 4))
tiny.save_pretrained(work / "tiny")
PreTrainedTokenizerFast(tokenizer_object=words, pad_token="<pad>").save_pretrained(work / "tiny")


def ran(name, **changes):
    """Runs a tiny model and returns the record."""
    results = work / f"results-{len(list(work.glob('results-*')))}"
    results.mkdir()
    whole = settings(work / name, **changes)
    subprocess.run([sys.executable, "-m", "adapter", "run", json.dumps(whole)], cwd=results, check=True)
    record = json.loads((results / "run_record.json").read_text())
    # The work takes milliseconds, and the tracker's overhead half a second before and after it.
    [short] = [note for note in record["notes"] if note.startswith("too short to measure: ")]
    assert " s of `prompts`" in short, short
    tracked = record["tracked"]
    assert tracked["worked_seconds"] > 0 and tracked["waited_seconds"] >= 1, tracked
    record["notes"].remove(short)
    return record


records = [ran("tiny", stack=stack, batch=batch) for stack, batch in [("optimum", 1), ("optimum", 3), ("pytorch", 1)]]
assert 6 < records[0]["completion_tokens"] < 36, records[0]

# Of the model's own `generation_config.json` only the end-of-sequence tokens count.
tiny.generation_config.update(do_sample=True, temperature=0.5, top_k=3, repetition_penalty=9.0)
tiny.generation_config.no_repeat_ngram_size = 1
tiny.save_pretrained(work / "choosy")
PreTrainedTokenizerFast(tokenizer_object=words, pad_token="<pad>").save_pretrained(work / "choosy")
records += [ran("choosy", stack=stack) for stack in ["optimum", "pytorch"]]
for record in records:
    assert record["answers_sha256"] == records[0]["answers_sha256"], records
    assert record["completion_tokens"] == records[0]["completion_tokens"], records
assert all(record["notes"] == [] for record in records[:3]), records
for record in records[3:]:
    [note] = record["notes"]
    assert note.startswith("not used of the model's `generation_config.json`: `do_sample`, "), note
broken = settings(work / "tiny", stack="pytorch")
broken["scenario"].update(warmup_runs=1, reasoning=True)
template = "{{ raise_exception('no such role') }}"
(work / "tiny/chat_template.jinja").write_text(template)
results = subprocess.run(
    [sys.executable, "-m", "adapter", "run", json.dumps(broken)], cwd=work, capture_output=True, text=True
)
assert "error: the `pytorch` backend gave up: TemplateError: no such role" in results.stderr, results
drawn = Settings(**settings("m"))
drawn.scenario["generate_kwargs"] = {"do_sample": True, "top_p": 0.5}
choice = {"temperature": 1.0, "top_p": 0.5, "top_k": 50, "min_p": None, "repetition_penalty": 1.0}
assert choice.items() <= drawn.generate_kwargs().items(), drawn.generate_kwargs()


# The record has the tracker's start and stop on the monotonic clock, which the host shares.
class Collector:
    """A metrics collector of ai_energy_benchmarks."""

    def __init__(self):
        self.calls = []

    def start(self):
        """Measures when it has started, after whatever time that takes."""
        self.calls.append("start")
        self.began = time.monotonic()

    def stop(self):
        """Has measured when it is told to stop."""
        self.ended = time.monotonic()
        self.calls.append("stop")
        return {"energy_wh": 1}


record, collector = Record(stack="pytorch", model="m"), Collector()
energy.record_tracking(collector, record)
collector.start()
assert collector.stop() == {"energy_wh": 1} and collector.calls == ["start", "stop"]
[phase] = record.phases
assert phase["name"] == "prompts"
assert collector.began <= phase["from"] <= phase["to"] <= collector.ended, phase

# The tracker's overhead is noted only above a tenth of a phase.
TrackedPhase = energy.TrackedPhase


class Tracker:
    """Measured from 1 s before the work until 0.5 s after it."""

    _start_time, _last_measured_time = 9.0, 15.5


assert TrackedPhase.of("prompts", 10.0, 15.0, Tracker()) == TrackedPhase("prompts", 5.0, 1.5)
assert TrackedPhase.of("prompts", 10.0, 15.0, None) == TrackedPhase("prompts", 5.0, 0.0)
assert energy.overhead_note([TrackedPhase("prompts", 15.0, 1.5)]) is None
assert energy.total_seconds([TrackedPhase("preprocess", 1.0, 0.5), TrackedPhase("prompts", 15.0, 1.5)]) == {
    "worked_seconds": 16.0, "waited_seconds": 2.0
}
said_so = energy.overhead_note([TrackedPhase("prefill", 0.04, 1.0), TrackedPhase("prompts", 15.0, 1.0), TrackedPhase("x", 2, 0.5)])
assert said_so == (
    "too short to measure: the tracker's own waiting, which counts, was 1 s at 0.04 s of `prefill`, 0.5 s"
    " at 2 s of `x`; take more samples"
), said_so


class Processor:
    """The attributes of codecarbon's CPU."""

    _mode, _tdp = "cpu_load", 8


source = energy.cpu_source(Processor(), "codecarbon")
assert source["source"] == (
    "8 W x (0.1 + 0.9 x load³), with the load of the whole machine, by codecarbon"
), source

# The adapter replaces a symlink instead of writing to its target.
os.chdir("/tmp")
Path("/tmp/precious").write_text("mine")
os.symlink("precious", "/tmp/written.json")
write_json("written.json", {"a": 1})
assert json.loads(Path("/tmp/written.json").read_text()) == {"a": 1}
assert Path("/tmp/precious").read_text() == "mine" and not Path("/tmp/written.json").is_symlink()
assert list(Path("/tmp").glob(".aienergyscore-new-*")) == []
