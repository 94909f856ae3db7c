"""Checks of the adapter inside an image; an assertion that fails is the exit code."""

import json
import os
from pathlib import Path

os.environ["HF_HOME"] = "/tmp/hf"
os.environ["HF_HUB_OFFLINE"] = "1"

import pyarrow
import pyarrow.parquet
from adapter import dataset
from adapter.refusal import Refusal

TEXTS = ["one", "two", "three"]


def scenario(name, **changes):
    """A scenario that asks for two prompts."""
    plain = {"dataset_name": str(name), "dataset_split": "train", "text_column_name": "text"}
    return {**plain, "num_samples": 2, **changes}


def refused(name, **changes):
    """What is said about a dataset that cannot be."""
    try:
        dataset.load(scenario(name, **changes))
    except Refusal as refusal:
        return str(refusal)
    raise AssertionError(f"{name} was taken")


def hub(repo, files):
    """A repository of datasets in the Hub cache."""
    folder = Path("/tmp/hf/hub") / f"datasets--{repo.replace('/', '--')}"
    commit = "0" * 40
    snapshot = folder / "snapshots" / commit
    snapshot.mkdir(parents=True)
    (folder / "refs").mkdir()
    (folder / "refs/main").write_text(commit)
    (folder / "blobs").mkdir()
    for number, (name, text) in enumerate(files.items()):
        (folder / "blobs" / f"{number:064}").write_text(text)
        (snapshot / name).symlink_to(f"../../blobs/{number:064}")


work = Path("/tmp/work")
work.mkdir()
csv = "text,other\n" + "".join(f"{text},x\n" for text in TEXTS)
lines = "".join(json.dumps({"text": text}) + "\n" for text in TEXTS)
(work / "a.csv").write_text(csv)
(work / "a.jsonl").write_text(lines)
(work / "A.JSON").write_text(lines)
pyarrow.parquet.write_table(pyarrow.table({"text": TEXTS}), work / "a.parquet")
(work / "folder").mkdir()
(work / "folder/train.csv").write_text(csv)
hub("org/cached", {"train.csv": csv, "README.md": "# About\n"})
hub("org/unfinished", {"README.md": "# About\n"})

for name in ["a.csv", "a.jsonl", "A.JSON", "a.parquet", "folder"]:
    prompts = dataset.load(scenario(work / name))
    assert prompts.texts == TEXTS[:2] and prompts.available == 3, (name, prompts)
    assert prompts.note() is None
assert dataset.load(scenario("org/cached")).texts == TEXTS[:2]
more = dataset.load(scenario(work / "a.csv", num_samples=9))
assert more.texts == TEXTS and "9 prompts were asked for, the dataset has 3" in more.note()

# Empty prompts are left out, and counted as absent.
(work / "gaps.csv").write_text('text\none\n""\n"  "\ntwo\n')
assert dataset.load(scenario(work / "gaps.csv", num_samples=3)).available == 2

assert "has no column `words`; it has `text`, `other`" in refused(work / "a.csv", text_column_name="words")
assert "no such file or folder" in refused(work / "absent.csv")
assert "no such file or folder" in refused("./absent")
assert "is not in the cache" in refused("org/absent")
assert "is not in the cache" in refused("org/unfinished")
(work / "a.txt").write_text("one")
assert "must end in .csv" in refused(work / "a.txt")
(work / "empty.csv").write_text("text\n")
assert "could not be loaded" in refused(work / "empty.csv")
(work / "broken.parquet").write_text("no parquet")
assert "could not be loaded" in refused(work / "broken.parquet")
