"""Why a model cannot be loaded."""

import os
import re

from . import hub
from .errors import describe, explain_errors


def explain_load_errors(settings, missing=lambda _: None):
    """Turns errors of the libraries while they load a model into a `UserError`.

    `missing` checks whether files of the model are missing, which the libraries often do not say.
    """

    def reason(error):
        return (
            _unreadable(error)
            or _needs_remote_code(error)
            or _not_cached(settings, error)
            or _wrong_task(error)
            or missing(settings)
            or describe(error)
        )

    return explain_errors(f"`backend.model={settings.model}` could not be loaded", reason)


def _unreadable(error):
    """A file without read permission, which the libraries report as missing."""
    if not isinstance(error, OSError):
        return None
    for path in re.findall(r"/[^'\"]+[^'\"\s.]", str(error)):
        if os.path.exists(path) and not os.access(path, os.R_OK):
            return (
                f"`{path}` is there, and uid {os.geteuid()} may not read it; let everybody read it"
                " (`chmod a+r`), or run as its owner"
            )
    return None


def _needs_remote_code(error):
    """A model whose repository brings its own code."""
    if "trust_remote_code" not in str(error):
        return None
    return (
        "it needs code of its own repository, which runs only with"
        " `backend.model_kwargs.trust_remote_code=True`; read that code before"
    )


def _not_cached(settings, error):
    """A model or revision that is not in the cache, in offline mode."""
    local = os.path.isdir(settings.model) or settings.model.startswith((".", "/", "~"))
    if local or not hub.is_offline() or "couldn't find them in the cached files" not in str(error):
        return None
    revision = settings.model_kwargs.get("revision")
    arguments = f"{settings.model} --revision {revision}" if revision else settings.model
    return (
        "it is not in the cache, or not all of it, and the Hub must not be asked (offline); download"
        f" it once with `hf download {arguments}`"
    )


def _wrong_task(error):
    """A model for another task, such as vision."""
    found = re.match(r"Unrecognized configuration class <class '[\w.]*?(\w+)'>", str(error))
    if found is None:
        return None
    return (
        f"it is configured by `{found[1]}`, of which transformers has no model for the task"
        " `text-generation`; choose a model that continues a text"
    )
