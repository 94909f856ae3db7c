"""Brings a model and a dataset of the Hub into the cache: what a run without a network loads."""

import os
import shutil
import threading
import time
import warnings

from . import explain, hub, wanted
from .refusal import Refusal
from .repository import Broken, Repository

MAIN = "main"

# How often a transfer is taken up again that brings nothing more, and seconds before that.
TRIES = 3
PAUSE = 2

# Seconds between two lines about the progress.
EVERY = 5


def fetch(settings):
    """Fetches the model and the dataset that `settings` name; a dataset may be a local file."""
    if hub.offline():
        raise Refusal(f"{hub.OFFLINE} is set, and a fetch asks the Hub; unset it")
    # Read when the client is imported. It tells of each try itself; each chunk is read once, and the
    # folder of the chunks is in memory.
    os.environ.setdefault("HF_HUB_VERBOSITY", "error")
    os.environ.setdefault("HF_XET_CHUNK_CACHE_SIZE_BYTES", "0")
    # That the disk is small is looked at before, and told in our words.
    warnings.filterwarnings("ignore", module="huggingface_hub")
    revision = settings.model_kwargs.get("revision") or MAIN
    asked = [("model", settings.model, revision), ("dataset", settings.scenario["dataset_name"], MAIN)]
    found = []
    for kind, name, revision in asked:
        if name.startswith(("/", ".", "~")):
            continue
        with explain.explained(kind, name.partition(":")[0], revision):
            found.append(_ask(kind, name, revision))
    _check_space(found)
    for repository in found:
        with explain.explained(repository.kind, repository.id, repository.revision):
            _transfer(repository)


def _ask(kind, name, revision):
    """What the Hub has of a repository, and which files of it are wanted."""
    name, _, file = name.partition(":")
    repository = Repository.ask(kind, name, revision)
    files = repository.files
    if kind == "dataset":
        repository.wanted = wanted.of_dataset(name, files)
    elif file:
        repository.wanted = wanted.of_gguf(name, file, files)
    else:
        repository.wanted = wanted.of_model(name, files, repository.text)
    return repository


def _check_space(found):
    """Refuses what the disk of the cache cannot hold."""
    from huggingface_hub import constants

    needed = sum(repository.to_transfer() for repository in found)
    os.makedirs(constants.HF_HUB_CACHE, exist_ok=True)
    free = shutil.disk_usage(constants.HF_HUB_CACHE).free
    if needed > free:
        names = " and ".join(f"`{one.id}`" for one in found if one.to_transfer())
        raise Refusal(
            f"fetching {names} takes {size(needed)} more, and the disk of the Hub cache has"
            f" {size(free)} free; free some (`aienergyscore cache ls` shows what is there), or name a"
            " cache on another disk in HF_HUB_CACHE"
        )


def _transfer(repository):
    """Fetches what is missing of a repository, and takes it up again where the transfer breaks off."""
    missing, to_come = repository.missing(), repository.to_transfer()
    name = f"{repository.kind} `{repository.id}`"
    if not missing:
        print(f"{name}: all of its {len(repository.wanted)} files are in the cache")
    else:
        print(f"{name}: fetching {len(missing)} of {len(repository.wanted)} files, {size(to_come)}")
    tries = TRIES
    with _Progress(repository, to_come):
        while True:
            before = repository.to_transfer()
            try:
                repository.fetch()
                break
            except Broken as broken:
                tries = TRIES if repository.to_transfer() < before else tries - 1
                if not explain.is_passing(broken.__cause__) or not tries:
                    raise
                why = explain.short(broken.__cause__)
                print(f"`{broken}` broke off ({why}); taking it up again")
                time.sleep(PAUSE)
    if missing:
        print(f"{name}: fetched")


class _Progress:
    """Says from time to time how far a transfer is."""

    def __init__(self, repository, to_come):
        self.repository, self.to_come = repository, to_come
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._tell, daemon=True)

    def __enter__(self):
        self.thread.start()

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()

    def _tell(self):
        begun = time.monotonic()
        while self.to_come and not self.over.wait(EVERY):
            done = self.to_come - self.repository.to_transfer()
            rate = done / (time.monotonic() - begun)
            share = 100 * done // self.to_come
            left = f", {_duration((self.to_come - done) / rate)} left" if rate else ""
            print(f"  {size(done)} of {size(self.to_come)} ({share} %), {size(rate)}/s{left}")


def size(count):
    """Bytes as people read them, in decimal units."""
    count = float(count)
    for unit in ["B", "kB", "MB", "GB"]:
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 100 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def _duration(seconds):
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
