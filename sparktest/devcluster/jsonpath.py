"""JSONPath as printer columns use it: names, indexes, wildcards, equality filters. Pure."""

import json
import re
from typing import Any

STEP = re.compile(
    r"""\.(?P<name>(?:[^.\[\\]|\\.)+)
      | \[(?P<union>\s*'[^']*'(?:\s*,\s*'[^']*')*\s*)\]
      | \[(?P<index>-?\d+|\*)\]
      | \[\?\(\s*@\.(?P<key>[\w.]+)\s*==\s*(?P<value>"[^"]*"|'[^']*'|[\w.]+)\s*\)\]""",
    re.VERBOSE,
)


def find(path: str, obj: Any) -> list[Any]:
    """Return the values at a path; none if the path has unsupported syntax."""
    found, position = [obj], 0
    path = path.strip().removeprefix("{").removesuffix("}").removeprefix("$")
    while position < len(path):
        step = STEP.match(path, position)
        if step is None:
            return []
        found = [below for value in found for below in _below(value, step)]
        position = step.end()
    return found


def _below(value: Any, step: re.Match[str]) -> list[Any]:
    name, union, index = step["name"], step["union"], step["index"]
    fields = value if isinstance(value, dict) else {}
    items = value if isinstance(value, list) else []
    if "*" in (name, index):
        return items or list(fields.values())
    if name or union:
        names = [name.replace("\\", "")] if name else re.findall(r"'([^']*)'", union)
        return [fields[key] for key in names if key in fields]
    if index:
        return [items[int(index)]] if -len(items) <= int(index) < len(items) else []
    children, wanted = items or fields.values(), step["value"].strip("\"'")
    return [each for each in children if wanted in map(to_text, find(f".{step['key']}", each))]


def to_text(value: Any) -> str:
    """Return a value as a cell shows it: text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
