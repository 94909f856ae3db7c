"""The prompts of a run: the same ones in the same order, whichever stack answers them."""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import List, Optional

from . import hub
from .refusal import Refusal, named

LOADERS = {".csv": "csv", ".json": "json", ".jsonl": "json", ".parquet": "parquet"}

# A file of several, such as `data/train-00000-of-00002.parquet`.
SHARD = re.compile(r"(?P<set>.*-)[0-9]{5}-of-(?P<count>[0-9]{5})")

# Types of a column of texts. A number or a date would have lost how it was written.
TEXTS = ["string", "large_string", "null"]


@dataclass
class Prompts:
    """The prompts, and how many were asked for."""

    texts: List[str]
    asked: int
    available: int

    def note(self) -> Optional[str]:
        """What a reader of the numbers must know."""
        if len(self.texts) == self.asked:
            return None
        return (
            f"{self.asked} prompts were asked for, the dataset has {self.available}: all of them ran"
        )


def load(scenario):
    """Reads the prompts that `scenario` names. Empty ones are left out, as the stacks do."""
    name = scenario["dataset_name"]
    try:
        rows = _rows(name, scenario)
    except Refusal:
        raise
    except Exception as error:
        raise Refusal(f"`scenario.dataset_name={name}` could not be loaded: {_why(error)}") from error
    from datasets import Value

    column = scenario["text_column_name"]
    if column not in rows.column_names:
        raise Refusal(
            f"the dataset `{name}` has no column `{column}`; it has"
            f" {', '.join(f'`{other}`' for other in rows.column_names)}: choose one with"
            " `scenario.text_column_name=`"
        )
    kind = rows.features[column]
    if not isinstance(kind, Value):
        raise Refusal(
            f"the column `{column}` of the dataset `{name}` holds more than text, such as"
            f" {rows[0][column]!r:.80}; choose another with `scenario.text_column_name=`"
        )
    if kind.dtype not in TEXTS:
        raise Refusal(
            f"the column `{column}` of the dataset `{name}` holds {kind.dtype}, not texts; choose"
            " another with `scenario.text_column_name=`"
        )
    asked = scenario["num_samples"]
    texts = [text for text in rows[column][:] if text is not None and text.strip()]
    if not texts:
        raise Refusal(
            f"the dataset `{name}` has no prompt in its column `{column}`, split"
            f" `{scenario['dataset_split']}`"
        )
    prefix = scenario.get("prompt_prefix") or ""
    return Prompts(
        texts=[prefix + text for text in texts[:asked]], asked=asked, available=len(texts)
    )


def _rows(name, scenario):
    from datasets import disable_progress_bars, load_dataset

    # The bars of a few milliseconds' work; downloads have their own.
    disable_progress_bars()
    config, split = scenario.get("dataset_config"), scenario["dataset_split"]
    column = scenario["text_column_name"]
    path = Path(name)
    if path.is_file():
        loader = LOADERS.get(path.suffix.lower())
        if loader is None:
            raise Refusal(
                f"`scenario.dataset_name={name}`: a file must end in {', '.join(LOADERS)}"
            )
        if config:
            raise Refusal(
                f"`scenario.dataset_config={config}`: the dataset is a file, which has no"
                " configurations; leave it out"
            )
        # A split may also be a slice, such as `train[:10]`; the file is the whole.
        whole = {split.split("[")[0]: str(path)}
        return load_dataset(loader, data_files=whole, split=split, **_words(loader, column))
    if path.is_dir():
        _check_shards(path, name)
        return load_dataset(str(path), config, split=split, **_words(_kind(path), column))
    if name.startswith((".", "/", "~")) or path.suffix.lower() in LOADERS:
        raise Refusal(
            f"`scenario.dataset_name={name}`: no such file or folder; in a container only mounted"
            " ones are seen (the runner mounts a path that is given as `./NAME` or `/NAME`)"
        )
    if not hub.offline():
        return load_dataset(name, config, split=split)
    return _cached(name, config, split, column)


def _cached(name, config, split, column):
    """A dataset of the Hub, from the caches alone: its repository, or what was made of it."""
    from datasets import config as places
    from datasets import load_dataset
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        folder = snapshot_download(name, repo_type="dataset", local_files_only=True)
    except LocalEntryNotFoundError:
        folder = None
    if folder is not None and _data(folder):
        _check_shards(folder, name)
        # With configurations of its own, a repository may have files of other kinds beside.
        kinds = {LOADERS.get(path.suffix.lower()) for path in _data(folder)}
        words = _words(*kinds, column) if len(kinds) == 1 else {}
        return load_dataset(folder, config, split=split, **words)
    # The processed copy is locked while it is read, which a read-only cache does not allow.
    made = name.replace("/", "___")
    source = Path(constants.HF_HOME) / "datasets" / made
    if source.is_dir():
        shutil.copytree(source, Path(places.HF_DATASETS_CACHE) / made, dirs_exist_ok=True)
        return load_dataset(name, config, split=split)
    raise Refusal(
        f"the dataset `{name}` is not in the cache, and the Hub must not be asked (offline); download"
        f" it once with `hf download --repo-type dataset {name}`, or give a file:"
        " `scenario.dataset_name=./prompts.csv`"
    )


def _why(error):
    """The reason of an error, which the library may have wrapped in one that does not tell it."""
    from datasets.exceptions import DatasetGenerationError

    if type(error) is DatasetGenerationError and error.__cause__ is not None:
        error = error.__cause__
    return named(error)


def _words(loader, column):
    """Keywords that leave prompts of a CSV file as they are: not `NA` out, nor `007` a number."""
    return {"converters": {column: str}, "keep_default_na": False} if loader == "csv" else {}


def _kind(folder):
    """What loads the files of a folder. Of several kinds the library would drop all but one."""
    ends = {path.suffix.lower() for path in _data(folder)}
    # A JSON file beside others may be about the dataset.
    kinds = sorted(ends & LOADERS.keys() - {".json"})
    if len(kinds) > 1:
        raise Refusal(
            f"`scenario.dataset_name={folder}`: the folder has files of several kinds"
            f" ({', '.join(kinds)}), and only those of one would be read; give one of the files, or a"
            " folder of one kind"
        )
    return LOADERS.get(*ends) if len(ends) == 1 else None


def _check_shards(folder, name):
    """Refuses shards of which others are missing: their names tell how many there are."""
    names = [str(path.relative_to(folder)) for path in _data(folder)]
    for file in names:
        shard = SHARD.match(file)
        here = sum(other.startswith(shard["set"]) for other in names) if shard else 0
        if shard and here < int(shard["count"]):
            raise Refusal(
                f"`{file}` of the dataset `{name}` is one of {int(shard['count'])} files, and {here} of"
                " them are here; download all of it"
            )


def _data(folder):
    """The files of a folder, and of those in it, that hold rows."""
    found = (path for path in Path(folder).rglob("*") if path.is_file())
    return [path for path in found if LOADERS.keys() & {end.lower() for end in path.suffixes}]
