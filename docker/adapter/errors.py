"""Errors that end in one sentence instead of a traceback, and helpers that word them."""

import errno
from contextlib import contextmanager

# Errors of a file system that a retry does not fix.
DISK_FULL = {errno.ENOSPC, errno.EDQUOT}
DISK_ERRORS = DISK_FULL | {errno.EACCES, errno.EPERM, errno.EROFS}

# Some libraries end a message with every alternative they know.
MAX_CHARACTERS = 400


class UserError(Exception):
    """An error whose message tells the user what failed, why, and what to do."""


@contextmanager
def explain_errors(failure, reason=None):
    """Turns every other exception into a `UserError`: "FAILURE: REASON"."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"{failure}: {(reason or describe)(error)}") from error


def describe(error):
    """The type of an error and the first lines of its message."""
    return f"{type(error).__name__}: {first_lines(error)}"


def first_lines(error, count=2):
    """The first lines of an error's message, shortened."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = " ".join(lines[:count]) or type(error).__name__
    return text if len(text) <= MAX_CHARACTERS else f"{text[:MAX_CHARACTERS]}..."


def quoted_list(names, limit=None):
    """Names in backticks, such as "`a`, `b` and 2 more" for a limit of 2."""
    text = ", ".join(f"`{name}`" for name in names[:limit])
    more = len(names) - len(names[:limit])
    return f"{text} and {more} more" if more else text
