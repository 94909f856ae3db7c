"""What optimum-benchmark does by itself."""

import json
import os
import subprocess
import time
from types import SimpleNamespace

from datasets import Dataset, load_dataset
from optimum_benchmark import Benchmark, BenchmarkConfig, EnergyStarConfig, InlineConfig, PyTorchConfig
from optimum_benchmark.backends.pytorch.backend import PyTorchBackend
from optimum_benchmark.launchers.process.config import ProcessConfig
from optimum_benchmark.launchers.process.launcher import ProcessLauncher
from optimum_benchmark.preprocessors.dataset_preprocessor import text_generation_preprocessing
from rows import WORK, data, model, raised, row
from transformers import AutoTokenizer, MptConfig

CONFIG = """
defaults: [benchmark, {backend: pytorch}, {launcher: inline}, {scenario: energy_star}, _self_]
name: t
backend: {task: text-generation, device: cpu, library: transformers, model_type: llama}
scenario: {text_column_name: text, energy: false, warmup_runs: 0}
"""


class Spied(PyTorchBackend):
    """The stack's backend; what its second pass was given and wrote is kept."""

    calls = []

    def generate(self, inputs, kwargs):
        output = super().generate(inputs, kwargs)
        self.calls.append((inputs["input_ids"].shape[1], kwargs, output.tolist()))
        return output


def run(folder, prompts, samples, energy=False, backend=None, **scenario):
    """The calls of a run, and its report."""
    made = PyTorchConfig(
        **{
            "model": str(folder),
            "library": "transformers",
            "task": "text-generation",
            "model_type": "llama",
            "device": "cpu",
            **(backend or {}),
        }
    )
    made._target_ = f"{Spied.__module__}.{Spied.__name__}"
    asked = EnergyStarConfig(
        dataset_name=str(prompts), num_samples=samples, energy=energy, warmup_runs=0, **scenario
    )
    Spied.calls = []
    report = Benchmark.launch(
        BenchmarkConfig(name="t", backend=made, scenario=asked, launcher=InlineConfig())
    )
    return Spied.calls, report


def cli(name, *overrides, chdir=True, plant=None):
    """The exit code of the program, what it said, its results folder and where it was started."""
    configs, results, started = WORK / "configs", WORK / f"{name} results", WORK / f"{name} started"
    for folder in [configs, results, started]:
        folder.mkdir(exist_ok=True)
    (configs / "t.yaml").write_text(CONFIG)
    if plant:
        (results / "benchmark_report.json").write_text(plant)
    words = ["--config-dir", str(configs), "--config-name", "t", f"hydra.run.dir={results}"]
    words += [f"backend.model={model('plain')}", f"scenario.dataset_name={data('two', ['abc', 'bcd'])}"]
    words += ["hydra.job.chdir=true"] * chdir
    done = subprocess.run(
        ["optimum-benchmark", *words, *overrides], cwd=started, capture_output=True, text=True
    )
    return done.returncode, done.stdout + done.stderr, results, started


@row("exit code 0 when no prompt ran")
def no_prompt_ran():
    code, said, results, _ = cli("none", "scenario.num_samples=-1", "scenario.energy=true")
    assert code == 0, said
    report = json.loads((results / "benchmark_report.json").read_text())
    assert report["decode"]["efficiency"]["value"] <= 0, report


@row("exit code 0 when an old report was left in place")
def old_report():
    code, said, results, _ = cli("old", "scenario.num_samples=2", plant='"of another day"')
    assert code == 0, said
    assert (results / "benchmark_report.json").read_text() == '"of another day"'
    assert not (results / "benchmark.json").exists()


@row("exit code 0 when the report went elsewhere")
def report_elsewhere():
    code, said, results, started = cli("elsewhere", "scenario.num_samples=2", chdir=False)
    assert code == 0, said
    assert not (results / "benchmark_report.json").exists()
    assert (started / "benchmark_report.json").exists()


