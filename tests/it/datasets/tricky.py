"""Writes tricky datasets to /work, and tells which prompts the adapter takes of them.

One JSON object per line: the arguments, and `texts`, or `refused` with what is said.
"""

import json
import os
import sys
from pathlib import Path

os.environ["HF_HOME"] = "/work/hf"
os.environ["HF_HUB_CACHE"] = "/work/hf/hub"
os.environ["HF_DATASETS_CACHE"] = "/tmp/datasets"
os.environ["HF_HUB_OFFLINE"] = "1"

import pyarrow
import pyarrow.parquet
from adapter import dataset
from adapter.errors import UserError

WORK = Path("/work")
TEXTS = ["plain", 'a "quoted", b', "two\nlines", "\u00e9\u4e2d\U0001f600", " space ", "", "  ", None, "NA", "007", "last"]


def write(name, content):
    """A file, of text or bytes."""
    path = WORK / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def quoted(text):
    """A cell of a CSV file."""
    return "" if text is None else '"' + text.replace('"', '""') + '"'


def parquet(name, texts, **options):
    """A parquet file of texts and numbers."""
    (WORK / name).parent.mkdir(parents=True, exist_ok=True)
    kind = options.pop("kind", pyarrow.string())
    columns = {"id": range(len(texts)), "text": pyarrow.array(texts, kind)}
    pyarrow.parquet.write_table(pyarrow.table(columns), WORK / name, **options)


def hub(repo, files):
    """A repository of datasets in the Hub cache."""
    folder = WORK / "hf/hub" / f"datasets--{repo.replace('/', '--')}"
    commit = "0" * 40
    (folder / "refs").mkdir(parents=True)
    (folder / "refs/main").write_text(commit)
    (folder / "blobs").mkdir()
    for number, (name, content) in enumerate(files.items()):
        (folder / "blobs" / f"{number:064}").write_bytes(content)
        link = folder / "snapshots" / commit / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(os.path.relpath(folder / "blobs" / f"{number:064}", link.parent))


rows = [quoted(text) for text in TEXTS]
csv = "id,text\n" + "".join(f"{number},{cell}\n" for number, cell in enumerate(rows))
write("quotes.csv", csv)
write("mark.csv", b"\xef\xbb\xbf" + csv.replace("\n", "\r\n").encode())
write("lone.csv", "text\none\n\n\"\"\n\"  \"\n   \nwith 'a' \"quote\"\n\"closed\" and more\nlast")
write("short.csv", "a,text,c\n1,one\n2\n3,three,x\n")
write("twice.csv", "text,text\none,two\n")
write("long.csv", "a,text\n1,one\n2,two,three\n")
write("comma.csv", "text\none, or two\nthree, or four\n")
write("nothing.csv", "")
write("nothing.jsonl", "")
write("open.csv", 'text\none\n"two\nthree\n')
write("latin.csv", "text\n\u00e9\n".encode("latin-1"))
write("returns.csv", "text\rone\rtwo\r")
write("separators.csv", "text\n\u00a0\n\u2003\n\x1c\n\u200b\nlast\n")
lines = [json.dumps({"id": number, "text": text}) for number, text in enumerate(TEXTS)]
write("lines.jsonl", "\n".join(lines))
write("gaps.jsonl", "\r\n".join([lines[0], "", '{"id": 9}', *lines[1:], ""]))
write("plain.json", "\n".join(json.dumps({"text": text}, ensure_ascii=False) for text in TEXTS))
write("list.json", json.dumps([{"text": text, "id": 1} for text in TEXTS if text], indent=2))
write("texts.json", json.dumps(["one", "two"]))
write("nested.jsonl", '{"text": {"a": 1}}\n')
write("numbers.jsonl", '{"text": 1}\n{"text": 2}\n')
write("mixed.jsonl", '{"text": "a"}\n{"text": 2}\n')
write("broken.jsonl", '{"text": "a"}\n{no\n')
parquet("snappy.parquet", TEXTS)
parquet("gzip.parquet", TEXTS, compression="gzip")
parquet("zstd.parquet", TEXTS, compression="zstd", row_group_size=3)
parquet("raw.parquet", TEXTS, compression="none", use_dictionary=False, data_page_size=8)
parquet("large.parquet", TEXTS, kind=pyarrow.large_string(), data_page_version="2.0")
parquet("delta.parquet", TEXTS, use_dictionary=False, column_encoding={"text": "DELTA_BYTE_ARRAY"})
parquet("dates.parquet", [1, 2], kind=pyarrow.int32())
parquet("lists.parquet", [["a"], ["b"]], kind=pyarrow.list_(pyarrow.string()))
for name, text in {"train.csv": "a", "test.csv": "b", "other.csv": "c", ".hidden.csv": "d"}.items():
    write(f"named/{name}", f"text\n{text}1\n{text}2\n")
