"""A Hub on this machine with a few small repos, for clients that are to write a cache.

Prints its address and what it serves as one JSON line. Then each line on stdin is an order, and is
answered by one JSON line:

- `fetched`: how often each blob was sent since the last such order, by etag;
- `move`: `main` of every model moves on to the next commit;
- `hold`: from now on large files stop in their middle;
- `held`: answers as soon as one has stopped;
- `go on`: those that stopped go on, and none stops any more.

It ends when stdin does. Only the standard library is used.
"""

import hashlib
import json
import random
import re
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

# Of a file that can be held: clients write 10 MiB at a time, and some of it must reach the disk.
LARGE = 16 << 20
STOPS_AT = 12 << 20


def small(text):
    """A file as the Hub keeps it in git: its etag is git's id of it."""
    data = text.encode()
    etag = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
    return {"data": data, "etag": etag, "entry": {"oid": etag, "size": len(data)}}


def large(seed, size):
    """A file as the Hub keeps it beside git: its etag is the SHA-256 of it."""
    data = random.Random(seed).randbytes(size)
    etag = hashlib.sha256(data).hexdigest()
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{etag}\nsize {size}\n"
    lfs = {"oid": etag, "size": size, "pointerSize": len(pointer)}
    return {"data": data, "etag": etag, "entry": {**small(pointer)["entry"], "size": size, "lfs": lfs}}


def commit(name):
    return hashlib.sha1(name.encode()).hexdigest()


class Repo:
    """A repo: its commits' files, and its refs."""

    def __init__(self, kind, name, commits, pull_request=None):
        self.commits = {commit(f"{name} {number}"): files for number, files in enumerate(commits)}
        self.order = list(self.commits)
        self.kind, self.name, self.refs = kind, name, {"main": self.order[0]}
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


WEIGHTS = large("weights", 300_000)
README = small("# A model\n")
FIRST = {"config.json": small('{"model_type": "first"}\n'), "README.md": README, "empty.txt": small(""),
         "nested/part one/notes.txt": small("notes\n"), "model.safetensors": WEIGHTS}
SECOND = {**FIRST, "config.json": small('{"model_type": "second"}\n')}
REPOS = [
    Repo("models", "org/whole", [FIRST, SECOND], pull_request=1),
    Repo("models", "org/twin", [{"config.json": small('{"model_type": "twin"}\n'), "model.safetensors": WEIGHTS}]),
    Repo("models", "alone", [{"config.json": small('{"model_type": "alone"}\n'), "README.md": README}]),
    Repo("models", "org/large", [{"config.json": small('{"model_type": "large"}\n'), "model.safetensors": large("large", LARGE)}]),
    Repo("datasets", "org/lines", [{"README.md": small("# Lines\n"), "data/train.parquet": large("train", 50_000)}]),
]
FILES = {file["etag"]: file for repo in REPOS for files in repo.commits.values() for file in files.values()}


class State:
    """What orders and requests share."""

    def __init__(self):
        self.changed = threading.Condition()
        self.fetched, self.holds, self.held = {}, False, False

    def count(self, etag):
        with self.changed:
            self.fetched[etag] = self.fetched.get(etag, 0) + 1

    def wait_in_the_middle(self):
        with self.changed:
            if self.holds:
                self.held = True
                self.changed.notify_all()
                self.changed.wait_for(lambda: not self.holds)

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
            elif order == "go on":
                self.holds = False
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
        path = urlsplit(self.path).path
        if path.startswith("/cdn/"):
            self.send_blob(FILES[path.removeprefix("/cdn/")])
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
        self.answer(200, json.dumps(found).encode(), {"Content-Type": "application/json"})

    def file(self, dataset, name, revision, path):
        repo = find("datasets" if dataset else "models", name)
        sha = repo and repo.resolve(unquote(revision))
        if repo is None or sha is None:
            return self.missing("RevisionNotFound" if repo else "RepoNotFound")
        file = repo.commits[sha].get(unquote(path))
        if file is None:
            return self.missing("EntryNotFound", {"X-Repo-Commit": sha})
        if "lfs" not in file["entry"]:
            return self.send_blob(file, {"X-Repo-Commit": sha})
        # By another name: what a client's own Hub sends on to itself, newer clients ask, too.
        host = f"http://localhost:{self.server.server_port}"
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
        STATE.count(file["etag"])
        self.answer(status, data[:STOPS_AT], {**headers, "Content-Length": len(data)})
        if len(data) > STOPS_AT:
            self.wfile.flush()
            STATE.wait_in_the_middle()
            try:
                self.wfile.write(data[STOPS_AT:])
            except OSError:
                self.close_connection = True  # the client was killed


def main():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    repos = {repo.name: {"commits": repo.order, "files": [{path: file["etag"] for path, file in files.items()}
                                                           for files in repo.commits.values()]} for repo in REPOS}
    print(json.dumps({"endpoint": f"http://127.0.0.1:{server.server_port}", "repos": repos}), flush=True)
    for line in sys.stdin:
        print(json.dumps(STATE.obey(line.strip())), flush=True)


if __name__ == "__main__":
    main()
