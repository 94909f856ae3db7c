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

from . import devices, ending, energy, model, weights
from .reader import Reader, Unreadable
from .record import digest, whole
from .refusal import Refusal, named

TASK = "text-generation"


class Seen:
    """What the counting subclasses see of the run at hand: the stack makes their instances."""

    settings = None
    record = None
    answers = None
    reader = None
    # How the model's weights are quantised.
    method = None
    # The tokens of the first prompt that has any.
    first = None


class CountingBackend(PyTorchBackend):
    """The stack's backend, which also counts what the measured passes did."""

    measuring = False
    prefills = 0

    def load(self):
        with model.explained(Seen.settings, model.no_weights):
            super().load()
        record, loaded = Seen.record, self.pretrained_model
        weights.note_unpacked(Seen.method, loaded, record)
        ending.plain(loaded)
        if not self.config.no_weights:
            weights.check_numbers(loaded, Seen.settings)
        padding = Seen.reader.tokenizer.pad_token_id
        weights.check_answer(loaded, Seen.settings, Seen.first, padding)
        record.dtype = str(loaded.dtype).removeprefix("torch.")
        idle = devices.without_weights(loaded, len(record.gpus_counted))
        if idle:
            record.note(
                f"{idle} of {len(record.gpus_counted)} GPUs hold no part of the model, and their energy"
                " counts; choose GPUs with `backend.device_ids=`"
            )

    @property
    def is_quantized(self):
        """The stack's own forgets what the arguments say about it."""
        return super().is_quantized or bool(self.config.quantization_config)

    def load_transformers_model_from_pretrained(self):
        """As the stack does, and tells which weights are missing."""
        self.pretrained_model, found = self.automodel_loader.from_pretrained(
            self.config.model,
            output_loading_info=True,
            **self.config.model_kwargs,
            **self.automodel_kwargs,
        )
        model.note_random(Seen.record, found["missing_keys"])
        model.note_unused(Seen.record, found["unexpected_keys"])
        if self.config.device_map is None and self.config.device != "cpu":
            self.pretrained_model = self.pretrained_model.to(self.config.device)

    def prefill(self, inputs, kwargs):
        """The first measured pass: everything before it was warm-up."""
        self.measuring = True
        began = time.perf_counter()
        output = super().prefill(inputs, kwargs)
        self.prefills += 1
        seconds = time.perf_counter() - began
        mean = Seen.record.first_token_seconds or 0.0
        Seen.record.first_token_seconds = mean + (seconds - mean) / self.prefills
        return output

    def generate(self, inputs, kwargs):
        """The second measured pass, which the answers are of."""
        if self.measuring and not Seen.record.prompts_answered:
            # Samples are those of the other stack, whatever ran before.
            self.seed()
        began = time.perf_counter()
        output = super().generate(inputs, kwargs)
        if self.measuring:
            record, width = Seen.record, inputs["input_ids"].shape[1]
            record.seconds += time.perf_counter() - began
            record.prompt_tokens += int(inputs["attention_mask"].sum())
            for answer in output[:, width:].tolist():
                answer = model.up_to_end(answer, self.pretrained_model.generation_config.eos_token_id)
                record.prompts_answered += 1
                record.completion_tokens += len(answer)
                Seen.answers.update(repr(answer).encode())
        return output


class CountingScenario(energy_star.EnergyStarScenario):
    """The stack's scenario, which also tells what its tracker measured with, and when."""

    # What the total is the energy of. The stack's decode is its second pass less the first one, so
    # that prefill and decode sum up to the second pass alone, which reads the prompts again.
    COUNTED = {"preprocess_dataset": "preprocess", "generate": "prompts"}
    # Another phase that has an energy of its own in the summary.
    TOLD = {**COUNTED, "prefill": "prefill"}

    @contextmanager
    def track(self, task_name):
        with super().track(task_name):
            began = time.monotonic()
            yield
            if self.backend.config.device == "cuda":
                torch.cuda.synchronize()
            if task_name in self.COUNTED:
                Seen.record.phase(self.COUNTED[task_name], began)
            ended = time.monotonic()
        if task_name in self.TOLD:
            tracker = self.energy_tracker.emission_tracker
            self.tracked.append(energy.Tracked.of(self.TOLD[task_name], began, ended, tracker))

    def run(self, backend):
        energy.ask_nobody_where_we_are()
        self.tracked = []
        report = super().run(backend)
        counted = [phase for phase in self.tracked if phase.name in self.COUNTED.values()]
        Seen.record.tracked = energy.seconds(counted)
        Seen.record.note(energy.waiting(self.tracked))
        Seen.record.energy = energy.sources(self.energy_tracker.emission_tracker)
        return report


