"""Downloads a model and a dataset from the Hub into the cache, for runs without a network."""

import os
import shutil
import threading
import time
import warnings

from . import file_selection
from .environment import HUB_OFFLINE
from .errors import UserError
from .hub_errors import explain_hub_errors, is_transient, short_reason
from .repository import DownloadError, Repository

MAIN = "main"

# Retries in a row without progress, and seconds before each.
RETRIES = 3
RETRY_DELAY = 2

# Seconds between two lines about the progress.
PROGRESS_INTERVAL = 5


def fetch(settings, environment):
    """Downloads the model and the dataset of these settings, unless they are local paths."""
    if environment.hub_offline:
        raise UserError(f"{HUB_OFFLINE} is set, and a fetch asks the Hub; unset it")
    # The client reads these on import. It would print a line for each of its own retries, and cache
    # chunks, which are read only once, in a folder that is in memory.
    os.environ.setdefault("HF_HUB_VERBOSITY", "error")
    os.environ.setdefault("HF_XET_CHUNK_CACHE_SIZE_BYTES", "0")
    # The client warns about too little disk space, which `_check_space` reports.
    warnings.filterwarnings("ignore", module="huggingface_hub")
    revision = settings.model_kwargs.get("revision") or MAIN
    sources = [("model", settings.model, revision), ("dataset", settings.scenario["dataset_name"], MAIN)]
    repositories = []
    for kind, name, revision in sources:
        if name.startswith(("/", ".", "~")):
            continue
        with explain_hub_errors(kind, name.partition(":")[0], revision):
            repositories.append(_query(kind, name, revision))
    _check_space(repositories)
    for repository in repositories:
        with explain_hub_errors(repository.kind, repository.id, repository.revision):
            _download(repository)


def _query(kind, name, revision):
    """Queries a repository and selects its files."""
    name, _, file = name.partition(":")
    repository = Repository.from_hub(kind, name, revision)
    files = repository.files
    if kind == "dataset":
        repository.selected = file_selection.select_dataset(name, files)
    elif file:
        repository.selected = file_selection.select_gguf(name, file, files)
    else:
        repository.selected = file_selection.select_model(name, files, repository.text)
    return repository


def _check_space(repositories):
    """Fails if the disk of the cache has too little space."""
    from huggingface_hub import constants

    needed = sum(repository.remaining_bytes() for repository in repositories)
    os.makedirs(constants.HF_HUB_CACHE, exist_ok=True)
    free = shutil.disk_usage(constants.HF_HUB_CACHE).free
    if needed > free:
        names = " and ".join(f"`{one.id}`" for one in repositories if one.remaining_bytes())
        raise UserError(
            f"fetching {names} takes {format_size(needed)} more, and the disk of the Hub cache has"
            f" {format_size(free)} free; free some (`aienergyscore cache ls` shows what is there), or name a"
            " cache on another disk in HF_HUB_CACHE"
        )


def _download(repository):
    """Downloads the missing files of a repository, and resumes interrupted downloads."""
    missing, remaining = repository.missing(), repository.remaining_bytes()
    name, count = f"{repository.kind} `{repository.id}`", len(repository.selected)
    if not missing:
        print(f"{name}: all of its {count} files are in the cache")
    else:
        print(f"{name}: fetching {len(missing)} of {count} files, {format_size(remaining)}")
    retries = RETRIES
    with _Progress(repository, remaining):
        while True:
            before = repository.remaining_bytes()
            try:
                repository.download()
                break
            except DownloadError as error:
                retries = RETRIES if repository.remaining_bytes() < before else retries - 1
                if not is_transient(error.__cause__) or not retries:
                    raise
                print(f"`{error}` broke off ({short_reason(error.__cause__)}); taking it up again")
                time.sleep(RETRY_DELAY)
    if missing:
        print(f"{name}: fetched")


class _Progress:
    """Prints the progress of a download at intervals."""

    def __init__(self, repository, total):
        self.repository, self.total = repository, total
        self.done = threading.Event()
        self.thread = threading.Thread(target=self._print, daemon=True)

    def __enter__(self):
        self.thread.start()

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()

    def _print(self):
        began = time.monotonic()
        while self.total and not self.done.wait(PROGRESS_INTERVAL):
            downloaded = self.total - self.repository.remaining_bytes()
            rate = downloaded / (time.monotonic() - began)
            percent = 100 * downloaded // self.total
            left = f", {_format_duration((self.total - downloaded) / rate)} left" if rate else ""
            sizes = f"{format_size(downloaded)} of {format_size(self.total)}"
            print(f"  {sizes} ({percent} %), {format_size(rate)}/s{left}")


def format_size(count):
    """Bytes in decimal units, such as "1.5 GB"."""
    count = float(count)
    for unit in ["B", "kB", "MB", "GB"]:
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 100 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def _format_duration(seconds):
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
