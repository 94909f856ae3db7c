"""A Hub on this machine with a few small repos, for clients that are to write a cache.

Prints its address and what it serves as one JSON line. Then each line on stdin is an order, and is
answered by one JSON line:

- `fetched`: how often each blob was sent since the last such order, by etag;
- `move`: `main` of every model moves on to the next commit;
- `hold`: from now on large files stop in their middle;
- `held`: answers as soon as one has stopped;
- `cut`: from now on large files break off in their middle, and what is asked for next is refused;
- `cut once`: the next large file breaks off in its middle;
- `go on`: those that stopped go on, and none stops or breaks off any more.

`--public` lets other machines in, which containers are; `ID=FOLDER` serves a model from a folder.
It ends when stdin does. Only the standard library is used.
"""

import argparse
import hashlib
import json
import random
import re
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

# Of a file that can be held: clients write 10 MiB at a time, and some of it must reach the disk.
LARGE = 16 << 20
STOPS_AT = 12 << 20


def small(text):
    """A file as the Hub keeps it in git: its etag is git's id of it."""
    data = text.encode()
    etag = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
    return {"data": data, "etag": etag, "entry": {"oid": etag, "size": len(data)}}


def large(seed, size, told=None):
    """A file as the Hub keeps it beside git: its etag is the SHA-256 of it. Its size is told."""
    return beside_git(random.Random(seed).randbytes(size), told)


def weights(seed, size):
    """Weights of a model in safetensors, `size` bytes with their header."""
    count = size - 8 - 128
    header = json.dumps({"w": {"dtype": "U8", "shape": [count], "data_offsets": [0, count]}}).ljust(128)
    data = len(header).to_bytes(8, "little") + header.encode() + random.Random(seed).randbytes(count)
    return beside_git(data)


def beside_git(data, told=None):
    size = told or len(data)
    etag = hashlib.sha256(data).hexdigest()
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{etag}\nsize {size}\n"
    lfs = {"oid": etag, "size": size, "pointerSize": len(pointer)}
    return {"data": data, "etag": etag, "entry": {**small(pointer)["entry"], "size": size, "lfs": lfs}}


def commit(name):
    return hashlib.sha1(name.encode()).hexdigest()


class Repo:
    """A repo: its commits' files, and its refs."""

    def __init__(self, kind, name, commits, pull_request=None, gated=False):
        self.commits = {commit(f"{name} {number}"): files for number, files in enumerate(commits)}
        self.order = list(self.commits)
        self.kind, self.name, self.refs, self.gated = kind, name, {"main": self.order[0]}, gated
        if pull_request is not None:
            self.refs["refs/pr/1"] = self.order[pull_request]

    def resolve(self, revision):
        return revision if revision in self.commits else self.refs.get(revision)

    def info(self, sha):
        siblings = [{"rfilename": path} for path in self.commits[sha]]
        return {"id": self.name, "sha": sha, "siblings": siblings, "tags": [], "private": False,
                "downloads": 0, "likes": 0, "disabled": False, "gated": False}

    def tree(self, sha):
        paths = self.commits[sha]
        folders = {path.rpartition("/")[0] for path in paths} - {""}
        entries = [{"type": "directory", "oid": commit(folder), "size": 0, "path": folder} for folder in sorted(folders)]
        return entries + [{"type": "file", "path": path, **file["entry"]} for path, file in paths.items()]


WEIGHTS = weights("weights", 300_000)
README = small("# A model\n")
FIRST = {"config.json": small('{"model_type": "first"}\n'), "README.md": README, "empty.txt": small(""), "tokenizer.json": small("{}"),
         "nested/part one/notes.txt": small("notes\n"), "model.safetensors": WEIGHTS}
SECOND = {**FIRST, "config.json": small('{"model_type": "second"}\n')}
PARTS = [f"model-0000{number}-of-00002.safetensors" for number in [1, 2]]
INDEX = small(json.dumps({"weight_map": {"a": PARTS[0], "b": PARTS[1]}}))
BESIDE = {"config.json": small('{"model_type": "loads"}\n'), "tokenizer.json": small("{}")}
# What loads, and beside it what no run loads.
LOADS = {**BESIDE, "model.safetensors.index.json": INDEX, PARTS[0]: weights("one", 200_000), PARTS[1]: weights("two", LARGE),
         "README.md": README, "pytorch_model.bin": large("bin", 1000), "original/consolidated.00.pth": large("pth", 1000),
         "pytorch_model.bin.index.json": small("{}"), "onnx/model.onnx": large("onnx", 1000), "tf_model.h5": large("h5", 1000)}
