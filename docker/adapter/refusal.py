"""Errors that are explained in a sentence instead of a traceback."""


class Refusal(Exception):
    """What cannot be, where, why, and what to do."""


def first_lines(error, count=2):
    """The first lines of an error's message: libraries explain themselves at length."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ".join(lines[:count]) or type(error).__name__
