"""Server-sent events: what a server writes piece by piece, taken apart again.

By the rules of the WHATWG's HTML standard, section 9.2.6: a line ends with CR, LF or both, comments
begin with a colon, one blank after `data:` is no part of the data, several such lines are one text.
More lenient where servers are: the last event counts without an empty line after it, and so does
each of several whole JSON texts in a row.
"""

import json

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
DONE = "[DONE]"


def lines(chunks):
    """The lines of a stream of bytes, wherever it was cut, without their ends."""
    rest, first = b"", True
    for chunk in chunks:
        rest += chunk
        if first and len(rest) < len(BYTE_ORDER_MARK) and BYTE_ORDER_MARK.startswith(rest):
            continue
        if first:
            rest, first = rest.removeprefix(BYTE_ORDER_MARK), False
        # A CR at the end may be the first half of a line's end.
        held, rest = (rest[-1:], rest[:-1]) if rest.endswith(b"\r") else (b"", rest)
        whole = rest.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        rest = whole.pop() + held
        yield from whole
    rest = rest.removesuffix(b"\r")
    if rest:
        yield rest


def events(texts):
    """The data of each event, of a stream's lines."""
    data = []
    for line in texts:
        if not line:
            if data:
                yield "\n".join(data)
            data = []
            continue
        name, _, value = line.partition(b":")
        if name != b"data":
            continue
        if data and is_whole("\n".join(data)):
            yield "\n".join(data)
            data = []
        data.append(value.removeprefix(b" ").decode("utf-8", "replace"))
    if data:
        yield "\n".join(data)


def is_whole(data):
    """Whether nothing can be missing of an event's data."""
    if data.strip() == DONE:
        return True
    try:
        json.loads(data)
    except ValueError:
        return False
    return True