ADAPTER = {"adapter_config.json": small("{}"), "adapter_model.safetensors": large("adapter", 1000)}
PROMPTS = {"README.md": small("# Prompts\n"), "data/train.jsonl": small('{"text": "One."}\n{"text": "Two."}\n'), "page.png": small("-")}
REPOS = [
    Repo("models", "org/whole", [FIRST, SECOND], pull_request=1),
    Repo("models", "org/twin", [{"config.json": small('{"model_type": "twin"}\n'), "model.safetensors": WEIGHTS}]),
    Repo("models", "alone", [{"config.json": small('{"model_type": "alone"}\n'), "README.md": README}]),
    Repo("models", "org/large", [{"config.json": small('{"model_type": "large"}\n'), "model.safetensors": large("large", LARGE)}]),
    Repo("datasets", "org/lines", [{"README.md": small("# Lines\n"), "data/train.parquet": large("train", 50_000)}]),
    Repo("models", "org/loads", [LOADS]),
    Repo("models", "org/gated", [{**BESIDE, "model.safetensors": WEIGHTS}], gated=True),
    Repo("models", "org/endless", [{**BESIDE, "model.safetensors": large("endless", 1000, told=1 << 60)}]),
    Repo("models", "org/liar", [{**BESIDE, "model.safetensors": large("liar", 3_000_000, told=1000)}]),
    Repo("models", "org/adapter", [ADAPTER]),
    Repo("models", "org/gguf", [{"a.Q4.gguf": large("q4", 2000), "a.Q8.gguf": large("q8", 3000)}]),
    Repo("datasets", "EnergyStarAI/text_generation", [PROMPTS]),
]
TOKEN = "hf_good"


class State:
    """What orders and requests share."""

    def __init__(self):
        self.changed = threading.Condition()
        self.fetched, self.holds, self.held, self.cuts, self.refuses = {}, False, False, None, False

    def count(self, etag):
        with self.changed:
            self.fetched[etag] = self.fetched.get(etag, 0) + 1

    def wait_in_the_middle(self):
        with self.changed:
            if self.holds:
                self.held = True
                self.changed.notify_all()
                self.changed.wait_for(lambda: not self.holds)

    def cut(self):
        """Whether this large file breaks off."""
        with self.changed:
            cuts, self.refuses = self.cuts is not None, self.cuts == "cut"
            self.cuts = None
            return cuts

    def obey(self, order):
        with self.changed:
            if order == "fetched":
                fetched, self.fetched = self.fetched, {}
                return fetched
            if order == "move":
                for repo in REPOS:
                    if repo.kind == "models":
                        repo.refs["main"] = repo.order[-1]
            elif order == "hold":
                self.holds, self.held = True, False
            elif order == "held":
                if not self.changed.wait_for(lambda: self.held, timeout=60):
                    raise TimeoutError("nobody asked for a large file")
            elif order in ["cut", "cut once"]:
                self.cuts = order
            elif order == "go on":
                self.holds, self.cuts, self.refuses = False, None, False
                self.changed.notify_all()
            else:
                raise ValueError(order)
            return "done"


STATE = State()
API = re.compile(r"/api/(models|datasets)/(.+?)(?:/(revision|tree)/(.+))?")
FILE = re.compile(r"/(datasets/)?(.+?)/resolve/([^/]+)/(.+)")