def run(settings, prompts, device, record):
    """Runs the benchmark in the working directory, where its report is left."""
    # It says that it is for debugging only; measured, it is the better one (see below).
    getLogger("inline").setLevel(ERROR)
    configuration = model.config(settings)
    record.revision = model.commit(configuration)
    Seen.method = weights.check_files(settings, configuration, record)
    ending.settle(settings, configuration, record)
    record.gpus_counted = devices.counted(settings) if device == "cuda" else []
    Seen.settings, Seen.record, Seen.answers = settings, record, digest()
    reader = Seen.reader = Reader(model.tokenizer(settings), configuration, settings)
    record.prompt_format = reader.format
    for note in reader.notes():
        record.note(note)

    # The scenario reads its dataset by this name, and prepares it by this table: both stacks get
    # the same prompts, and the same tokens of them.
    energy_star.load_dataset = lambda *_, **__: Dataset.from_dict({"text": prompts.texts})
    TASKS_TO_PREPROCESSORS[TASK] = _prepare

    config = BenchmarkConfig(
        name="text_generation",
        backend=_backend(settings, device, configuration),
        scenario=_scenario(settings, prompts),
        # The process launcher's parent spins while the model runs, and takes a core from it.
        launcher=InlineConfig(),
    )
    try:
        report = Benchmark.launch(config)
    except Refusal:
        raise
    except Exception as error:
        raise Refusal(f"the `{settings.stack}` backend gave up: {named(error)}") from error
    record.cut(*reader.cut(prompts.texts), reader.limit)
    # Only now: prompts that cannot be read are no samples.
    _save(config.save_json, "benchmark_config.json")
    _save(report.save_json, "benchmark_report.json")
    _save(report.save_markdown, "benchmark_report.md")
    _save(report.save_text, "benchmark_report.txt")
    _save(Benchmark(config=config, report=report).save_json, "benchmark.json")
    record.finish(Seen.answers)


def _save(save, name):
    with whole(name) as path:
        save(path)


def _backend(settings, device, configuration):
    ids = settings.device_ids
    made = PyTorchConfig(
        model=settings.model,
        # Left out, these three are asked of the Hub, which a run without a network cannot.
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
        **settings.stack_only(),
    )
    made._target_ = f"{__name__}.{CountingBackend.__name__}"
    return made


def _scenario(settings, prompts):
    scenario, length = settings.scenario, settings.max_new_tokens
    keywords = settings.generate_kwargs()
    made = EnergyStarConfig(
        dataset_name=scenario["dataset_name"],
        dataset_config=scenario.get("dataset_config") or "",
        dataset_split=scenario["dataset_split"],
        # More than there are would end in an IndexError.
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
    # Only now: the stack insists on answers of one length, which a reasoning model does not give.
    made.generate_kwargs = {"pad_token_id": Seen.reader.tokenizer.pad_token_id, **keywords}
    made._target_ = f"{__name__}.{CountingScenario.__name__}"
    return made


def _prepare(dataset, scenario_config, **_):
    tokens = []
    for number, text in enumerate(dataset["text"], 1):
        try:
            tokens.append(Seen.reader.read(text))
        except Unreadable as why:
            Seen.record.fail(number, str(why))
    if not tokens:
        raise Refusal(f"none of the {len(dataset)} prompts can be read; why stands above")
    Seen.first, scenario_config.num_samples = tokens[0], len(tokens)
    size = scenario_config.input_shapes["batch_size"]
    padding = {"padding": "longest"} if size > 1 else {"padding": False}
    padded = Seen.reader.tokenizer.pad({"input_ids": tokens}, **padding)
    columns = {"input_ids": padded["input_ids"], "attention_mask": padded["attention_mask"]}
    return Dataset.from_dict(columns).with_format("torch")
