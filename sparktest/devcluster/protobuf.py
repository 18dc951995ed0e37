"""Decode objects in protobuf, which `kubectl create` (without -f) and `kubectl auth` send. Pure.

Only the kinds and fields that those commands set are supported. Responses are always JSON.
"""

from base64 import b64encode
from collections.abc import Iterator
from typing import Any

from sparktest.devcluster.api_errors import StatusError
from sparktest.devcluster.kinds import load_yaml

MAGIC = b"k8s\x00"
# For each message: the name and the type of each field, by its number.
MESSAGES: dict[str, dict[int, str]] = load_yaml("protobuf.yaml")
VARINTS = ("integer", "boolean", "flag")


def decode(body: bytes) -> dict[str, Any]:
    """Return the object in a protobuf body.

    Raises:
        StatusError: 415, it is malformed, or has a kind or a field that is not supported.
    """
    try:
        return _object(body)
    except (ValueError, IndexError, KeyError, RecursionError) as error:
        text = f"cannot decode this protobuf body ({error}); send application/json"
        raise StatusError(415, "UnsupportedMediaType", text) from error


def _object(body: bytes) -> dict[str, Any]:
    if not body.startswith(MAGIC):
        raise ValueError("it does not start with k8s")
    envelope = _message("Envelope", body[len(MAGIC) :])
    head: dict[str, Any] = envelope["type"]
    if head.get("kind") not in MESSAGES:
        raise ValueError(f"the kind {head.get('kind')} is not supported")
    return head | _message(head["kind"], envelope["raw"])


def _message(message: str, data: bytes) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for number, value in _fields(data):
        if number not in MESSAGES[message]:
            raise ValueError(f"{message} has an unknown field {number}")
        name, kind, *of = MESSAGES[message][number].split()
        if kind == "skipped":
            continue
        if kind == "map":
            if isinstance(value, int):
                raise ValueError(f"{name} is not a map")
            entry = dict(_fields(value))
            key = _value("string", entry.get(1, b""))
            found.setdefault(name, {})[key] = _value(of[0], entry.get(2, b""))
        elif kind == "list":
            found.setdefault(name, []).append(_value(of[0], value))
        elif (decoded := _value(kind, value)) not in ("", {}) and not (
            kind == "flag" and not value
        ):
            found[name] = decoded
    return found


def _value(kind: str, value: int | bytes) -> Any:
    if isinstance(value, int) != (kind in VARINTS):
        raise ValueError(f"a field of type {kind} has the wrong wire type")
    if isinstance(value, int):
        return value if kind == "integer" else bool(value)
    if kind == "string":
        return value.decode()
    if kind == "bytes":
        return b64encode(value).decode()
    if kind == "raw":
        return value
    decoded = _message(kind, value)
    return decoded.get("string", "") if kind == "Quantity" else decoded


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    position = 0
    while position < len(data):
        tag, position = _varint(data, position)
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            value, position = _varint(data, position)
            yield number, value - 2**64 if value >= 2**63 else value
        elif wire == 2:
            length, position = _varint(data, position)
            if position + length > len(data):
                raise ValueError("it is truncated")
            yield number, data[position : position + length]
            position += length
        else:
            raise ValueError(f"wire type {wire}")


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        value |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if byte < 0x80:
            return value, position
