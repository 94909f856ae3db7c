"""A Hub repository at one commit, and which of its files the cache has."""

import os
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

# Files that are downloaded at a time.
MAX_WORKERS = 4


class DownloadError(Exception):
    """A file that could not be downloaded. The message is its name, and the cause is the reason."""


@dataclass(frozen=True)
class File:
    """A file as the Hub lists it: its size, and the name of its blob in the cache."""

    size: int
    blob: str


@dataclass
class Repository:
    """A repository, and the files of it that are selected for download."""

    kind: str
    id: str
    revision: str
    commit: str
    files: dict[str, File]
    selected: list[str] = field(default_factory=list)

    @classmethod
    def from_hub(cls, kind, name, revision):
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
        """The folder of the repository in the cache."""
        from huggingface_hub import constants
        from huggingface_hub.file_download import repo_folder_name

        return Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=self.id, repo_type=self.kind)

    def missing(self):
        """The selected files that are not in the cache, the smallest first."""
        snapshot = self.folder / "snapshots" / self.commit
        missing = [name for name in self.selected if not (snapshot / name).exists()]
        return sorted(missing, key=lambda name: self.files[name].size)

    def remaining_bytes(self):
        """Bytes of the selected files that are still to be downloaded."""
        blobs = {self.files[name].blob: self.files[name].size for name in self.missing()}
        return sum(max(0, size - self._downloaded_bytes(blob)) for blob, size in blobs.items())

    def _downloaded_bytes(self, blob):
        """Bytes of a blob in the cache, complete or not."""
        for name in [blob, f"{blob}.incomplete"]:
            try:
                found = os.stat(self.folder / "blobs" / name)
            except OSError:
                continue
            # A file may have its final size before its content, so only allocated blocks count.
            return min(found.st_size, found.st_blocks * 512)
        return 0

    def text(self, name):
        """The text of a small file, downloaded if it is not in the cache."""
        return Path(self._download(name)).read_text("utf-8", "replace")

    def download(self):
        """Downloads the missing files, and then points the revision to the commit."""
        first, *others = self.missing() or self.selected[:1]
        # If the user has no access to the repository, the first file shows it.
        self._download(first)
        with ThreadPoolExecutor(MAX_WORKERS) as pool:
            waiting = [pool.submit(self._download, name) for name in others]
            try:
                for done in as_completed(waiting):
                    done.result()
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
        if self.revision != self.commit:
            self._write_ref()

    def _download(self, name):
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import LocalEntryNotFoundError

        try:
            return hf_hub_download(self.id, name, repo_type=self.kind, revision=self.commit)
        except LocalEntryNotFoundError as error:
            # The client looks into the cache after a failed request, whose error is the cause.
            raise DownloadError(name) from error.__cause__ or error
        except Exception as error:
            raise DownloadError(name) from error

    def _write_ref(self):
        """Writes the commit of the revision to the cache, as the Hub's client does."""
        ref = self.folder / "refs" / self.revision
        try:
            if ref.is_file() and ref.read_text() == self.commit:
                return
            ref.parent.mkdir(parents=True, exist_ok=True)
            ref.write_text(self.commit)
        except OSError as error:
            raise DownloadError(f"refs/{self.revision}") from error
