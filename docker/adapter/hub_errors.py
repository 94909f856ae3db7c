"""Why a download from the Hub failed, and what to do."""

import difflib
from contextlib import contextmanager
from pathlib import Path

from .errors import DISK_ERRORS, DISK_FULL, UserError, describe, first_lines, quoted_list
from .repository import DownloadError

# Limits of the search for a similar id.
TIMEOUT = 5
MAX_IDS = 100


@contextmanager
def explain_hub_errors(kind, repo, revision):
    """Turns errors about a repository into a `UserError` with its name, the reason and a hint."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        cause = error.__cause__ if isinstance(error, DownloadError) else error
        name = f"the dataset `{repo}`" if kind == "dataset" else f"`{repo}`"
        file = f"`{error}` of {name}" if isinstance(error, DownloadError) else name
        why = _repository_error(kind, repo, revision, name, cause) or _file_error(file, cause)
        raise UserError(why) from cause


def _repository_error(kind, repo, revision, name, error):
    from huggingface_hub import constants, errors

    page = f"{constants.ENDPOINT}/{'datasets/' if kind == 'dataset' else ''}{repo}"
    if isinstance(error, errors.GatedRepoError):
        if _status(error) == 401:
            return (
                f"{name} is gated, and no valid token was sent: accept its terms on {page}, then"
                " `hf auth login`, or set HF_TOKEN"
            )
        return f"{name} is gated, and the account of your token has no access: ask for it on {page}"
    if isinstance(error, errors.RepositoryNotFoundError):
        similar = find_similar(kind, repo)
        private = ", and a private one needs a token that may read it"
        hint = f"; did you mean `{similar}`?" if similar else private
        return f"{name} is not on the Hub ({constants.ENDPOINT}){hint}"
    if isinstance(error, errors.RevisionNotFoundError):
        return f"{name} has no revision `{revision}`{_revisions(kind, repo)}; choose another with --revision"
    if isinstance(error, errors.HFValidationError):
        return f"{name} is no id of the Hub, which is ORG/NAME: {first_lines(error)}"
    if isinstance(error, errors.DisabledRepoError):
        return f"{name} was disabled by the Hub; choose another"
    return None


def _file_error(file, error):
    from huggingface_hub import constants

    if isinstance(error, OSError) and error.errno in DISK_FULL:
        return (
            f"the disk of the Hub cache is full, while fetching {file}; free some space and fetch"
            " again: what is there is kept"
        )
    if isinstance(error, OSError) and error.errno in DISK_ERRORS:
        return (
            f"{file} cannot be written: {first_lines(error)}; `aienergyscore cache verify` says what is"
            " wrong with the cache"
        )
    status = _status(error)
    if status == 401:
        return f"{file}: the Hub does not know your token; make one with `hf auth login`, or add --no-token"
    if status == 403:
        return (
            f"{file}: your token may not read it ({short_reason(error)}); give it the right on"
            f" {constants.ENDPOINT}/settings/tokens"
        )
    if status is not None:
        return f"{file}: the Hub answered {short_reason(error)}; try again later"
    if is_transient(error):
        return (
            f"{file} could not be fetched from {constants.ENDPOINT}: {short_reason(error)}; check the"
            " network, and fetch again: what is there is kept"
        )
    return f"{file} could not be fetched: {describe(error)}"


def is_transient(error):
    """Whether a retry may succeed. The Hub's client has already retried after an HTTP error."""
    from huggingface_hub.errors import LocalEntryNotFoundError
    from requests import RequestException

    if isinstance(error, (RequestException, LocalEntryNotFoundError)):
        return _status(error) is None
    # The client raises a plain OSError for a truncated file.
    return isinstance(error, OSError) and error.errno is None and "Consistency check" in str(error)


def short_reason(error):
    """The reason of an error in a few words."""
    status = _status(error)
    if status is not None:
        return f"{status} {error.response.reason or ''}".strip()
    # The innermost error is the kernel's.
    while error.__cause__ is not None or error.__context__ is not None:
        error = error.__cause__ or error.__context__
    text = first_lines(getattr(error, "reason", error), 1)
    return text.rsplit(">: ", 1)[-1]


def _status(error):
    return getattr(getattr(error, "response", None), "status_code", None)


def _revisions(kind, repo):
    """The first revisions of a repository, or nothing if the Hub does not list them."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError
    from requests import RequestException

    try:
        refs = HfApi().list_repo_refs(repo, repo_type=kind)
    except (HfHubHTTPError, RequestException, LookupError, ValueError):
        return ""
    names = [ref.name for ref in [*refs.branches, *refs.tags]]
    return f", but {quoted_list(names[:5])}" if names else ""


def find_similar(kind, repo):
    """The most similar id in the cache or in the Hub's search, or None."""
    account, _, name = repo.rpartition("/")
    known = {*_cached(kind), *_search(kind, search=name)} - {repo}
    if account:
        known |= set(_search(kind, author=account))
    by_lower = {name.lower(): name for name in sorted(known)}
    if repo.lower() in by_lower:
        return by_lower[repo.lower()]
    # The account may be missing or wrong.
    names = [other for other in sorted(known) if other.lower().rpartition("/")[2] == name.lower()]
    close = difflib.get_close_matches(repo.lower(), by_lower, 1, 0.75)
    return by_lower[close[0]] if close else names[0] if names else None


def _cached(kind):
    from huggingface_hub import constants

    folders = Path(constants.HF_HUB_CACHE).glob(f"{kind}s--*")
    return [folder.name.removeprefix(f"{kind}s--").replace("--", "/") for folder in folders]


def _search(kind, **query):
    from huggingface_hub import constants
    from huggingface_hub.utils import get_session
    from requests import RequestException

    url = f"{constants.ENDPOINT}/api/{kind}s"
    try:
        found = get_session().get(url, params={**query, "limit": MAX_IDS}, timeout=TIMEOUT).json()
        return [str(repo["id"]) for repo in found]
    except (RequestException, ValueError, LookupError, TypeError):
        return []
