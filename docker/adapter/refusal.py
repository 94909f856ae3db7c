"""Errors that are explained in a sentence instead of a traceback."""


class Refusal(Exception):
    """What cannot be, where, why, and what to do."""


# Characters of a message after which nothing new comes, but lists of all that there is.
LONGEST = 400


def first_lines(error, count=2):
    """The first lines of an error's message: libraries explain themselves at length."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = " ".join(lines[:count]) or type(error).__name__
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def named(error):
    """The kind of an error and the first lines of its message."""
    return f"{type(error).__name__}: {first_lines(error)}"
