"""A repository of the Hub at one commit, and how much of it the cache has."""

import errno
import os
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Dict, List

# Files that are fetched at a time.
AT_A_TIME = 4

# Errors of the disk, which another try does not mend.
OF_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS}


class Broken(Exception):
    """A file that could not be fetched, by its name; the cause is the reason."""


@dataclass(frozen=True)
class File:
    """A file as the Hub lists it: its size, and the name that its blob has in the cache."""

    size: int
    blob: str


@dataclass
class Repository:
    """A repository, and the files of it that are wanted."""

    kind: str
    id: str
    revision: str
    commit: str
    files: Dict[str, File]
    wanted: List[str] = field(default_factory=list)

    @classmethod
    def ask(cls, kind, name, revision):
        """Asks the Hub for the commit of a revision and for its files."""
        from huggingface_hub import HfApi
        from huggingface_hub.hf_api import RepoFile

        api = HfApi()
        commit = api.repo_info(name, repo_type=kind, revision=revision).sha
        tree = api.list_repo_tree(name, recursive=True, revision=commit, repo_type=kind)
        files = {
            entry.path: File(entry.size, entry.lfs.sha256 if entry.lfs else entry.blob_id)
            for entry in tree
            if isinstance(entry, RepoFile)
        }
        return cls(kind, name, revision, commit, files)

    @property
    def folder(self):
        """Its folder in the cache."""
        from huggingface_hub import constants
        from huggingface_hub.file_download import repo_folder_name

        return Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=self.id, repo_type=self.kind)

    def missing(self):
        """The wanted files that the cache does not have, the smallest first."""
        snapshot = self.folder / "snapshots" / self.commit
        absent = [name for name in self.wanted if not (snapshot / name).exists()]
        return sorted(absent, key=lambda name: self.files[name].size)

    def to_transfer(self):
        """Bytes of the wanted files that are still to come."""
        blobs = {self.files[name].blob: self.files[name].size for name in self.missing()}
        return sum(max(0, size - self._here(blob)) for blob, size in blobs.items())

    def _here(self, blob):
        """Bytes of a blob that the cache has, whole or begun."""
        for name in [blob, f"{blob}.incomplete"]:
            try:
                found = os.stat(self.folder / "blobs" / name)
            except OSError:
                continue
            # A file may be given its size before its bytes.
            return min(found.st_size, found.st_blocks * 512)
        return 0

    def text(self, name):
        """The text of a file that is small, fetched if need be."""
        return Path(self._fetch(name)).read_text("utf-8", "replace")

    def fetch(self):
        """Fetches what is missing. The revision leads to the commit once all of it is there."""
        first, *others = self.missing() or self.wanted[:1]
        # The Hub says by it whether the repository is open to the user.
        self._fetch(first)
        with ThreadPoolExecutor(AT_A_TIME) as pool:
            waiting = [pool.submit(self._fetch, name) for name in others]
            try:
                for done in as_completed(waiting):
                    done.result()
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
        if self.revision != self.commit:
            self._refer()

    def _fetch(self, name):
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import LocalEntryNotFoundError

        try:
            return hf_hub_download(self.id, name, repo_type=self.kind, revision=self.commit)
        except LocalEntryNotFoundError as error:
            # That the cache does not have it either, for the reason that is its cause.
            raise Broken(name) from error.__cause__ or error
        except Exception as error:
            raise Broken(name) from error

    def _refer(self):
        """Has the cache say what the revision is, as the Hub client writes it."""
        ref = self.folder / "refs" / self.revision
        try:
            if ref.is_file() and ref.read_text() == self.commit:
                return
            ref.parent.mkdir(parents=True, exist_ok=True)
            ref.write_text(self.commit)
        except OSError as error:
            raise Broken(f"refs/{self.revision}") from error
