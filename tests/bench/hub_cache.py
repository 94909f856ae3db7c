#!/usr/bin/env python3
"""Times `aienergyscore cache` beside its peers, in one run: `tests/bench/hub_cache.py PROGRAM`.

usage: tests/bench/hub_cache.py PROGRAM [--hf HF] [--entries N] [--gib G] [--rounds R]

PROGRAM is a release build of `aienergyscore`; HF is the command `hf` of huggingface_hub, left out if
there is none. Caches are made in a temporary folder (TMPDIR), with true digests. Every figure is the
least of R rounds, which take turns, so that a busy moment of the machine meets all of them; what
counts are the ratios. Bytes are in the page cache.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MAKE = Path(__file__).parent.parent / "it/hub_cache/make_hub_cache.py"
FILES = 60
REVISIONS = 3
# Entries of a repo with so many files and revisions: links, blobs, locks, lists, folders.
ENTRIES_OF_REPO = 435
BLOB = 128 << 20


def make(root, repos, revisions, files, blob):
    """A healthy cache."""
    numbers = ["--repos", repos, "--revisions", revisions, "--files", files, "--blob-bytes", blob]
    command = [sys.executable, MAKE, root, *map(str, numbers), "--layout", "classic"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return root


def seconds(commands, environment):
    """How long it takes to run one command after the other."""
    began = time.perf_counter()
    for command in commands:
        subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def race(title, rivals, environment, rounds):
    """Runs the rivals in turn; the least seconds of each, and how they compare with the first."""
    least = {name: float("inf") for name in rivals}
    for _ in range(rounds):
        for name, commands in rivals.items():
            least[name] = min(least[name], seconds(commands, environment))
    first = next(iter(least.values()))
    print(f"\n{title}")
    for name, figure in least.items():
        print(f"  {name:34}{figure * 1000:10.1f} ms{figure / first:10.2f} x")
    return least


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("--hf")
    parser.add_argument("--entries", type=int, default=44_000)
    parser.add_argument("--gib", type=float, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    program = os.path.abspath(asked.program)
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "XDG_CACHE_HOME": f"{folder}/remembered"}
        ours = lambda *words: [[program, "cache", *words]]

        many = make(f"{folder}/many", max(1, asked.entries // ENTRIES_OF_REPO), REVISIONS, FILES, 2000)
        entries = sum(len(folders) + len(files) for _, folders, files in os.walk(many))
        environment["HF_HUB_CACHE"] = many
        rivals = {
            "cache ls": ours("ls"),
            "find -printf": [["find", many, "-printf", "%y %s %T@ %p\\n"]],
            "cache verify --quick": ours("verify", "--quick"),
        }
        if asked.hf:
            rivals["hf cache ls"] = [[asked.hf, "cache", "ls", "--cache-dir", many]]
        race(f"{entries} entries", rivals, environment, asked.rounds)

        large = make(f"{folder}/large", 1, 1, max(2, int(asked.gib * (1 << 30) / BLOB) * 2), BLOB)
        environment["HF_HUB_CACHE"] = large
        blobs = [path for path in Path(large).glob("*/blobs/*") if path.stat().st_size == BLOB]
        size = len(blobs) * BLOB / (1 << 30)
        seconds([["cat", *blobs]], environment)
        least = race(
            f"{size:.2f} GiB in {len(blobs)} blobs, {os.cpu_count()} processors",
            {
                "cache verify --full": ours("verify", "--full"),
                "openssl dgst -sha256": [["openssl", "dgst", "-sha256", *blobs]],
                "sha256sum": [["sha256sum", *blobs]],
            },
            environment,
            asked.rounds,
        )
        again = race("again, unchanged", {"cache verify": ours("verify")}, environment, asked.rounds)
        full, peer = least["cache verify --full"], least["openssl dgst -sha256"]
        figures = {
            "rate beside openssl, per processor": peer / full / (os.cpu_count() or 1),
            "unchanged beside read": full / again["cache verify"],
        }
        print("\n" + json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
