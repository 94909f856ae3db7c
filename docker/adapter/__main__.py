"""``python -m adapter run SETTINGS``, ``fetch SETTINGS`` and ``convert FILE.gguf FOLDER``."""

import importlib
import logging
import os
import sys
import tempfile

from .environment import Environment
from .errors import DISK_ERRORS, UserError
from .settings import Settings

USAGE = 2


def main(arguments):
    """Runs the command of these arguments and returns the exit code."""
    environment = Environment.read(os.environ)
    try:
        match arguments:
            case ["run", text]:
                run(Settings.parse(text, environment.endpoint), environment)
            case ["fetch", text]:
                from .fetch import fetch

                fetch(Settings.parse(text), environment)
            case ["convert", source, target]:
                from .gguf import convert

                convert(source, target)
            case _:
                print(f"error: {__doc__}", file=sys.stderr)
                return USAGE
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        if error.errno not in DISK_ERRORS:
            raise
        places = f"`{os.getcwd()}` and `{tempfile.gettempdir()}`"
        print(f"error: {error}; check the space and the rights in {places}", file=sys.stderr)
        return 1
    return 0


def run(settings, environment):
    """Runs one benchmark in the working directory."""
    served, server = settings.stack == "vllm", None
    if served:
        # An unusable server must not cost the user the loading of the stack and the dataset.
        from .server import Server

        server = Server.from_environment(environment)
        server.wait_until_ready(settings.model)
    from . import hub

    unreachable = hub.go_offline_if_unreachable(environment)
    if unreachable:
        print(f"note: {unreachable}")
    from . import dataset, devices, failure_limit
    from .record import Record

    logging.basicConfig(level=logging.WARNING, format="%(name)s: %(message)s")
    for logger in ["backend", "pytorch", "energy-star", "energy", "benchmark"]:
        logging.getLogger(logger).setLevel(logging.INFO)
    device = "server" if served else devices.choose(settings)
    prompts = dataset.load(settings.scenario)
    record = Record(
        stack=settings.stack,
        model=settings.model,
        device=device,
        threads=None if served else devices.threads(),
        seed=settings.seed,
        dataset=settings.scenario["dataset_name"],
        prompts_asked=prompts.asked,
        prompts_available=prompts.available,
    )
    record.note(prompts.note())
    # Importing a stack takes seconds, so the others are not imported.
    benchmark = importlib.import_module(f".{settings.stack}", __package__).run
    benchmark(settings, prompts, server or device, record)
    record.scenario = settings.effective_scenario()
    record.write()
    failure_limit.check(settings.failed_share, record)


sys.exit(main(sys.argv[1:]))
