"""Read fields of untrusted Kubernetes objects; a field of the wrong type counts as absent. Pure."""

from collections.abc import Mapping
from typing import Any

Object = dict[str, Any]


def mapping(parent: Any, name: str) -> Object:
    """Return the object in this field; {} if absent."""
    found = parent.get(name) if isinstance(parent, dict) else None
    return found if isinstance(found, dict) else {}


def items(parent: Mapping[str, Any], name: str) -> list[Object]:
    """Return the list in this field without entries that are no objects; [] if absent."""
    found = parent.get(name)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def text(parent: Mapping[str, Any], name: str) -> str:
    """Return the string in this field; "" if absent."""
    found = parent.get(name)
    return found if isinstance(found, str) else ""


def texts(parent: Mapping[str, Any], name: str) -> list[str]:
    """Return the list in this field without entries that are no strings; [] if absent."""
    found = parent.get(name)
    return [item for item in found if isinstance(item, str)] if isinstance(found, list) else []


def integer(parent: Mapping[str, Any], name: str) -> int | None:
    """Return the integer in this field; None if absent."""
    found = parent.get(name)
    return found if isinstance(found, int) and not isinstance(found, bool) else None
