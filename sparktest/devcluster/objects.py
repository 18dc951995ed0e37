"""What every object has: its metadata, checked and completed. Pure, but for new names and uids."""

import re
import secrets
import uuid
from collections.abc import Iterator
from typing import Any

from sparktest.devcluster.api_errors import Cause, cause
from sparktest.devcluster.entries import Object

# Without vowels, so that no word comes about.
ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
SUBDOMAIN = rf"{LABEL}(\.{LABEL})*"
QUALIFIED = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
SAYS = {
    LABEL: "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', "
    "and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc'",
    SUBDOMAIN: "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric "
    "characters, '-' or '.', and must start and end with an alphanumeric character (e.g. "
    "'example.com'",
    QUALIFIED: "name part must consist of alphanumeric characters, '-', '_' or '.', and must start "
    "and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc'",
    f"({QUALIFIED})?": "a valid label must be an empty string or consist of alphanumeric "
    "characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. "
    "'MyValue',  or 'my_value',  or '12345'",
}
PYTHON_TYPES: dict[str, type] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "boolean": bool,
}
OWNER = ("apiVersion", "kind", "name", "uid")
# What a client cannot set, and what it cannot change once it is set.
SERVER_SET = (
    "uid",
    "creationTimestamp",
    "generation",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "namespace",
    "resourceVersion",
)
FIXED = (*SERVER_SET, "name", "generateName")
STRING = {"type": "string"}
STRINGS = {"type": "object", "additionalProperties": STRING}
METADATA_SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "What every object has: name, namespace, labels, owners.",
    "properties": {
        "name": STRING | {"description": "The name, once a namespace and kind."},
        "generateName": STRING | {"description": "A name to which chance is added."},
        "namespace": STRING | {"description": "The room that the name is unique in."},
        "labels": STRINGS | {"description": "Words to select by."},
        "annotations": STRINGS | {"description": "Notes of any kind."},
        "finalizers": {"type": "array", "items": STRING, "x-kubernetes-patch-strategy": "merge"},
        "ownerReferences": {
            "type": "array",
            "x-kubernetes-patch-merge-key": "uid",
            "items": {
                "type": "object",
                "required": list(OWNER),
                "properties": dict.fromkeys(OWNER, STRING)
                | {key: {"type": "boolean"} for key in ("controller", "blockOwnerDeletion")},
            },
        },
        "uid": STRING,
        "resourceVersion": STRING,
        "generation": {"type": "integer", "format": "int64"},
        "creationTimestamp": {"type": "string", "format": "date-time"},
        "deletionTimestamp": {"type": "string", "format": "date-time"},
        "deletionGracePeriodSeconds": {"type": "integer", "format": "int64"},
    },
}


def new_uid() -> str:
    """A uid that no other object has."""
    return str(uuid.uuid4())


def generated(prefix: str) -> str:
    """A name from a prefix, with five letters of chance behind it."""
    return prefix[:58] + "".join(secrets.choice(ALPHABET) for _ in range(5))


def type_fault(value: Any, schema: Object = METADATA_SCHEMA, path: str = "metadata") -> str | None:
    """What makes the metadata unreadable: the field and the type it must have; None if nothing."""
    if not isinstance(value, PYTHON_TYPES[schema["type"]]):
        return f"{path} must be of type {schema['type']}"
    for key, part, below in _parts(value, schema):
        step = f"[{key}]" if isinstance(value, list) else f".{key}"
        fault = type_fault(part, below, path + step)
        if fault:
            return fault
    return None


def _parts(value: Any, schema: Object) -> Iterator[tuple[Any, Any, Object]]:
    """What is inside of a value and has a schema; null stands for a field that is not there."""
    if isinstance(value, list):
        yield from ((index, item, schema["items"]) for index, item in enumerate(value))
    elif isinstance(value, dict):
        known = schema.get("properties")
        for key, part in value.items():
            if known is None:
                yield key, part, schema["additionalProperties"]
            elif key in known and part is not None:
                yield key, part, known[key]


def tidied(meta: dict[str, Any]) -> dict[str, Any]:
    """The metadata without empty parts and without what the dev cluster does not keep."""
    dropped = ("managedFields", "selfLink", "clusterName")
    return {
        key: value
        for key, value in meta.items()
        if key not in dropped and value is not None and value not in ({}, [], "")
    }


def metadata_causes(meta: dict[str, Any], *, label_name: bool = False) -> list[Cause]:
    """What is wrong with the metadata; `label_name`: the name may hold no dots (namespaces)."""
    name = meta.get("name", "")
    found: list[Cause] = []
    if not name:
        text = "Required value: name or generateName is required"
        found.append(cause("Required", "metadata.name", text))
    else:
        pattern, limit = (LABEL, 63) if label_name else (SUBDOMAIN, 253)
        found += _named("metadata.name", name, pattern, limit)
    found += label_causes("metadata.labels", meta.get("labels") or {})
    for key in meta.get("annotations") or ():
        found += _key("metadata.annotations", key)
    for index, owner in enumerate(meta.get("ownerReferences") or ()):
        for field in OWNER:
            if not owner.get(field):
                path = f"metadata.ownerReferences[{index}].{field}"
                found.append(cause("Required", path, "Required value"))
    return found


def label_causes(path: str, labels: dict[str, str]) -> list[Cause]:
    """What is wrong with labels: their keys and values."""
    found = []
    for key, value in labels.items():
        found += _key(path, key)
        found += _named(path, value, f"({QUALIFIED})?", 63)
    return found


def dns_label_causes(path: str, name: str) -> list[Cause]:
    """What is wrong with a name that may hold no dots."""
    return _named(path, name, LABEL, 63)


def _key(path: str, key: str) -> list[Cause]:
    prefix, slash, name = key.rpartition("/")
    found = _named(path, prefix, SUBDOMAIN, 253, shown=key) if slash else []
    return found + _named(path, name, QUALIFIED, 63, shown=key)


def _named(
    path: str, value: str, pattern: str, limit: int, *, shown: str | None = None
) -> list[Cause]:
    shown = value if shown is None else shown
    if len(value) > limit:
        text = f'Invalid value: "{shown}": must be no more than {limit} characters'
        return [cause("Invalid", path, text)]
    if not re.fullmatch(pattern, value):
        text = f'Invalid value: "{shown}": {SAYS[pattern]}, regex used for validation is \''
        return [cause("Invalid", path, f"{text}{pattern}')")]
    return []


def drop_finalizer(obj: Object, name: str) -> None:
    """Take a finalizer away from an object, if it has it."""
    meta = obj["metadata"]
    rest = [known for known in meta.pop("finalizers", ()) if known != name]
    if rest:
        meta["finalizers"] = rest


def condition(obj: Object, kind: str) -> dict[str, Any] | None:
    """A condition of the object's status by its type."""
    for found in (obj.get("status") or {}).get("conditions") or ():
        if found.get("type") == kind:
            known: dict[str, Any] = found
            return known
    return None


def is_true(obj: Object, kind: str) -> bool:
    """Whether a condition of the object holds."""
    found = condition(obj, kind)
    return bool(found and found.get("status") == "True")


def finished(job: Object) -> bool:
    """Whether a Job came to an end, good or bad."""
    return is_true(job, "Complete") or is_true(job, "Failed")


def phase(pod: Object) -> str:
    """A pod's phase."""
    return str((pod.get("status") or {}).get("phase", "Pending"))


def ended(pod: Object) -> bool:
    """Whether a pod came to an end, good or bad."""
    return phase(pod) in ("Succeeded", "Failed")
