"""Facts about a run that the reports of the stacks leave out, for the summary."""

import hashlib
import json
import os
import secrets
import time
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any

FILE = "run_record.json"

# Failed prompts that get a note with the reason.
EXPLAINED = 3

PACKAGES = [
    "optimum-benchmark",
    "ai_energy_benchmarks",
    "codecarbon",
    "torch",
    "transformers",
    "tokenizers",
    "accelerate",
    "datasets",
]


@dataclass
class Record:
    """One run. `None` means unknown."""

    stack: str
    model: str
    revision: str | None = None
    device: str | None = None
    gpus_counted: list[int] = field(default_factory=list)
    dtype: str | None = None
    threads: int | None = None
    seed: int | None = None
    dataset: str | None = None
    # The arguments under `scenario` with all defaults.
    scenario: dict[str, Any] = field(default_factory=dict)
    prompt_format: str | None = None
    prompts_asked: int = 0
    prompts_available: int = 0
    prompts_answered: int = 0
    prompts_failed: int = 0
    prompt_tokens: int = 0
    prompts_cut: int | None = None
    prompt_tokens_cut: int | None = None
    completion_tokens: int = 0
    seconds: float = 0.0
    first_token_seconds: float | None = None
    phases: list[dict[str, Any]] = field(default_factory=list)
    answers_sha256: str | None = None
    energy: dict[str, Any] = field(default_factory=dict)
    tracked: dict[str, float] | None = None
    notes: list[str] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)

    def __post_init__(self):
        # Not fields, so not written to the file.
        self._answers = hashlib.sha256()
        self._first_tokens = 0

    def note(self, text):
        """Prints a caveat about the results, and keeps it for the summary."""
        if text:
            print(f"note: {text}")
            self.notes.append(text)

    def fail(self, number, why):
        """Counts a failed prompt. The summary explains the first few."""
        self.prompts_failed += 1
        text = f"prompt {number} failed: {why}"
        if self.prompts_failed <= EXPLAINED:
            self.note(text)
        else:
            print(text)

    def add_answer(self, content, completion_tokens, prompt_tokens=0):
        """Counts an answer. `content` is the bytes that the checksum of all answers covers."""
        self.prompts_answered += 1
        self.prompt_tokens += prompt_tokens
        self.completion_tokens += completion_tokens
        self._answers.update(content)

    def add_first_token(self, seconds):
        """Updates the mean time to the first token."""
        self._first_tokens += 1
        mean = self.first_token_seconds or 0.0
        self.first_token_seconds = mean + (seconds - mean) / self._first_tokens

    def add_truncated(self, prompts, tokens, limit):
        """Keeps how many prompts were truncated to `limit` tokens, and how many tokens they lost."""
        self.prompts_cut, self.prompt_tokens_cut = prompts, tokens
        if prompts:
            read = self.prompts_answered + self.prompts_failed
            self.note(
                f"{prompts} of {read} prompts were cut to {limit} tokens, which is what the model holds"
                f" beside its answer: {tokens} tokens of them were not read"
            )

    def add_phase(self, name, began):
        """Keeps that a measured phase ran from `began` until now, by `time.monotonic()`.

        The host has the same clock, so its meter can measure the energy of the phase.
        """
        self.phases.append({"name": name, "from": began, "to": time.monotonic()})

    def finish(self):
        """Adds the checksum of all answers and the versions of the packages.

        Two runs with the same checksum gave the same answers.
        """
        self.answers_sha256 = self._answers.hexdigest()
        for package in PACKAGES:
            with suppress(PackageNotFoundError):
                self.versions[package] = version(package)

    def write(self):
        """Writes the record to the working directory atomically."""
        write_json(FILE, asdict(self))


def write_json(name, value):
    """Writes a JSON file atomically."""
    with atomic_write(name) as path, open(path, "w", encoding="utf-8") as file:
        json.dump(value, file, indent=2)
        file.write("\n")


@contextmanager
def atomic_write(name):
    """A path to write to. The file is renamed to `name` once it is complete.

    Other users may be able to write to the working directory. The file is therefore new, has a
    random name, and is opened by its descriptor, whatever replaces its name in the meantime.
    """
    temporary = f".aienergyscore-new-{secrets.token_hex(8)}"
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    file = os.open(temporary, flags, 0o666)
    try:
        yield f"/proc/self/fd/{file}"
        os.fsync(file)
        os.replace(temporary, name)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    finally:
        os.close(file)
