"""Parse label selectors in Kubernetes' syntax: `a=b,c!=d,e in (x, y),f notin (z),g,!h`. Pure.

A value may also have spaces inside: labels of runs that are no TestRuns are free texts.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from sparktest.errors import InvalidError

_KEY = r"[^\s,()!=<>]+"
_VALUE = r"[^,()!=<>]*"
_REQUIREMENT = re.compile(
    rf"\s*(?:(?P<absent>!)\s*(?P<no_key>{_KEY})"
    rf"|(?P<key>{_KEY})"
    rf"(?:\s*(?P<operator>==?|!=)(?P<value>{_VALUE})"
    rf"|\s+(?P<set>in|notin)\s*\((?P<values>{_VALUE}(?:,{_VALUE})*)\))?)\s*"
)


@dataclass(frozen=True, slots=True)
class Requirement:
    """What a selector asks of one label.

    Attributes:
        key: the key of the label.
        values: the label must have one of them; empty: any value will do.
        negated: the label must not be so; a run without the label is selected.
    """

    key: str
    values: tuple[str, ...] = ()
    negated: bool = False

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Return True when an object with these labels is selected."""
        there = self.key in labels and (not self.values or labels[self.key] in self.values)
        return there != self.negated


def parse_selector(text: str) -> list[Requirement]:
    """Return the requirements of a selector; a run must meet all of them.

    Raises:
        InvalidError: the selector is malformed.
    """
    requirements, position = [], 0
    while True:
        match = _REQUIREMENT.match(text, position)
        if match is None or (match.end() < len(text) and text[match.end()] != ","):
            raise _malformed(text, match.end() if match else position)
        requirements.append(_requirement(match))
        if match.end() == len(text):
            return requirements
        position = match.end() + 1


def _requirement(match: re.Match[str]) -> Requirement:
    if match["absent"]:
        return Requirement(match["no_key"], negated=True)
    if match["set"]:
        values = sorted({value.strip() for value in match["values"].split(",")})
        return Requirement(match["key"], tuple(values), negated=match["set"] == "notin")
    if match["operator"]:
        return Requirement(match["key"], (match["value"].strip(),), match["operator"] == "!=")
    return Requirement(match["key"])


def _malformed(text: str, position: int) -> InvalidError:
    rest = text[position:].strip()
    found = f"{rest[:40]!r}" if rest else "its end"
    return InvalidError(
        f"is not a label selector at {found}; examples: a=b, a!=b, 'a in (b,c)', "
        "'a notin (b,c)', a, !a, several joined by commas"
    )