def find(kind, name):
    return next((repo for repo in REPOS if (repo.kind, repo.name) == (kind, name)), None)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", headers=None):
        self.send_response(status)
        for name, value in {"Content-Length": len(body), **(headers or {})}.items():
            self.send_header(name, str(value))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def missing(self, code, headers=None):
        self.answer(404, b"{}", {"X-Error-Code": code, "X-Error-Message": code, **(headers or {})})

    def do_GET(self):
        path, query = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
        if path.startswith("/cdn/"):
            etag = path.removeprefix("/cdn/")
            files = (file for repo in REPOS for files in repo.commits.values() for file in files.values())
            self.send_blob(next(file for file in files if file["etag"] == etag))
        elif path in ["/api/models", "/api/datasets"]:
            words, account = (query.get(key, [""])[0].lower() for key in ["search", "author"])
            names = [repo.name for repo in REPOS if path.endswith(repo.kind)]
            found = [name for name in names if words in name.lower() and name.lower().startswith(account)]
            self.send_json([{"id": name} for name in found])
        elif path.endswith("/refs") and (match := API.fullmatch(path.removesuffix("/refs"))):
            repo = find(*match.groups()[:2])
            refs = [{"name": name, "ref": f"refs/heads/{name}", "targetCommit": sha} for name, sha in repo.refs.items()]
            self.send_json({"branches": refs, "tags": [], "converts": []})
        elif match := API.fullmatch(path):
            self.api(*match.groups())
        elif match := FILE.fullmatch(path):
            self.file(*match.groups())
        else:
            self.missing("RepoNotFound")

    do_HEAD = do_GET

    def api(self, kind, name, what, revision):
        repo = find(kind, name)
        sha = repo and repo.resolve(unquote(revision or "main"))
        if repo is None or sha is None:
            return self.missing("RevisionNotFound" if repo else "RepoNotFound")
        found = repo.tree(sha) if what == "tree" else repo.info(sha)
        self.send_json(found)

    def send_json(self, found):
        self.answer(200, json.dumps(found).encode(), {"Content-Type": "application/json"})

    def file(self, dataset, name, revision, path):
        repo = find("datasets" if dataset else "models", name)
        sha = repo and repo.resolve(unquote(revision))
        if repo is None or sha is None:
            return self.missing("RevisionNotFound" if repo else "RepoNotFound")
        if repo.gated and self.headers.get("Authorization") != f"Bearer {TOKEN}":
            status = 403 if "Authorization" in self.headers else 401
            return self.answer(status, b"", {"X-Error-Code": "GatedRepo", "X-Error-Message": "Access is restricted"})
        file = repo.commits[sha].get(unquote(path))
        if file is None:
            return self.missing("EntryNotFound", {"X-Repo-Commit": sha})
        if "lfs" not in file["entry"]:
            return self.send_blob(file, {"X-Repo-Commit": sha})
        # By another name: what a client's own Hub sends on to itself, newer clients ask, too.
        host = f"http://{self.headers['Host'].replace('127.0.0.1', 'localhost')}"
        self.answer(302, b"", {"X-Repo-Commit": sha, "X-Linked-Size": len(file["data"]),
                               "X-Linked-Etag": f'"{file["etag"]}"', "Location": f"{host}/cdn/{file['etag']}"})

    def send_blob(self, file, headers=None):
        headers = {"ETag": f'"{file["etag"]}"', **(headers or {})}
        data, status = file["data"], 200
        # Clients before 1.18 go on where a killed download ended.
        if wanted := re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", "")):
            start, status = int(wanted[1]), 206
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
            data = data[start:]
        if self.command == "HEAD":
            return self.answer(status, data, headers)
        if STATE.refuses:
            return self.answer(503)
        STATE.count(file["etag"])
        self.answer(status, data[:STOPS_AT], {**headers, "Content-Length": len(data)})
        if len(data) > STOPS_AT:
            self.wfile.flush()
            STATE.wait_in_the_middle()
            if STATE.cut():
                self.close_connection = True
                return
            try:
                self.wfile.write(data[STOPS_AT:])
            except OSError:
                self.close_connection = True  # the client was killed


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--public", action="store_true")
    parser.add_argument("served", nargs="*")
    asked = parser.parse_args()
    for name, folder in (one.split("=", 1) for one in asked.served):
        files = {path.name: beside_git(path.read_bytes()) for path in Path(folder).iterdir() if path.is_file()}
        REPOS.append(Repo("models", name, [files]))
    server = ThreadingHTTPServer(("0.0.0.0" if asked.public else "127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    repos = {repo.name: {"commits": repo.order, "files": [{path: file["etag"] for path, file in files.items()}
                                                           for files in repo.commits.values()]} for repo in REPOS}
    print(json.dumps({"endpoint": f"http://127.0.0.1:{server.server_port}", "repos": repos}), flush=True)
    for line in sys.stdin:
        print(json.dumps(STATE.obey(line.strip())), flush=True)


if __name__ == "__main__":
    main()
