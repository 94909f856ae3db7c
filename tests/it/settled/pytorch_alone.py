"""What the runner of ai_energy_benchmarks and codecarbon do by themselves."""

import contextlib
import io
import json
import time

import torch
from ai_energy_benchmarks.config.parser import (
    BackendConfig,
    BenchmarkConfig,
    MetricsConfig,
    ReporterConfig,
    ScenarioConfig,
)
from ai_energy_benchmarks.runner import BenchmarkRunner
from rows import TEMPLATE, WORK, data, model, row
from transformers import GenerationMixin


def run(folder, prompts, samples, metrics=False, **scenario):
    """The result of a run, and what it said."""
    runner = BenchmarkRunner(
        BenchmarkConfig(
            name="t",
            backend=BackendConfig(type="pytorch", device="cpu", device_ids=[], model=str(folder)),
            scenario=ScenarioConfig(dataset_name=str(prompts), num_samples=samples, **scenario),
            metrics=MetricsConfig(enabled=metrics, output_dir=str(WORK / "emissions")),
            reporter=ReporterConfig(output_file=str(WORK / "results.csv")),
        )
    )
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        result = runner.run()
    return result, said.getvalue()


@contextlib.contextmanager
def spied():
    """The keywords and outputs of every answer meanwhile."""
    real, calls = GenerationMixin.generate, []

    def generate(self, *arguments, **keywords):
        output = real(self, *arguments, **keywords)
        calls.append((keywords, output.tolist()))
        return output

    GenerationMixin.generate = generate
    try:
        yield calls
    finally:
        GenerationMixin.generate = real


def asked(**scenario):
    """The keywords that the model gets."""
    with spied() as calls:
        run(model("plain"), data("one", ["abc"]), 1, **scenario)
    return calls[-1][0]


@row("exit code 0 when every prompt failed")
def every_prompt_failed():
    # A token that the model does not know.
    folder = model("foreign", vocabulary={"7": 28})
    result, _ = run(folder, data("sevens", ["7", "a7"]), 2)
    summary = result["summary"]
    assert (summary["successful_prompts"], summary["failed_prompts"]) == (0, 2), summary


@row("no seed, sampling always on")
def sampling():
    from client_alone import payload

    answers = set()
    for seed in range(3):
        # What the stack does not set is what the process happens to have.
        torch.manual_seed(seed)
        with spied() as calls:
            run(model("plain"), data("one", ["abc"]), 1, generate_kwargs={"max_new_tokens": 40})
        keywords, output = calls[-1]
        assert keywords["do_sample"] and keywords["temperature"] == 0.7, keywords
        answers.add(str(output))
    assert len(answers) > 1, answers
    body = payload()
    assert body["temperature"] == 0.7 and "seed" not in body, body


@row("chat template switched on and off by the model's name or path")
def template_by_name():
    lengths = {}
    for name in ["templated", "phi templated"]:
        folder = model(name, template=TEMPLATE)
        result, _ = run(folder, data("one", ["abc"]), 1)
        lengths[name] = result["summary"]["total_prompt_tokens"]
    assert lengths["phi templated"] == 3 < lengths["templated"], lengths


@row("`scenario.reasoning=False` read as true")
def reasoning_as_text():
    # AIEnergyScore's script hands every argument on as the text that it is.
    parameters = {"reasoning_effort": "low"}
    assert asked(reasoning="False", reasoning_params=parameters)["temperature"] == 0.9
    assert asked(reasoning=False, reasoning_params=parameters)["temperature"] == 0.7


@row("half a second of the tracker's own waiting counts at each end of a phase")
def waiting():
    from codecarbon import EmissionsTracker
    from optimum_benchmark.trackers.energy import EnergyTracker

    tracker = EnergyTracker(backend="pytorch", device="cpu")
    began = time.monotonic()
    with tracker.track(task_name="x"):
        pass
    waited = time.monotonic() - began
    assert waited > 0.9, f"{waited:.2f} s: is there a counter on this machine?"
    alone = EmissionsTracker(save_to_file=False, log_level="error")
    alone.start()
    alone.stop()
    assert alone.final_emissions_data.duration > 0.9, alone.final_emissions_data.duration
    assert alone.final_emissions_data.energy_consumed > 0


@row("`backend.torch_dtype` and `device_map` ignored")
def number_type():
    known = BackendConfig.__dataclass_fields__
    assert "torch_dtype" not in known and "device_map" not in known, known
    folder = model("half", change=lambda loaded: loaded.half())
    result, said = run(folder, data("one", ["abc"]), 1)
    assert result["backend_info"]["torch_dtype"] == "auto", result["backend_info"]
    assert result["backend_info"]["device_map"] == "auto", result["backend_info"]
    assert "Model dtype in use: torch.float16" in said, said


@row("code from a model's repository runs unasked")
def code_of_a_model():
    folder, mark = model("own code"), WORK / "the code ran"
    (folder / "own.py").write_text(
        "from transformers import LlamaConfig\n"
        f"open({str(mark)!r}, 'w').close()\n"
        "class Own(LlamaConfig):\n    model_type = 'own'\n"
    )
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "own", "auto_map": {"AutoConfig": "own.Own"}}
    (folder / "config.json").write_text(json.dumps(config))
    with contextlib.suppress(Exception):
        run(folder, data("one", ["abc"]), 1)
    assert mark.exists()


@row("CPU and memory figures that are estimates, and do not say so (both)")
def silent_estimates():
    from optimum_alone import run as optimum

    prompts = data("two", ["abc", "bcd"])
    result, _ = run(model("plain"), prompts, 2, metrics=True)
    _, report = optimum(model("plain"), prompts, 2, energy=True)
    assert result["energy"]["cpu_energy_wh"] > 0 and result["energy"]["ram_energy_wh"] > 0
    assert report.prefill.energy.cpu > 0 and report.prefill.energy.ram > 0
    for told in [json.dumps(result), json.dumps(report.to_dict())]:
        assert "estimat" not in told and "load" not in told.replace("load_", ""), told


@row("services of the internet and of clouds are asked for the machine's location")
def services():
    import requests
    from codecarbon import EmissionsTracker

    real, urls = requests.get, []

    def get(url, *_, **__):
        urls.append(url)
        raise requests.ConnectionError(url)

    requests.get = get
    try:
        # Both stacks leave it to the tracker.
        tracker = EmissionsTracker(save_to_file=False, log_level="critical")
        tracker.start()
        tracker.stop()
    finally:
        requests.get = real
    for service in ["geojs.io", "ip-api.com", "169.254.169.254"]:
        assert any(service in url for url in urls), (service, urls)
