"""Loads the prompts of a run: the same ones in the same order for every backend."""

import re
import shutil
import warnings
from dataclasses import dataclass
from pathlib import Path

from . import hub
from .errors import UserError, describe, explain_errors, first_lines, quoted_list

LOADERS = {".csv": "csv", ".json": "json", ".jsonl": "json", ".parquet": "parquet"}

# The name of a shard, such as `data/train-00000-of-00002.parquet`.
SHARD = re.compile(r"(?P<set>.*-)[0-9]{5}-of-(?P<count>[0-9]{5})")

# Column types of texts. A number or a date has lost its spelling.
TEXTS = ["string", "large_string", "null"]

# Messages of `datasets` about a file or a split without rows.
NO_ROWS = [
    "No columns to parse from file",
    "Please pass `features` or at least one example",
    "corresponds to no data",
    "BatchSize must be greater than 0",
]


@dataclass
class Prompts:
    """The prompts of a run."""

    texts: list[str]
    # How many were asked for, and how many the dataset has.
    asked: int
    available: int

    def note(self) -> str | None:
        """A note if the dataset has fewer prompts than were asked for."""
        if len(self.texts) == self.asked:
            return None
        return (
            f"{self.asked} prompts were asked for, the dataset has {self.available}: all of them ran"
        )


def load(scenario):
    """Loads the prompts of a scenario. Empty prompts are left out, as the stacks do."""
    name = scenario["dataset_name"]
    failure = f"`scenario.dataset_name={name}` could not be loaded"
    with explain_errors(failure, _reason):
        _read_csv_unchanged(scenario["text_column_name"])
        with warnings.catch_warnings():
            # pandas drops the last cells of a line that is too long, with only this warning.
            warnings.filterwarnings("error", "Length of header or names")
            rows = _load_rows(name, scenario)
    from datasets import Value

    column = scenario["text_column_name"]
    if column not in rows.column_names:
        raise UserError(
            f"the dataset `{name}` has no column `{column}`; it has"
            f" {quoted_list(rows.column_names)}: choose one with"
            " `scenario.text_column_name=`"
        )
    kind = rows.features[column]
    if not isinstance(kind, Value):
        raise UserError(
            f"the column `{column}` of the dataset `{name}` holds more than text, such as"
            f" {rows[0][column]!r:.80}; choose another with `scenario.text_column_name=`"
        )
    if kind.dtype not in TEXTS:
        raise UserError(
            f"the column `{column}` of the dataset `{name}` holds {kind.dtype}, not texts; choose"
            " another with `scenario.text_column_name=`"
        )
    asked = scenario["num_samples"]
    texts = [text for text in rows[column][:] if text is not None and text.strip()]
    if not texts:
        raise UserError(
            f"the dataset `{name}` has no prompt in its column `{column}`, split"
            f" `{scenario['dataset_split']}`"
        )
    prefix = scenario.get("prompt_prefix") or ""
    return Prompts(
        texts=[prefix + text for text in texts[:asked]], asked=asked, available=len(texts)
    )


def _load_rows(name, scenario):
    from datasets import disable_progress_bars, load_dataset

    # Loading takes milliseconds. Downloads have progress bars of their own.
    disable_progress_bars()
    config, split = scenario.get("dataset_config"), scenario["dataset_split"]
    path = Path(name)
    if path.is_file():
        loader = LOADERS.get(path.suffix.lower())
        if loader is None:
            raise UserError(
                f"`scenario.dataset_name={name}`: a file must end in {', '.join(LOADERS)}"
            )
        if config:
            raise UserError(
                f"`scenario.dataset_config={config}`: the dataset is a file, which has no"
                " configurations; leave it out"
            )
        # The file is the whole split, of which `split` may be a slice, such as `train[:10]`.
        files = {split.split("[")[0]: str(path)}
        return load_dataset(loader, data_files=files, split=split)
    if path.is_dir():
        _check_shards(path, name)
        _check_one_type(path)
        return _load_folder(path, config, split)
    if name.startswith((".", "/", "~")) or path.suffix.lower() in LOADERS:
        raise UserError(
            f"`scenario.dataset_name={name}`: no such file or folder; in a container only mounted"
            " ones are seen (the runner mounts a path that is given as `./NAME` or `/NAME`)"
        )
    if not hub.is_offline():
        return load_dataset(name, config, split=split)
    return _load_cached(name, config, split)


