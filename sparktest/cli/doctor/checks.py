"""The result of a check, and the comparisons that checks need. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import yaml

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


class Right(NamedTuple):
    """A right of a Role: `resource` may have a subresource, such as `pods/log`."""

    verb: str
    resource: str
    group: str = ""
    name: str = ""

    def __str__(self) -> str:
        """Return it as for kubectl auth can-i: `get pods/log`, `get namespaces kube-system`."""
        return " ".join(filter(None, (self.verb, self.resource, self.name)))


def exit_code(checks: Iterable[Check]) -> Exit:
    """Return the exit code of the first problem: later ones may only follow from it."""
    return next((each.code for each in checks if each.state == PROBLEM), Exit.PASSED)


def granted_rights(documents: str, kind: str, name: str) -> list[Right]:
    """Return the rights of the first Role or ClusterRole of this name in YAML documents."""
    rules = next(
        each["rules"]
        for each in yaml.safe_load_all(documents)
        if each["kind"] == kind and each["metadata"]["name"] == name
    )
    return [
        Right(verb, resource, group, object_name)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for object_name in rule.get("resourceNames", [""])
        for verb in rule["verbs"]
    ]


def same_crd(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> bool:
    """Return True when two CRDs are the same in all that matters of each version."""
    return _versions(ours) == _versions(theirs)


def _versions(crd: Mapping[str, Any]) -> dict[str, Any]:
    compared = ("schema", "additionalPrinterColumns", "subresources")
    return {
        version["name"]: {key: version.get(key) for key in compared}
        for version in crd["spec"]["versions"]
    }
