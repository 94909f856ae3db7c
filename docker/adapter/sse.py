"""Parses server-sent events, the format of a streamed answer.

The rules are those of the WHATWG's HTML standard, section 9.2.6. A line ends with CR, LF or both. A
comment begins with a colon. One space after `data:` is not part of the data. Several such lines
are one text.

Two rules are more lenient. The last event counts without an empty line after it, and complete JSON
texts without an empty line between them are separate events.
"""

import json

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
DONE = "[DONE]"


def lines(chunks):
    """The lines of a stream of bytes, without their ends, however the stream is split."""
    rest, first = b"", True
    for chunk in chunks:
        rest += chunk
        if first and len(rest) < len(BYTE_ORDER_MARK) and BYTE_ORDER_MARK.startswith(rest):
            continue
        if first:
            rest, first = rest.removeprefix(BYTE_ORDER_MARK), False
        # A CR at the end may be the first half of a CRLF.
        held, rest = (rest[-1:], rest[:-1]) if rest.endswith(b"\r") else (b"", rest)
        whole = rest.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        rest = whole.pop() + held
        yield from whole
    rest = rest.removesuffix(b"\r")
    if rest:
        yield rest


def events(texts):
    """The data of each event in these lines."""
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
        if data and _is_complete("\n".join(data)):
            yield "\n".join(data)
            data = []
        data.append(value.removeprefix(b" ").decode("utf-8", "replace"))
    if data:
        yield "\n".join(data)


def _is_complete(data):
    if data.strip() == DONE:
        return True
    try:
        json.loads(data)
    except ValueError:
        return False
    return True
