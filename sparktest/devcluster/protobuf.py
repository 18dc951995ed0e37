"""Decode objects in protobuf, which `kubectl create` (without -f) and `kubectl auth` send. Pure.

Only the kinds and fields that those commands set are supported. Responses are always JSON.
"""

from base64 import b64encode
from collections.abc import Iterator
from typing import Any

from sparktest.devcluster.api_errors import StatusError

MAGIC = b"k8s\x00"
# Each field: its number, name and type. Types: s (string), b (bytes), i (integer), ? (boolean), !
# (boolean, omitted when false), raw, or a message; [ is a list of it, { a map from strings to it;
# - is skipped, since the server sets the field.
MESSAGES = {
    "Envelope": "1 type TypeMeta, 2 raw raw, 3 contentEncoding -, 4 contentType -",
    "TypeMeta": "1 apiVersion s, 2 kind s",
    "ObjectMeta": "1 name s, 2 generateName s, 3 namespace s, 4 selfLink -, 5 uid -, "
    "6 resourceVersion s, 7 generation -, 8 creationTimestamp -, 11 labels {s, "
    "12 annotations {s, 13 ownerReferences [Owner, 14 finalizers [s, 17 managedFields -",
    "Owner": "5 apiVersion s, 1 kind s, 3 name s, 4 uid s, 6 controller ?, 7 blockOwnerDeletion ?",
    "Namespace": "1 metadata ObjectMeta, 2 spec -, 3 status -",
    "Secret": "1 metadata ObjectMeta, 5 immutable ?, 2 data {b, 4 stringData {s, 3 type s",
    "ConfigMap": "1 metadata ObjectMeta, 4 immutable ?, 2 data {s, 3 binaryData {b",
    "ServiceAccount": "1 metadata ObjectMeta, 3 imagePullSecrets [Named, "
    "4 automountServiceAccountToken ?",
    "Named": "1 name s",
    "Job": "1 metadata ObjectMeta, 2 spec JobSpec, 3 status -",
    "JobSpec": "1 parallelism i, 2 completions i, 3 activeDeadlineSeconds i, 7 backoffLimit i, "
    "5 manualSelector ?, 6 template Template, 8 ttlSecondsAfterFinished i, 9 completionMode s, "
    "10 suspend ?, 14 podReplacementPolicy s",
    "Template": "1 metadata ObjectMeta, 2 spec PodSpec",
    "PodSpec": "20 initContainers [Container, 2 containers [Container, 3 restartPolicy s, "
    "4 terminationGracePeriodSeconds i, 5 activeDeadlineSeconds i, 6 dnsPolicy s, "
    "7 nodeSelector {s, 8 serviceAccountName s, 9 serviceAccount s, 10 nodeName s, "
    "11 hostNetwork !, 12 hostPID !, 13 hostIPC !, 15 imagePullSecrets [Named, 16 hostname s, "
    "17 subdomain s, 19 schedulerName s, 21 automountServiceAccountToken ?, "
    "24 priorityClassName s",
    "Container": "1 name s, 2 image s, 3 command [s, 4 args [s, 5 workingDir s, 7 env [Variable, "
    "8 resources Resources, 13 terminationMessagePath s, 14 imagePullPolicy s, 16 stdin !, "
    "17 stdinOnce !, 18 tty !, 20 terminationMessagePolicy s",
    "Variable": "1 name s, 2 value s",
    "Resources": "1 limits {Quantity, 2 requests {Quantity",
    "Quantity": "1 string s",
    "SelfSubjectAccessReview": "1 metadata ObjectMeta, 2 spec Review, 3 status -",
    "Review": "1 resourceAttributes Attributes, 2 nonResourceAttributes Path",
    "Attributes": "1 namespace s, 2 verb s, 3 group s, 4 version s, 5 resource s, "
    "6 subresource s, 7 name s",
    "SelfSubjectRulesReview": "1 metadata ObjectMeta, 2 spec RulesOf, 3 status -",
    "RulesOf": "1 namespace s",
    "SelfSubjectReview": "1 metadata ObjectMeta, 2 status -",
    "Path": "1 path s, 2 verb s",
}
VARINTS = ("i", "?", "!")
FIELDS = {
    message: {
        int(number): (name, kind)
        for number, name, kind in (field.split() for field in fields.split(", "))
    }
    for message, fields in MESSAGES.items()
}


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
    if head.get("kind") not in FIELDS:
        raise ValueError(f"the kind {head.get('kind')} is not supported")
    return head | _message(head["kind"], envelope["raw"])


def _message(message: str, data: bytes) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for number, value in _fields(data):
        if number not in FIELDS[message]:
            raise ValueError(f"{message} has an unknown field {number}")
        name, kind = FIELDS[message][number]
        if kind == "-":
            continue
        if kind[0] == "{":
            if isinstance(value, int):
                raise ValueError(f"{name} is not a map")
            entry = dict(_fields(value))
            key = _value("s", entry.get(1, b""))
            found.setdefault(name, {})[key] = _value(kind[1:], entry.get(2, b""))
        elif kind[0] == "[":
            found.setdefault(name, []).append(_value(kind[1:], value))
        elif (decoded := _value(kind, value)) not in ("", {}) and not (kind == "!" and not value):
            found[name] = decoded
    return found


def _value(kind: str, value: int | bytes) -> Any:
    if isinstance(value, int) != (kind in VARINTS):
        raise ValueError(f"a field of type {kind} has the wrong wire type")
    if isinstance(value, int):
        return value if kind == "i" else bool(value)
    if kind == "s":
        return value.decode()
    if kind == "b":
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