@row("unknown or unsupported overrides dropped in silence")
def overrides():
    from ai_energy_benchmarks.config.parser import ConfigParser

    odd = ["+backend.nonsense=1", "scenario.max_length=3", "scenario.num_samples=2"]
    code, said, results, _ = cli("odd", *odd)
    assert code == 0 and "nonsense" not in said, said
    (WORK / "odd.yaml").write_text("backend: {type: pytorch, nonsense: 1}\nnonsense: 2\n")
    assert "nonsense" not in repr(ConfigParser.load_config(str(WORK / "odd.yaml")))


@row("`min_new_tokens` ignored (`pytorch`), 100 tokens unless told otherwise")
def hundred_tokens():
    from pytorch_alone import asked

    calls, _ = run(model("plain"), data("two", ["abc", "bcd"]), 2)
    assert [len(output[0]) - width for width, _, output in calls[-2:]] == [100, 100]
    kwargs = calls[-1][1]
    assert (kwargs["min_new_tokens"], kwargs["max_new_tokens"], kwargs["do_sample"]) == (100, 100, False)
    wanted = asked(generate_kwargs={"max_new_tokens": 10, "min_new_tokens": 10})
    assert wanted["max_new_tokens"] == 10 and "min_new_tokens" not in wanted, wanted


@row("limits, penalties, searches and sampling of the model's own `generation_config.json`")
def own_configuration():
    from client_alone import payload
    from pytorch_alone import asked, spied
    from pytorch_alone import run as pytorch

    lengths = {"generate_kwargs": {"max_new_tokens": 30, "min_new_tokens": 30}}
    answers = {}
    for name, generation in {
        "plain": None,
        "max time": {"max_time": 0.000001},
        "penalty": {"repetition_penalty": 9.0},
        "suppressed": {"suppress_tokens": list(range(2, 15))},
    }.items():
        calls, _ = run(model(name, generation=generation), data("one", ["abc"]), 1, **lengths)
        answers[name] = calls[-1][2][0]
    assert len(answers["plain"]) == 33 > len(answers["max time"]), answers
    assert answers["plain"] not in [answers["penalty"], answers["suppressed"]], answers
    # The other stack says as little of it, to the library and to a server.
    silent = {"repetition_penalty", "suppress_tokens", "max_time"}
    assert not silent & set(asked()) and not {*silent, "top_p", "top_k"} & set(payload())
    with spied() as outputs:
        pytorch(model("suppressed"), data("one", ["abc"]), 1, generate_kwargs={"max_new_tokens": 30})
    written = outputs[-1][1][0][3:]
    assert len(written) == 30 and not set(written) & set(range(2, 15)), written


@row("a launcher that keeps one processor busy with waiting")
def busy_launcher():
    ProcessLauncher(ProcessConfig(device_isolation=False)).launch(spins, [])
    share = float((WORK / "share").read_text())
    assert share > 0.5, f"the parent took {share:.2f} of what its child took"


def spins():
    """Keeps a processor busy, and tells how busy its parent kept another meanwhile."""
    import psutil
    from optimum_benchmark.benchmark.report import BenchmarkReport

    parent, own, began = psutil.Process(os.getppid()), psutil.Process(), time.monotonic()
    spent = lambda process: sum(process.cpu_times()[:2])
    before = spent(parent), spent(own)
    while time.monotonic() - began < 5:
        pass
    (WORK / "share").write_text(str((spent(parent) - before[0]) / (spent(own) - before[1])))
    return BenchmarkReport.from_list(targets=["x"])


@row("one thread per processor")
def threads():
    environment = {key: value for key, value in os.environ.items() if not key.startswith("OMP")}
    number = subprocess.check_output(
        ["python", "-c", "import torch; print(torch.get_num_threads())"], env=environment, text=True
    )
    assert int(number) == len(os.sched_getaffinity(0)), number


@row("a dataset that is a file is not found (both)")
def file_as_dataset():
    from ai_energy_benchmarks.datasets.huggingface import HuggingFaceDataset

    file = data("one", ["abc"]) / "train.jsonl"
    assert "find any data file" in raised(FileNotFoundError, run, model("plain"), file, 1)
    said = raised(RuntimeError, HuggingFaceDataset().load, {"name": str(file), "num_samples": 1})
    assert "find any data file" in said, said