for name in ["b.csv", "a.csv", "a-1.csv", "deep/a.csv"]:
    write(f"unnamed/{name}", f"text\n{name}\n")
for name in ["dev/x.jsonl", "training/x.jsonl", "training-2/x.jsonl"]:
    write(f"folders/{name}", json.dumps({"text": name}))
for shard in ["train-00001-of-00002", "train-00000-of-00002", "held_out-00000-of-00001"]:
    parquet(f"shards/data/{shard}.parquet", [shard])
card = """---
license: mit
dataset_info:
  features:
  - name: id
    dtype: int64
  - name: text
    dtype: string
configs:
- config_name: default
  data_files:
  - split: train
    path: data/train-*
  - split: extra
    path:
    - more/*.parquet
    - data/train-*
- config_name: small
  data_files: more/[a-c]?*.parquet
---
# About
"""
for number in range(2):
    write(f"beside/about{number}.json", '{"text": "about the prompts"}')
write("beside/prompts.csv", "text\nNA\n007\n")
parquet("data.parquet", TEXTS)
data = (WORK / "data.parquet").read_bytes()
repo = {"README.md": card.encode(), "data/train-00000-of-00001.parquet": data, "more/a1.parquet": data}
hub("org/usual", repo)
hub("org/bare", {"README.md": b"# About\n", "test.csv": b"text\nlast\n", "train.csv": b"text\nNA\n"})
hub("org/half", {"data/train-00000-of-00002.parquet": data})
one = card.replace("  - split: extra\n    path:\n    - more/*.parquet\n    - data/train-*\n", "")
one = one.replace("- config_name: small\n  data_files: more/[a-c]?*.parquet\n", "")
hub("org/one", {"README.md": one.encode(), "data/train-00000-of-00001.parquet": data})
hub("org/other", {"README.md": one.encode(), "more/a1.parquet": data})
hub("org/set", {f"data/own-{number:05}-of-00002.csv": f"text\n{number}\n".encode() for number in range(2)})
hub("org/test", {"my-test.csv": b"text\nNA\n", "dataset_infos.json": b"{}"})
hub("single", {"prompts.jsonl": b'{"text": "one"}\n'})

CASES = [
    *({"dataset_name": f"/work/{path.name}"} for path in sorted(WORK.iterdir()) if path.is_file()),
    *({"dataset_name": f"/work/{name}"} for name in ["named", "unnamed", "folders", "shards", "beside"]),
    *({"dataset_name": name} for name in ["org/usual", "org/bare", "single", "org/half", "org/absent"]),
    *({"dataset_name": name} for name in ["org/one", "org/other", "org/set", "org/test"]),
    {"dataset_name": "org/one", "dataset_config": "default"},
    {"dataset_name": "org/one", "dataset_config": "small"},
    {"dataset_name": "org/set", "dataset_split": "own"},
    {"dataset_name": "org/test", "dataset_split": "test"},
    {"dataset_name": "/work/hf/hub/datasets--org--one/snapshots/" + "0" * 40},
    {"dataset_name": "org/usual", "dataset_config": "small"},
    {"dataset_name": "org/usual", "dataset_config": "none"},
    {"dataset_name": "org/usual", "dataset_split": "train[2:4]"},
    {"dataset_name": "org/usual", "dataset_split": "extra"},
    {"dataset_name": "org/bare", "dataset_split": "test+train"},
    {"dataset_name": "/work/named", "dataset_split": "test"},
    {"dataset_name": "/work/named", "dataset_split": "train[1:]+test[:50%]"},
    {"dataset_name": "/work/named", "dataset_split": "dev"},
    {"dataset_name": "/work/folders", "dataset_split": "validation"},
    {"dataset_name": "/work/shards", "dataset_split": "held_out"},
    {"dataset_name": "/work/quotes.csv", "dataset_split": "train[:-9]"},
    {"dataset_name": "/work/quotes.csv", "text_column_name": "none"},
    {"dataset_name": "/work/quotes.csv", "num_samples": 2},
    {"dataset_name": "/work/quotes.csv", "prompt_prefix": "<think> "},
]
for case in CASES:
    plain = {"dataset_split": "train", "text_column_name": "text", "num_samples": 100}
    try:
        prompts = dataset.load({**plain, **case})
        outcome = {"texts": prompts.texts, "available": prompts.available}
    except UserError as error:
        outcome = {"refused": str(error)}
    print(json.dumps({"case": case, **outcome}))
    sys.stdout.flush()
