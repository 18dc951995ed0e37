"""Read the fields of Kubernetes objects that may lack them or have them with a wrong type. Pure."""

from collections.abc import Mapping
from typing import Any

Object = dict[str, Any]


def mapping(parent: Any, name: str) -> Object:
    """Return the object in this field, {} where there is none."""
    found = parent.get(name) if isinstance(parent, dict) else None
    return found if isinstance(found, dict) else {}


def items(parent: Mapping[str, Any], name: str) -> list[Object]:
    """Return the objects in the list in this field, without anything that is no object."""
    found = parent.get(name)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def text(parent: Mapping[str, Any], name: str) -> str:
    """Return the string in this field, "" where there is none."""
    found = parent.get(name)
    return found if isinstance(found, str) else ""


def integer(parent: Mapping[str, Any], name: str) -> int | None:
    """Return the integer in this field, None where there is none."""
    found = parent.get(name)
    return found if isinstance(found, int) and not isinstance(found, bool) else None
