"""What was seen of a run, for the summary: the stacks' reports leave most of it out."""

import hashlib
import json
import os
import secrets
import time
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Dict, List, Optional

FILE = "run_record.json"

# Failed prompts of which the notes say why.
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
    """One run. `None` is what could not be told."""

    stack: str
    model: str
    revision: Optional[str] = None
    device: Optional[str] = None
    gpus_counted: List[int] = field(default_factory=list)
    dtype: Optional[str] = None
    threads: Optional[int] = None
    seed: Optional[int] = None
    dataset: Optional[str] = None
    # The arguments under `scenario`, as they were in force.
    scenario: Dict[str, Any] = field(default_factory=dict)
    prompt_format: Optional[str] = None
    prompts_asked: int = 0
    prompts_available: int = 0
    prompts_answered: int = 0
    prompts_failed: int = 0
    prompt_tokens: int = 0
    prompts_cut: Optional[int] = None
    prompt_tokens_cut: Optional[int] = None
    completion_tokens: int = 0
    seconds: float = 0.0
    first_token_seconds: Optional[float] = None
    phases: List[Dict[str, Any]] = field(default_factory=list)
    answers_sha256: Optional[str] = None
    energy: Dict[str, Any] = field(default_factory=dict)
    tracked: Optional[Dict[str, float]] = None
    notes: List[str] = field(default_factory=list)
    versions: Dict[str, str] = field(default_factory=dict)

    def note(self, text):
        """Says, and keeps for the summary, what a reader of the numbers must know."""
        if text:
            print(f"note: {text}")
            self.notes.append(text)

    def fail(self, number, why):
        """Counts a prompt that has no answer; of the first ones the summary says why."""
        self.prompts_failed += 1
        text = f"prompt {number} failed: {why}"
        if self.prompts_failed <= EXPLAINED:
            self.note(text)
        else:
            print(text)

    def cut(self, prompts, tokens, limit):
        """Keeps how many prompts were cut to `limit` tokens, and how many tokens they lost."""
        self.prompts_cut, self.prompt_tokens_cut = prompts, tokens
        if prompts:
            read = self.prompts_answered + self.prompts_failed
            self.note(
                f"{prompts} of {read} prompts were cut to {limit} tokens, which is what the model holds"
                f" beside its answer: {tokens} tokens of them were not read"
            )

    def phase(self, name, began):
        """Keeps that a counted phase ran from `began` until now, as `time.monotonic()` tells it.

        That clock is the host's, too: its meter counts the energy of the same seconds.
        """
        self.phases.append({"name": name, "from": began, "to": time.monotonic()})

    def finish(self, answers):
        """Completes the record with the digest of all answers and the versions at work."""
        self.answers_sha256 = answers.hexdigest()
        for package in PACKAGES:
            try:
                self.versions[package] = version(package)
            except PackageNotFoundError:
                continue

    def write(self):
        """Writes the record to the working directory, whole or not at all."""
        write_json(FILE, asdict(self))


def digest():
    """Takes the tokens of every answer: two runs with one digest wrote the same."""
    return hashlib.sha256()


def write_json(name, value):
    """Writes a JSON file whole or not at all."""
    with whole(name) as path, open(path, "w", encoding="utf-8") as file:
        json.dump(value, file, indent=2)
        file.write("\n")


@contextmanager
def whole(name):
    """A path to write to, whose file becomes `name` when it is whole.

    Others may be able to write to the working directory. The file is new, nobody knows its name
    before, and the path leads to that very file, whatever lies under its name by now.
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
