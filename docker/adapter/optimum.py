"""The `optimum` backend: optimum-benchmark's energy_star scenario with its PyTorch backend."""

import time
from contextlib import contextmanager
from logging import ERROR, getLogger

import torch
from datasets import Dataset
from optimum_benchmark import (
    Benchmark,
    BenchmarkConfig,
    EnergyStarConfig,
    InlineConfig,
    PyTorchConfig,
)
from optimum_benchmark.backends.pytorch.backend import PyTorchBackend
from optimum_benchmark.preprocessors.dataset_preprocessor import TASKS_TO_PREPROCESSORS
from optimum_benchmark.scenarios.energy_star import scenario as energy_star

from . import devices, energy, generation_config, model, weights
from .errors import UserError, explain_errors
from .model_errors import explain_load_errors
from .model_files import missing_weights
from .prompt_tokenizer import PromptError
from .record import atomic_write

TASK = "text-generation"


class Run:
    """The run that the subclasses below record. The stack creates their instances by itself."""

    settings = None
    record = None
    # A `model.Prepared`.
    prepared = None
    # The tokens of the first prompt that can be tokenized.
    first_prompt = None


class CountingBackend(PyTorchBackend):
    """The stack's backend, which also records the measured passes."""

    measuring = False

    def load(self):
        settings, prepared = Run.settings, Run.prepared
        with explain_load_errors(settings, missing_weights):
            super().load()
        loaded = self.pretrained_model
        model.check_loaded(loaded, settings, prepared.quantization, Run.record)
        pad_token_id = prepared.prompt_tokenizer.tokenizer.pad_token_id
        weights.check_logits(loaded, settings, Run.first_prompt, pad_token_id)

    @property
    def is_quantized(self):
        """The stack ignores the `quantization_config` of the arguments here."""
        return super().is_quantized or bool(self.config.quantization_config)

    def load_transformers_model_from_pretrained(self):
        """Loads the model as the stack does, and notes missing weights."""
        self.pretrained_model, info = self.automodel_loader.from_pretrained(
            self.config.model,
            output_loading_info=True,
            **self.config.model_kwargs,
            **self.automodel_kwargs,
        )
        weights.note_loading(info, Run.record)
        if self.config.device_map is None and self.config.device != "cpu":
            self.pretrained_model = self.pretrained_model.to(self.config.device)

    def prefill(self, inputs, kwargs):
        """The first measured pass. All passes before it are warm-up."""
        self.measuring = True
        began = time.perf_counter()
        output = super().prefill(inputs, kwargs)
        Run.record.add_first_token(time.perf_counter() - began)
        return output

    def generate(self, inputs, kwargs):
        """The second measured pass, which generates the answers."""
        if self.measuring and not Run.record.prompts_answered:
            # With the seed set again, sampling gives the same answers as with `pytorch`.
            self.seed()
        began = time.perf_counter()
        output = super().generate(inputs, kwargs)
        if self.measuring:
            record, width = Run.record, inputs["input_ids"].shape[1]
            record.seconds += time.perf_counter() - began
            record.prompt_tokens += int(inputs["attention_mask"].sum())
            eos_token_id = self.pretrained_model.generation_config.eos_token_id
            for answer in output[:, width:].tolist():
                answer = generation_config.trim_after_eos(answer, eos_token_id)
                record.add_answer(repr(answer).encode(), len(answer))
        return output


class CountingScenario(energy_star.EnergyStarScenario):
    """The stack's scenario, which also records when and how its tracker measured."""

    # Phases whose energy the total contains. The stack subtracts the prefill pass from the generate
    # pass to get decode, so prefill and decode add up to the generate pass.
    COUNTED = {"preprocess_dataset": "preprocess", "generate": "prompts"}
    # The summary shows the energy of one more phase.
    TRACKED = {**COUNTED, "prefill": "prefill"}

    @contextmanager
    def track(self, task_name):
        with super().track(task_name):
            began = time.monotonic()
            yield
            if self.backend.config.device == "cuda":
                torch.cuda.synchronize()
            if task_name in self.COUNTED:
                Run.record.add_phase(self.COUNTED[task_name], began)
            ended = time.monotonic()
        if task_name in self.TRACKED:
            tracker = self.energy_tracker.emission_tracker
            phase = energy.TrackedPhase.of(self.TRACKED[task_name], began, ended, tracker)
            self.tracked.append(phase)

    def run(self, backend):
        energy.disable_geolocation()
        self.tracked = []
        report = super().run(backend)
        counted = [phase for phase in self.tracked if phase.name in self.COUNTED.values()]
        Run.record.tracked = energy.total_seconds(counted)
        Run.record.note(energy.overhead_note(self.tracked))
        Run.record.energy = energy.sources(self.energy_tracker.emission_tracker)
        return report