@row("more samples than the dataset has: a crash (`optimum`), a wrong count (`pytorch`)")
def too_many_samples():
    from pytorch_alone import run as pytorch

    prompts = data("two", ["abc", "bcd"])
    assert "out of range" in raised(IndexError, run, model("plain"), prompts, 9)
    result, said = pytorch(model("plain"), prompts, 9)
    assert result["config"]["num_samples"] == 9 and result["summary"]["total_prompts"] == 2
    assert "Loaded 9 samples" in said, said


@row("prompts cut in silence, and to 512 tokens")
def cut_prompts():
    tokenizer = AutoTokenizer.from_pretrained(model("plain"))
    for configuration, holds in [(MptConfig(max_seq_len=2048), 512), (SimpleNamespace(max_position_embeddings=80), 80)]:
        rows = text_generation_preprocessing(
            dataset=Dataset.from_dict({"text": ["ab" * 2000]}),
            pretrained_processor=tokenizer,
            scenario_config=EnergyStarConfig(
                dataset_name="x", num_samples=1, generate_kwargs={"max_new_tokens": 10}
            ),
            pretrained_config=configuration,
        )
        assert len(rows[0]["input_ids"]) == holds - 10, len(rows[0]["input_ids"])


@row("a prompt without a token ends the run in an `IndexError`")
def prompt_without_a_token():
    raised(IndexError, run, model("plain"), data("void", ["abc", "!!"]), 2)


@row("weights that are not numbers (NaN) are measured (`optimum`), an unknown quantisation is ignored")
def broken_weights():
    from pytorch_alone import run as pytorch

    prompts, lengths = data("two", ["abc", "bcd"]), {"generate_kwargs": {"max_new_tokens": 4}}
    broken = model("nan", change=lambda loaded: loaded.model.embed_tokens.weight.data.fill_(float("nan")))
    assert [len(output[0]) for _, _, output in run(broken, prompts, 2, **lengths)[0][-2:]] == [7, 7]
    alien = model("alien", quantization_config={"quant_method": "alien-4"})
    assert "Unknown quantization type" in raised(ValueError, run, alien, prompts, 2)
    assert pytorch(alien, prompts, 2)[0]["summary"]["successful_prompts"] == 2


@row("a Hub id that only works with a network")
def hub_id():
    folder = WORK.parent / "hf/hub/models--org--tiny"
    commit = "0" * 40
    (folder / "refs").mkdir(parents=True, exist_ok=True)
    (folder / "refs/main").write_text(commit)
    (folder / "snapshots").mkdir(exist_ok=True)
    if not (folder / "snapshots" / commit).exists():
        (folder / "snapshots" / commit).symlink_to(model("plain"))
    # Its library, type and task are asked of the Hub, though the files are here.
    AutoTokenizer.from_pretrained("org/tiny")
    said = raised(
        Exception, run, "org/tiny", data("one", ["abc"]), 1, backend={"library": None, "model_type": None}
    )
    assert "neither an hf hub repo nor a local directory" in said, said


@row("`NA`, `null` and empty cells of CSV files end the run (`optimum`) or are the prompt `None`")
def csv_cells():
    from ai_energy_benchmarks.datasets.huggingface import HuggingFaceDataset

    def written(name, text):
        folder = WORK / name
        folder.mkdir(exist_ok=True)
        (folder / "train.csv").write_text(text)
        return folder

    prompts = lambda folder: HuggingFaceDataset().load({"name": str(folder)})
    for cell in ["NA", "null", ""]:
        folder = written(f"cell {cell}", f"text,other\nabc,1\n{cell},2\n")
        assert "TextEncodeInput must be" in raised(TypeError, run, model("plain"), folder, 2), cell
        assert prompts(folder) == ["abc", "None"], cell
    folder = written("numbers", "text\n007\n1.50\n")
    assert load_dataset(str(folder), split="train")["text"][:] == [7.0, 1.5]
    assert prompts(folder) == ["7.0", "1.5"]
