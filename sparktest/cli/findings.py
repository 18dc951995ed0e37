"""What a check found: whether it is well, and what to do where it is not. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from sparktest.cli.exits import Exit

OK, PROBLEM, UNCHECKED = "ok", "problem", "unchecked"
COLOURS = {OK: "green", PROBLEM: "red", UNCHECKED: "yellow"}


class Finding(NamedTuple):
    """One line of `sparktest doctor`."""

    check: str
    state: str
    text: str
    todo: str = ""
    code: Exit = Exit.INFRA


def exit_code(findings: Iterable[Finding]) -> Exit:
    """The exit code of all: of the first problem, which those after it may follow from."""
    return next((each.code for each in findings if each.state == PROBLEM), Exit.PASSED)


def rights_of(roles: Iterable[Mapping[str, Any]], name: str) -> list[tuple[str, str, str]]:
    """Verb, resource (with /subresource) and group of every right that the ClusterRole gives."""
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
    """Whether a cluster's CRD says of each version what ours says."""
    return _versions(ours) == _versions(theirs)


def told_rights(rights: Iterable[tuple[str, str, str]]) -> str:
    """The rights as people read them: `patch pods, get pods/log`."""
    return ", ".join(f"{verb} {resource}" for verb, resource, _ in rights)


def _versions(crd: Mapping[str, Any]) -> dict[str, Any]:
    said = ("schema", "additionalPrinterColumns", "subresources")
    return {
        version["name"]: {key: version.get(key) for key in said}
        for version in crd["spec"]["versions"]
    }
