"""``python -m adapter run SETTINGS``, ``fetch SETTINGS`` and ``convert FILE.gguf FOLDER``."""

import errno
import importlib
import logging
import os
import sys
import tempfile

from .refusal import Refusal
from .settings import Settings

USAGE = 2

# Why a file cannot be written.
FULL_OR_CLOSED = {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS}


def main(arguments):
    """Does what the arguments say; the exit code."""
    match arguments:
        case ["run", text]:
            work = lambda: run(Settings.parse(text))
        case ["fetch", text]:
            from .fetch import fetch

            work = lambda: fetch(Settings.parse(text))
        case ["convert", source, target]:
            from .gguf import convert

            work = lambda: convert(source, target)
        case _:
            print(f"error: {__doc__}", file=sys.stderr)
            return USAGE
    try:
        work()
    except Refusal as refusal:
        print(f"error: {refusal}", file=sys.stderr)
        return 1
    except OSError as error:
        if error.errno not in FULL_OR_CLOSED:
            raise
        places = f"`{os.getcwd()}` and `{tempfile.gettempdir()}`"
        print(f"error: {error}; check the space and the rights in {places}", file=sys.stderr)
        return 1
    return 0


def run(settings):
    """Runs one benchmark in the working directory."""
    served, server = settings.stack == "vllm", None
    if served:
        # Before anything else: without the server all that follows would be in vain.
        from .server import Server

        server = Server.of_environment()
        server.ready(settings.model)
    from . import hub

    unreachable = hub.go_offline_if_out_of_reach()
    if unreachable:
        print(f"note: {unreachable}")
    from . import allowance, dataset, devices
    from .record import Record

    logging.basicConfig(level=logging.WARNING, format="%(name)s: %(message)s")
    for stack in ["backend", "pytorch", "energy-star", "energy", "benchmark"]:
        logging.getLogger(stack).setLevel(logging.INFO)
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
    # Only the stack at work is loaded: each takes seconds.
    benchmark = importlib.import_module(f".{settings.stack}", __package__).run
    benchmark(settings, prompts, server or device, record)
    record.scenario = settings.in_force()
    record.write()
    allowance.check(settings.failed_share, record)


sys.exit(main(sys.argv[1:]))
