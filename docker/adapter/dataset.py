"""The prompts of a run: the same ones in the same order, whichever stack answers them."""

import re
import shutil
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import List, Optional

from . import hub
from .refusal import Refusal, first_lines, named

LOADERS = {".csv": "csv", ".json": "json", ".jsonl": "json", ".parquet": "parquet"}

# A file of several, such as `data/train-00000-of-00002.parquet`.
SHARD = re.compile(r"(?P<set>.*-)[0-9]{5}-of-(?P<count>[0-9]{5})")

# Types of a column of texts. A number or a date would have lost how it was written.
TEXTS = ["string", "large_string", "null"]

# What the library says of a file or a split without rows: of CSV, JSON and parquet, by turns.
NO_ROWS = [
    "No columns to parse from file",
    "Please pass `features` or at least one example",
    "corresponds to no data",
    "BatchSize must be greater than 0",
]


# How the library reads CSV files, before anything here changed that.
CSV_OF_LIBRARY = {}


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
        _read_csv_as_it_is(scenario["text_column_name"])
        with warnings.catch_warnings():
            # All that it says of a line that is too long, whose last cells it leaves out.
            warnings.filterwarnings("error", "Length of header or names")
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
        return load_dataset(loader, data_files=whole, split=split)
    if path.is_dir():
        _check_shards(path, name)
        return _folder(path, config, split, _kind(path))
    if name.startswith((".", "/", "~")) or path.suffix.lower() in LOADERS:
        raise Refusal(
            f"`scenario.dataset_name={name}`: no such file or folder; in a container only mounted"
            " ones are seen (the runner mounts a path that is given as `./NAME` or `/NAME`)"
        )
    if not hub.offline():
        return load_dataset(name, config, split=split)
    return _cached(name, config, split)


def _folder(folder, config, split, kind):
    """A folder of files of one kind, or as its README says.

    The library loads the kind of which there are most files, and drops the others: of JSON that is
    about a dataset there may be more.
    """
    from datasets import load_dataset
    from datasets.data_files import DataFilesDict, get_data_patterns

    card = Path(folder) / "README.md"
    described = card.is_file() and "configs:" in card.read_text("utf-8", "replace")
    others = kind != "json" and any(_end(path) == ".json" for path in _data(folder))
    if kind is None or described or config or not others:
        return load_dataset(str(folder), config, split=split)
    found = DataFilesDict.from_patterns(get_data_patterns(str(folder)), base_path=str(folder))
    kept = {
        name: [file for file in files if LOADERS.get(_end(Path(file))) == kind]
        for name, files in found.items()
    }
    files = {name: files for name, files in kept.items() if files}
    return load_dataset(kind, data_files=files, split=split)


def _cached(name, config, split):
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
        ends = {_end(path) for path in _data(folder)}
        kinds = {LOADERS.get(end) for end in ends - {".json"} or ends}
        return _folder(folder, config, split, *kinds if len(kinds) == 1 else [None])
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
    text = str(error)
    if "Length of header or names" in text or "Error tokenizing data" in text and "Expected" in text:
        where = re.search(r"line (\d+)", text)
        line = f"its line {where[1]}" if where else "a line of it"
        return f"{line} has more cells than its first one names columns; put texts with commas in quotes"
    if isinstance(error, UnicodeDecodeError):
        return (
            f"it is not UTF-8 ({first_lines(error)}); save it as that, as with `iconv --from-code LATIN1"
            " --to-code UTF-8`"
        )
    if any(words in text for words in NO_ROWS):
        return "it has no rows"
    return named(error)


def _read_csv_as_it_is(column):
    """Leaves prompts of CSV files as they are: not `NA` out, nor `007` a number, and the first cell
    of a line that is too long no name of the line, which would move the others.

    The library's own configuration is changed, so that it holds for every way to a CSV file:
    compressed, in an archive, as a card describes it, or from the Hub.
    """
    from datasets.packaged_modules.csv.csv import CsvConfig

    as_is = {"converters": {column: str}, "keep_default_na": False, "index_col": False}
    of_library = CSV_OF_LIBRARY.setdefault("keywords", CsvConfig.pd_read_csv_kwargs)
    CsvConfig.pd_read_csv_kwargs = property(lambda config: {**of_library.fget(config), **as_is})


def _end(path):
    """What the name of a file of rows ends in, be it compressed."""
    ends = [end.lower() for end in path.suffixes]
    return next((end for end in reversed(ends) if end in LOADERS), path.suffix.lower())


def _kind(folder):
    """What loads the files of a folder. Of several kinds the library would drop all but one."""
    ends = {_end(path) for path in _data(folder)}
    # A JSON file beside others may be about the dataset.
    kinds = sorted(ends & LOADERS.keys() - {".json"})
    if len(kinds) > 1:
        raise Refusal(
            f"`scenario.dataset_name={folder}`: the folder has files of several kinds"
            f" ({', '.join(kinds)}), and only those of one would be read; give one of the files, or a"
            " folder of one kind"
        )
    loaders = {LOADERS.get(end) for end in kinds or ends}
    return loaders.pop() if len(loaders) == 1 else None


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