def run(settings, prompts, device, record):
    """Runs the benchmark in the working directory, and writes its reports there."""
    # The inline launcher warns that it is for debugging only.
    getLogger("inline").setLevel(ERROR)
    Run.settings, Run.record = settings, record
    prepared = Run.prepared = model.prepare(settings, record)
    record.gpus_counted = devices.counted(settings, device)

    # Hooks of the scenario: it gets the same prompts, and the same tokens, as the other stack.
    energy_star.load_dataset = lambda *_, **__: Dataset.from_dict({"text": prompts.texts})
    TASKS_TO_PREPROCESSORS[TASK] = _tokenize

    config = BenchmarkConfig(
        name="text_generation",
        backend=_backend_config(settings, device, prepared.configuration),
        scenario=_scenario_config(settings, prompts),
        # The parent of the process launcher busy-waits, which takes a core from the model.
        launcher=InlineConfig(),
    )
    with explain_errors(f"the `{settings.stack}` backend gave up"):
        report = Benchmark.launch(config)
    prompt_tokenizer = prepared.prompt_tokenizer
    record.add_truncated(*prompt_tokenizer.count_truncated(prompts.texts), prompt_tokenizer.limit)
    # After the run, since it lowers the number of samples by the prompts that failed.
    for save, name in [
        (config.save_json, "benchmark_config.json"),
        (report.save_json, "benchmark_report.json"),
        (report.save_markdown, "benchmark_report.md"),
        (report.save_text, "benchmark_report.txt"),
        (Benchmark(config=config, report=report).save_json, "benchmark.json"),
    ]:
        with atomic_write(name) as path:
            save(path)
    record.finish()


def _backend_config(settings, device, configuration):
    ids = settings.device_ids
    config = PyTorchConfig(
        model=settings.model,
        # Without these three the stack asks the Hub, which fails offline.
        library="transformers",
        task=TASK,
        model_type=configuration.model_type,
        device=device,
        device_ids=None if ids is None else ",".join(map(str, ids)),
        device_map=settings.backend.get("device_map") if device == "cuda" else None,
        torch_dtype=settings.backend["torch_dtype"],
        attn_implementation=settings.backend.get("attn_implementation"),
        seed=settings.seed,
        model_kwargs=settings.model_kwargs,
        processor_kwargs=settings.processor_kwargs,
        **settings.optimum_kwargs(),
    )
    config._target_ = f"{__name__}.{CountingBackend.__name__}"
    return config


def _scenario_config(settings, prompts):
    scenario, length = settings.scenario, settings.max_new_tokens
    keywords = settings.generate_kwargs()
    config = EnergyStarConfig(
        dataset_name=scenario["dataset_name"],
        dataset_config=scenario.get("dataset_config") or "",
        dataset_split=scenario["dataset_split"],
        # The stack raises an IndexError for more than the dataset has.
        num_samples=len(prompts.texts),
        input_shapes={"batch_size": scenario["input_shapes"]["batch_size"]},
        text_column_name=scenario["text_column_name"],
        truncation=scenario["truncation"],
        reasoning=settings.reasoning,
        reasoning_params=scenario.get("reasoning_params", {}),
        energy=True,
        memory=scenario.get("memory", False),
        latency=scenario.get("latency", False),
        warmup_runs=scenario["warmup_runs"],
        generate_kwargs={**keywords, "min_new_tokens": length},
    )
    # The constructor rejects answers of different lengths, which reasoning models give.
    pad_token_id = Run.prepared.prompt_tokenizer.tokenizer.pad_token_id
    config.generate_kwargs = {"pad_token_id": pad_token_id, **keywords}
    config._target_ = f"{__name__}.{CountingScenario.__name__}"
    return config


def _tokenize(dataset, scenario_config, **_):
    prompt_tokenizer, tokens = Run.prepared.prompt_tokenizer, []
    for number, text in enumerate(dataset["text"], 1):
        try:
            tokens.append(prompt_tokenizer.encode(text))
        except PromptError as why:
            Run.record.fail(number, str(why))
    if not tokens:
        raise UserError(f"none of the {len(dataset)} prompts can be read; why stands above")
    Run.first_prompt, scenario_config.num_samples = tokens[0], len(tokens)
    batched = scenario_config.input_shapes["batch_size"] > 1
    padded = prompt_tokenizer.tokenizer.pad({"input_ids": tokens}, padding="longest" if batched else False)
    columns = {"input_ids": padded["input_ids"], "attention_mask": padded["attention_mask"]}
    return Dataset.from_dict(columns).with_format("torch")
