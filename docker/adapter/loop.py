"""The measured loop of ai_energy_benchmarks, which `pytorch` and `vllm` share."""

from ai_energy_benchmarks.config.parser import (
    BackendConfig,
    BenchmarkConfig,
    MetricsConfig,
    ReporterConfig,
    ScenarioConfig,
)
from ai_energy_benchmarks.runner import BenchmarkRunner

from . import energy
from .record import write_json
from .refusal import Refusal, first_lines


class Loaded:
    """The prompts, for the stack's runner."""

    def __init__(self, texts):
        self.texts = texts

    def load(self, _):
        """The prompts."""
        return self.texts

    def validate(self):
        """They are there."""
        return True


def run(settings, prompts, record, backend):
    """Has `backend` answer the prompts, and leaves the report in the working directory."""
    energy.ask_nobody_where_we_are()
    runner = BenchmarkRunner(_config(settings, record, len(prompts.texts)))
    runner.backend, runner.dataset = backend, Loaded(prompts.texts)
    energy.note_window(runner.metrics_collector, record)
    try:
        result = runner.run()
    except RuntimeError as error:
        # The stack gives up after three failures in a row, and says the last one's reason.
        raise Refusal(f"the `{settings.stack}` backend gave up: {first_lines(error, 3)}") from error
    record.seconds = result["summary"]["total_duration_seconds"]
    record.energy = energy.sources(runner.metrics_collector.tracker)
    record.finish(backend.answers)
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
