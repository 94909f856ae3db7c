"""The runner of ai_energy_benchmarks, which the `pytorch` and `vllm` backends share."""

import time
from dataclasses import dataclass

from ai_energy_benchmarks.config.parser import (
    BackendConfig,
    BenchmarkConfig,
    MetricsConfig,
    ReporterConfig,
    ScenarioConfig,
)
from ai_energy_benchmarks.runner import BenchmarkRunner

from . import energy
from .errors import UserError, first_lines
from .record import write_json


class PromptFailed(Exception):
    """A prompt without an answer. The message is the reason."""


@dataclass
class Answer:
    """The answer to one prompt, and what it cost."""

    text: str
    # Bytes that differ if the answer differs.
    content: bytes
    prompt_tokens: int
    completion_tokens: int
    seconds: float
    # None if the answer came at once.
    first_token_seconds: float | None


class RecordingBackend:
    """Adds every prompt to the record. Subclasses have a `record` and a method `answer(prompt)`."""

    def validate_environment(self):
        """The adapter has checked the environment before."""
        return True

    def health_check(self):
        """The adapter has loaded the model, or reached the server, before."""
        return True

    def run_inference(self, prompt, **_):
        """Answers one prompt. A failure is a result too, and the stack's runner counts it."""
        record, began = self.record, time.perf_counter()
        try:
            answer = self.answer(prompt)
        except PromptFailed as error:
            why = str(error)
            record.fail(record.prompts_answered + record.prompts_failed + 1, why)
            seconds = time.perf_counter() - began
            return {"text": "", "success": False, "error": why, "latency_seconds": seconds}
        record.add_answer(answer.content, answer.completion_tokens, answer.prompt_tokens)
        if answer.first_token_seconds is not None:
            record.add_first_token(answer.first_token_seconds)
        return {
            "text": answer.text,
            "prompt_tokens": answer.prompt_tokens,
            "completion_tokens": answer.completion_tokens,
            "total_tokens": answer.prompt_tokens + answer.completion_tokens,
            "latency_seconds": answer.seconds,
            "time_to_first_token": answer.first_token_seconds,
            "success": True,
            "error": None,
        }


class LoadedDataset:
    """The prompts, in the interface that the stack's runner expects of a dataset."""

    def __init__(self, texts):
        self.texts = texts

    def load(self, _):
        """Returns the prompts."""
        return self.texts

    def validate(self):
        """The prompts have been loaded before."""
        return True


def run(settings, prompts, record, backend):
    """Has `backend` answer the prompts, and writes the report to the working directory."""
    energy.disable_geolocation()
    runner = BenchmarkRunner(_config(settings, record, len(prompts.texts)))
    runner.backend, runner.dataset = backend, LoadedDataset(prompts.texts)
    energy.record_tracking(runner.metrics_collector, record)
    try:
        result = runner.run()
    except RuntimeError as error:
        # The stack gives up after three failures in a row, and repeats the reason of the last one.
        raise UserError(f"the `{settings.stack}` backend gave up: {first_lines(error, 3)}") from error
    record.seconds = result["summary"]["total_duration_seconds"]
    record.energy = energy.sources(runner.metrics_collector.tracker)
    record.finish()
    write_json("benchmark_report.json", result)


def _config(settings, record, samples):
    scenario = settings.scenario
    return BenchmarkConfig(
        name="text_generation",
        backend=BackendConfig(
            type=settings.stack,
            device=record.device,
            device_ids=record.gpus_counted,
            model=settings.model,
            endpoint=settings.endpoint,
        ),
        scenario=ScenarioConfig(
            dataset_name=scenario["dataset_name"],
            text_column_name=scenario["text_column_name"],
            num_samples=samples,
            truncation=scenario.get("truncation", False),
            reasoning=settings.reasoning,
            reasoning_params=scenario.get("reasoning_params") or None,
            generate_kwargs=scenario["generate_kwargs"],
        ),
        metrics=MetricsConfig(project_name="text_generation", output_dir="emissions"),
        reporter=ReporterConfig(output_file="benchmark_results.csv"),
    )
