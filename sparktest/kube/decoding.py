"""Decode JSON from Kubernetes, of any depth. Pure."""

import re
from typing import TypeVar

import msgspec

T = TypeVar("T")

# The API server accepts 10,000 levels in fields without a schema, such as a TestRun's template.
MAX_DEPTH = 200
TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]')


def decode(data: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """Return the decoded value.

    One that is nested too deep to be decoded loses what is deeper than MAX_DEPTH levels: null takes
    its place. Otherwise one such object would hide all others of its list or watch.

    Raises:
        msgspec.MsgspecError: it is not JSON, or has another type.
    """
    try:
        return decoder.decode(data)
    except RecursionError:
        return decoder.decode(_shallow(data))


def _shallow(data: bytes) -> bytes:
    parts, start, depth = [], 0, 0
    for token in TOKEN.finditer(data):
        if token[0] in (b"{", b"["):
            depth += 1
            if depth == MAX_DEPTH + 1:
                parts += [data[start : token.start()], b"null"]
        elif token[0] in (b"}", b"]"):
            depth -= 1
            if depth == MAX_DEPTH:
                start = token.end()
    return b"".join([*parts, data[start:]])
