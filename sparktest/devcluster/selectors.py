"""Label and field selectors: text in, a test on objects out. Pure."""

import re
from collections.abc import Callable

from sparktest.devcluster.api_errors import bad_request
from sparktest.devcluster.entries import Entry, Object
from sparktest.devcluster.kinds import JOBS, Kind

Test = Callable[[Entry], bool]
Labels = dict[str, str]
KEY = r"[A-Za-z0-9./_-]+"
SET = re.compile(rf"\s*({KEY})\s+(in|notin)\s*\(([^)]*)\)\s*")
EQUAL = re.compile(rf"\s*({KEY})\s*(==|=|!=)\s*([A-Za-z0-9._-]*)\s*")
EXISTS = re.compile(rf"\s*(!?)\s*({KEY})\s*")


def selector(kind: Kind, labels: str, fields: str) -> Test | None:
    """A test for both selectors; None where both are empty.

    Raises:
        StatusError: 400, one cannot be read or names a field that cannot be selected on.
    """
    tests = [*_label_tests(labels), *_field_tests(kind, fields)]
    return (lambda entry: all(test(entry) for test in tests)) if tests else None


def _label_tests(text: str) -> list[Test]:
    return [
        lambda entry, holds=holds: holds(entry.labels)  # type: ignore[misc]
        for holds in label_terms(text)
    ]


def label_terms(text: str) -> list[Callable[[Labels], bool]]:
    """The terms of a label selector, each a test on labels.

    Raises:
        StatusError: 400, it cannot be read.
    """
    terms, rest = [], text.strip()
    while rest:
        for pattern, make in ((SET, _in_set), (EQUAL, _equals), (EXISTS, _exists)):
            match = pattern.match(rest)
            if match and (match.end() == len(rest) or rest[match.end()] == ","):
                terms.append(make(*match.groups()))
                rest = rest[match.end() + 1 :]
                break
        else:
            raise bad_request(f"unable to parse requirement: {rest!r} of the selector {text!r}")
    return terms


def _in_set(key: str, operator: str, values: str) -> Callable[[Labels], bool]:
    wanted = {value.strip() for value in values.split(",")}
    if operator == "in":
        return lambda labels: labels.get(key) in wanted
    return lambda labels: labels.get(key) not in wanted


def _equals(key: str, operator: str, value: str) -> Callable[[Labels], bool]:
    if operator == "!=":
        return lambda labels: labels.get(key) != value
    return lambda labels: labels.get(key) == value


def _exists(negation: str, key: str) -> Callable[[Labels], bool]:
    return lambda labels: (key in labels) != bool(negation)


def _field_tests(kind: Kind, text: str) -> list[Test]:
    tests = []
    for term in filter(None, text.split(",")):
        match = re.fullmatch(r"\s*([\w.\[\]]+?)\s*(==|=|!=)\s*(.*?)\s*", term)
        if not match:
            raise bad_request(f"invalid selector: {text!r}; can't understand {term!r}")
        field, operator, value = match.groups()
        tests.append(_field_test(kind, field, value, wanted=operator != "!="))
    return tests


def _field_test(kind: Kind, field: str, value: str, *, wanted: bool) -> Test:
    if field == "metadata.name":
        return lambda entry: (entry.name == value) == wanted
    if field == "metadata.namespace":
        return lambda entry: (entry.namespace == value) == wanted
    if field not in kind.fields:
        raise bad_request(_unknown(kind, field))
    return lambda entry: (field_text(entry.decode(), field) == value) == wanted


def _unknown(kind: Kind, field: str) -> str:
    if kind is JOBS:
        return f'field label "{field}" not supported for Job'
    if kind.custom or kind.fields:
        return f"field label not supported: {field}"
    known = 'only "metadata.name", "metadata.namespace"'
    return f'"{field}" is not a known field selector: {known}'


def field_text(obj: Object, field: str) -> str:
    """A field's value as a selector compares it: empty where there is none."""
    if field == "status.successful":
        return str((obj.get("status") or {}).get("succeeded", 0))
    value: object = obj
    for step in field.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    if isinstance(value, dict):  # the source of an event: its component
        value = value.get("component")
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)
