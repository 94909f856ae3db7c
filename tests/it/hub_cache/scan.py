"""Prints what huggingface_hub's own scan counts in a cache, in the shape of `cache ls --json`."""

import json
import sys

from huggingface_hub import scan_cache_dir

found = scan_cache_dir(sys.argv[1])
repos = [
    {
        "type": repo.repo_type,
        "id": repo.repo_id,
        "size_bytes": repo.size_on_disk,
        "files": repo.nb_files,
        "last_accessed": repo.last_accessed,
        "last_modified": repo.last_modified,
        "revisions": sorted(
            (
                {
                    "commit": revision.commit_hash,
                    "refs": sorted(revision.refs),
                    "size_bytes": revision.size_on_disk,
                    "files": revision.nb_files,
                    "last_modified": revision.last_modified,
                }
                for revision in repo.revisions
            ),
            key=lambda revision: revision["commit"],
        ),
    }
    for repo in found.repos
]
repos.sort(key=lambda repo: (repo["type"], repo["id"]))
unfinished = [len(found.incomplete_files), found.incomplete_size_on_disk]
print(json.dumps({"size_bytes": found.size_on_disk, "repos": repos, "unfinished": unfinished}))
