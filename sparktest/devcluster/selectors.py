"""Label and field selectors: parse text into a predicate on objects. Pure."""

import re
from collections.abc import Callable

from sparktest import label_selectors
from sparktest.devcluster.api_errors import bad_request
from sparktest.devcluster.kinds import JOBS, Kind
from sparktest.devcluster.stored_objects import Object, StoredObject
from sparktest.errors import InvalidError

Predicate = Callable[[StoredObject], bool]
Labels = dict[str, str]


def parse_selector(kind: Kind, labels: str, fields: str) -> Predicate | None:
    """Return a predicate for both selectors; None if both are empty.

    Raises:
        StatusError: 400, invalid syntax or an unsupported field.
    """
    requirements, predicates = label_requirements(labels), _field_predicates(kind, fields)
    if not requirements and not predicates:
        return None

    def selects(stored: StoredObject) -> bool:
        return all(matches(stored.labels) for matches in requirements) and all(
            matches(stored) for matches in predicates
        )

    return selects


def label_requirements(text: str) -> list[Callable[[Labels], bool]]:
    """Return the requirements of a label selector, each a predicate on labels.

    Raises:
        StatusError: 400, invalid syntax.
    """
    if not text.strip():
        return []
    try:
        return [requirement.matches for requirement in label_selectors.parse_selector(text)]
    except InvalidError as error:
        raise bad_request(f"unable to parse requirement: the selector {text!r}") from error


def _field_predicates(kind: Kind, text: str) -> list[Predicate]:
    tests = []
    for term in filter(None, text.split(",")):
        match = re.fullmatch(r"\s*([\w.\[\]]+?)\s*(==|=|!=)\s*(.*?)\s*", term)
        if not match:
            raise bad_request(f"invalid selector: {text!r}; can't understand {term!r}")
        field, operator, value = match.groups()
        tests.append(_field_predicate(kind, field, value, wanted=operator != "!="))
    return tests


def _field_predicate(kind: Kind, field: str, value: str, *, wanted: bool) -> Predicate:
    if field == "metadata.name":
        return lambda stored: (stored.name == value) == wanted
    if field == "metadata.namespace":
        return lambda stored: (stored.namespace == value) == wanted
    if field not in kind.fields:
        raise bad_request(_unsupported_message(kind, field))
    return lambda stored: (field_text(stored.decode(), field) == value) == wanted


def _unsupported_message(kind: Kind, field: str) -> str:
    if kind is JOBS:
        return f'field label "{field}" not supported for Job'
    if kind.custom or kind.fields:
        return f"field label not supported: {field}"
    supported = 'only "metadata.name", "metadata.namespace"'
    return f'"{field}" is not a known field selector: {supported}'


def field_text(obj: Object, field: str) -> str:
    """Return the value of a field as a selector compares it; empty if there is none."""
    if field == "status.successful":
        return str((obj.get("status") or {}).get("succeeded", 0))
    value: object = obj
    for step in field.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    if isinstance(value, dict):  # the source of an event is compared by its component
        value = value.get("component")
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)
