"""JSONPath as printer columns use it: names, indexes, wildcards, equality filters. Pure."""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

STEP = re.compile(
    r"""\.(?P<name>(?:[^.\[\\]|\\.)+)
      | \[(?P<union>\s*'[^']*'(?:\s*,\s*'[^']*')*\s*)\]
      | \[(?P<index>-?\d+|\*)\]
      | \[\?\(\s*@\.(?P<key>[\w.]+)\s*==\s*(?P<value>"[^"]*"|'[^']*'|[\w.]+)\s*\)\]""",
    re.VERBOSE,
)


def find(path: str, obj: Any) -> list[Any]:
    """Return the values at a path: none if nothing is there or the path has another syntax."""
    found, position = [obj], 0
    path = path.strip().removeprefix("{").removesuffix("}").removeprefix("$")
    while position < len(path):
        step = STEP.match(path, position)
        if step is None:
            return []
        found = [below for value in found for below in _below(value, step)]
        position = step.end()
    return found


def _below(value: Any, step: re.Match[str]) -> Iterator[Any]:
    name, index = step["name"], step["index"]
    if name == "*" or index == "*":
        yield from _children(value)
    elif name is not None:
        yield from _named(value, [name.replace("\\", "")])
    elif step["union"] is not None:
        yield from _named(value, re.findall(r"'([^']*)'", step["union"]))
    elif index is not None:
        if isinstance(value, list) and -len(value) <= int(index) < len(value):
            yield value[int(index)]
    else:
        wanted = step["value"].strip("\"'")
        for child in _children(value):
            if wanted in map(to_text, find("." + step["key"], child)):
                yield child


def _named(value: Any, names: Iterable[str]) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from (value[name] for name in names if name in value)


def _children(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, list):
        yield from value


def to_text(value: Any) -> str:
    """Return a value as a cell shows it: text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
