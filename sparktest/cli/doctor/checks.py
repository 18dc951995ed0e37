"""The result of a check, and the comparisons that checks need. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from sparktest.cli.exits import Exit

OK, PROBLEM, UNCHECKED = "ok", "problem", "unchecked"
COLOURS = {OK: "green", PROBLEM: "red", UNCHECKED: "yellow"}


class Check(NamedTuple):
    """One line of `sparktest doctor`: `todo` says how to fix a problem."""

    check: str
    state: str
    text: str
    todo: str = ""
    code: Exit = Exit.INFRA


def exit_code(checks: Iterable[Check]) -> Exit:
    """Return the exit code of the first problem: later ones may only follow from it."""
    return next((each.code for each in checks if each.state == PROBLEM), Exit.PASSED)


def role_rights(roles: Iterable[Mapping[str, Any]], name: str) -> list[tuple[str, str, str]]:
    """Return verb, resource (with /subresource) and group of every right of a ClusterRole."""
    rules = [
        rule
        for role in roles
        if role.get("kind") == "ClusterRole" and role["metadata"]["name"] == name
        for rule in role["rules"]
    ]
    return [
        (verb, resource, group)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    ]


def same_crd(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> bool:
    """Return True when two CRDs are the same in all that matters of each version."""
    return _versions(ours) == _versions(theirs)


def format_rights(rights: Iterable[tuple[str, str, str]]) -> str:
    """Return the rights for people: `patch pods, get pods/log`."""
    return ", ".join(f"{verb} {resource}" for verb, resource, _ in rights)


def _versions(crd: Mapping[str, Any]) -> dict[str, Any]:
    compared = ("schema", "additionalPrinterColumns", "subresources")
    return {
        version["name"]: {key: version.get(key) for key in compared}
        for version in crd["spec"]["versions"]
    }