def _load_folder(folder, config, split):
    """Loads a folder as its dataset card says, or all files of its type.

    `datasets` loads only the files of the most frequent type. There may be more JSON files with
    metadata than files with rows.
    """
    from datasets import load_dataset
    from datasets.data_files import DataFilesDict, get_data_patterns

    loader = _loader(folder)
    card = Path(folder) / "README.md"
    described = card.is_file() and "configs:" in card.read_text("utf-8", "replace")
    others = loader != "json" and any(_suffix(path) == ".json" for path in _data_files(folder))
    if loader is None or described or config or not others:
        return load_dataset(str(folder), config, split=split)
    found = DataFilesDict.from_patterns(get_data_patterns(str(folder)), base_path=str(folder))
    kept = {
        name: [file for file in files if LOADERS.get(_suffix(Path(file))) == loader]
        for name, files in found.items()
    }
    files = {name: files for name, files in kept.items() if files}
    return load_dataset(loader, data_files=files, split=split)


def _load_cached(name, config, split):
    """Loads a dataset of the Hub without a network: from the Hub cache, or from that of `datasets`."""
    from datasets import config as datasets_config
    from datasets import load_dataset
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        folder = snapshot_download(name, repo_type="dataset", local_files_only=True)
    except LocalEntryNotFoundError:
        folder = None
    if folder is not None and _data_files(folder):
        _check_shards(folder, name)
        return _load_folder(folder, config, split)
    # `datasets` locks its copy while it reads it, which fails in a read-only cache.
    copy = name.replace("/", "___")
    source = Path(constants.HF_HOME) / "datasets" / copy
    if source.is_dir():
        shutil.copytree(source, Path(datasets_config.HF_DATASETS_CACHE) / copy, dirs_exist_ok=True)
        return load_dataset(name, config, split=split)
    raise UserError(
        f"the dataset `{name}` is not in the cache, and the Hub must not be asked (offline); download"
        f" it once with `hf download --repo-type dataset {name}`, or give a file:"
        " `scenario.dataset_name=./prompts.csv`"
    )


def _reason(error):
    """The reason of an error, which `datasets` may have wrapped in one without it."""
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
    return describe(error)


def _read_csv_unchanged(column):
    """Makes `datasets` read the prompts of CSV files unchanged.

    By default `NA` is a missing value, `007` a number, and the first cell of a line that is too long
    an index, which shifts the others. This replaces the defaults of `datasets`, since a CSV file
    may also be compressed, in an archive, named by a dataset card, or on the Hub.
    """
    from datasets.packaged_modules.csv.csv import CsvConfig

    unchanged = {"converters": {column: str}, "keep_default_na": False, "index_col": False}
    default = CsvConfig.pd_read_csv_kwargs
    CsvConfig.pd_read_csv_kwargs = property(lambda config: {**default.fget(config), **unchanged})


def _suffix(path):
    """The suffix of a data file that says its type, whether it is compressed or not."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    return next((suffix for suffix in reversed(suffixes) if suffix in LOADERS), path.suffix.lower())


def _suffixes(folder):
    """The types of the data files of a folder. JSON files beside others may be metadata."""
    suffixes = {_suffix(path) for path in _data_files(folder)}
    return suffixes - {".json"} or suffixes


def _loader(folder):
    """What loads the data files of a folder, or None if there are several types."""
    loaders = {LOADERS[suffix] for suffix in _suffixes(folder)}
    return loaders.pop() if len(loaders) == 1 else None


def _check_one_type(folder):
    """Fails if there are several types, of which `datasets` would load only one."""
    suffixes = sorted(_suffixes(folder))
    if len(suffixes) > 1:
        raise UserError(
            f"`scenario.dataset_name={folder}`: the folder has files of several kinds"
            f" ({', '.join(suffixes)}), and only those of one would be read; give one of the files, or a"
            " folder of one kind"
        )


def _check_shards(folder, name):
    """Fails if shards are missing, whose names say how many there are."""
    names = [str(path.relative_to(folder)) for path in _data_files(folder)]
    for file in names:
        shard = SHARD.match(file)
        here = sum(other.startswith(shard["set"]) for other in names) if shard else 0
        if shard and here < int(shard["count"]):
            raise UserError(
                f"`{file}` of the dataset `{name}` is one of {int(shard['count'])} files, and {here} of"
                " them are here; download all of it"
            )


def _data_files(folder):
    """The files with rows in a folder and its subfolders."""
    found = (path for path in Path(folder).rglob("*") if path.is_file())
    return [path for path in found if LOADERS.keys() & {suffix.lower() for suffix in path.suffixes}]
