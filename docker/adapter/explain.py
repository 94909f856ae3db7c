"""Why the Hub does not give what was asked of it, and what to do: its client says it at length."""

import difflib
import errno
from pathlib import Path

from .refusal import Refusal, first_lines, named
from .repository import OF_DISK, Broken

FULL = {errno.ENOSPC, errno.EDQUOT}

# Seconds and ids that a suggestion may take. Without an answer there is none.
PATIENCE = 5
MOST = 100


class explained:
    """Turns an error about a repository into a sentence that names it, the reason and a remedy."""

    def __init__(self, kind, repo, revision):
        self.kind, self.repo, self.revision = kind, repo, revision

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        if not isinstance(error, Exception) or isinstance(error, Refusal):
            return False
        cause = error.__cause__ if isinstance(error, Broken) else error
        what = f"the dataset `{self.repo}`" if self.kind == "dataset" else f"`{self.repo}`"
        file = f"`{error}` of {what}" if isinstance(error, Broken) else what
        raise Refusal(self._why(what, file, cause)) from cause

    def _why(self, what, file, error):
        from huggingface_hub import constants, errors

        page = f"{constants.ENDPOINT}/{'datasets/' if self.kind == 'dataset' else ''}{self.repo}"
        if isinstance(error, errors.GatedRepoError):
            if _status(error) == 401:
                return (
                    f"{what} is gated, and no valid token was sent: accept its terms on {page}, then"
                    " `hf auth login`, or set HF_TOKEN"
                )
            return f"{what} is gated, and the account of your token has no access: ask for it on {page}"
        if isinstance(error, errors.RepositoryNotFoundError):
            meant = nearest(self.kind, self.repo)
            meant = f"; did you mean `{meant}`?" if meant else ", and a private one needs a token that may read it"
            return f"{what} is not on the Hub ({constants.ENDPOINT}){meant}"
        if isinstance(error, errors.RevisionNotFoundError):
            return f"{what} has no revision `{self.revision}`{_known(self.kind, self.repo)}; choose another with --revision"
        if isinstance(error, errors.HFValidationError):
            return f"{what} is no id of the Hub, which is ORG/NAME: {first_lines(error)}"
        if isinstance(error, errors.DisabledRepoError):
            return f"{what} was disabled by the Hub; choose another"
        if isinstance(error, OSError) and error.errno in FULL:
            return (
                f"the disk of the Hub cache is full, while fetching {file}; free some space and fetch"
                " again: what is there is kept"
            )
        if isinstance(error, OSError) and error.errno in OF_DISK:
            return (
                f"{file} cannot be written: {first_lines(error)}; `aienergyscore cache verify` says what is"
                " wrong with the cache"
            )
        status = _status(error)
        if status == 401:
            return f"{file}: the Hub does not know your token; make one with `hf auth login`, or add --no-token"
        if status == 403:
            return f"{file}: your token may not read it ({short(error)}); give it the right on {constants.ENDPOINT}/settings/tokens"
        if status is not None:
            return f"{file}: the Hub answered {short(error)}; try again later"
        if is_passing(error):
            return (
                f"{file} could not be fetched from {constants.ENDPOINT}: {short(error)}; check the network,"
                " and fetch again: what is there is kept"
            )
        return f"{file} could not be fetched: {named(error)}"


def is_passing(error):
    """Whether another try may do what this one did not: after an answer the client has tried itself."""
    from huggingface_hub.errors import LocalEntryNotFoundError
    from requests import RequestException

    if isinstance(error, (RequestException, LocalEntryNotFoundError)):
        return _status(error) is None
    # Of a file that came too short the client says so in words alone.
    return isinstance(error, OSError) and error.errno is None and "Consistency check" in str(error)


def short(error):
    """The reason of an error in a few words."""
    status = _status(error)
    if status is not None:
        return f"{status} {error.response.reason or ''}".strip()
    # Reasons are wrapped several times, the last one is the kernel's.
    inner = error
    while inner.__cause__ is not None or inner.__context__ is not None:
        inner = inner.__cause__ or inner.__context__
    reason = getattr(inner, "reason", inner)
    text = first_lines(reason, 1)
    return text.rsplit(">: ", 1)[-1]


def _status(error):
    return getattr(getattr(error, "response", None), "status_code", None)


def _known(kind, repo):
    """The revisions that the Hub has, if it says so."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError
    from requests import RequestException

    try:
        refs = HfApi().list_repo_refs(repo, repo_type=kind)
    except (HfHubHTTPError, RequestException, LookupError, ValueError):
        return ""
    names = [ref.name for ref in [*refs.branches, *refs.tags]]
    return f", but {', '.join(f'`{name}`' for name in names[:5])}" if names else ""


def nearest(kind, repo):
    """The id that may have been meant: one of the cache or of the Hub's own search."""
    account, _, name = repo.rpartition("/")
    known = {*_cached(kind), *_searched(kind, search=name)} - {repo}
    if account:
        known |= set(_searched(kind, author=account))
    by_lower = {name.lower(): name for name in sorted(known)}
    if repo.lower() in by_lower:
        return by_lower[repo.lower()]
    # The account may be missing, or another one's.
    names = [other for other in sorted(known) if other.lower().rpartition("/")[2] == name.lower()]
    close = difflib.get_close_matches(repo.lower(), by_lower, 1, 0.75)
    return by_lower[close[0]] if close else names[0] if names else None


def _cached(kind):
    from huggingface_hub import constants

    folders = Path(constants.HF_HUB_CACHE).glob(f"{kind}s--*")
    return [folder.name.removeprefix(f"{kind}s--").replace("--", "/") for folder in folders]


def _searched(kind, **asked):
    from huggingface_hub import constants
    from huggingface_hub.utils import get_session
    from requests import RequestException

    address, asked = f"{constants.ENDPOINT}/api/{kind}s", {**asked, "limit": MOST}
    try:
        found = get_session().get(address, params=asked, timeout=PATIENCE).json()
        return [str(repo["id"]) for repo in found]
    except (RequestException, ValueError, LookupError, TypeError):
        return []
