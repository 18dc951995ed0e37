"""The strings in sparktest/ name only commands, options and files that exist."""

import ast
import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest

import sparktest
from tests.command_lines import problem_of

PACKAGE = Path(sparktest.__file__).parent
ROOT = PACKAGE.parent
MODULES = sorted(PACKAGE.rglob("*.py"))
# Replaces the values of an f-string.
VALUE = "VALUE"
# Up to punctuation, a pipe or the next command.
COMMAND = re.compile(r"(?<![\w./@-])(?:kubectl )?sparktest [a-z](?:(?!sparktest )[^`|&;,\n\"'()])*")
PATH = re.compile(
    r"(?<![\w:/.~-])(?:[\w.-]+/)+[\w.-]+\.(?:ya?ml|md|json|py|toml|cfg|txt|tcss|sql|ini|sh)\b"
)


def strings(source: str) -> Iterator[tuple[str, bool]]:
    """Yield every string of a module, and True if it is a docstring."""
    tree = ast.parse(source)
    docstrings: set[int] = set()
    parts: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            docstrings.add(id(node.value))
        if isinstance(node, ast.JoinedStr):
            parts |= {id(part) for part in node.values}
            texts = (
                str(part.value) if isinstance(part, ast.Constant) else VALUE for part in node.values
            )
            yield "".join(texts), False
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in parts:
            yield node.value, id(node) in docstrings


def nonexistent(source: str) -> list[str]:
    """Return the commands and files that a module names but that do not exist."""
    found: list[str] = []
    for text, is_docstring in strings(source):
        for command in COMMAND.findall(text):
            problem = problem_of(command.rstrip(" .:"))
            found += [f"{command}: {problem}"] if problem else []
        for path in PATH.findall(text):
            # Users have only the package; a docstring may also name a file of the repository.
            packaged = list(Path(str(files("sparktest.crd"))).glob(path.replace(VALUE, "*")))
            if not packaged and not (is_docstring and (ROOT / path).exists()):
                found.append(path)
    return found


@pytest.mark.parametrize(
    "module", MODULES, ids=[str(path.relative_to(PACKAGE)) for path in MODULES]
)
def test_a_module_names_only_commands_and_files_that_exist(module: Path) -> None:
    assert nonexistent(module.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("source", "named"),
    [
        ('warn("make one with: sparktest secret create")', "no command 'secret'"),
        ('warn(f"see: sparktest runs --nope {name}")', "no option --nope"),
        ('warn(f"{name}: kubectl sparktest follow {name}")', "no command 'follow'"),
        ('APPLY = ("kubectl", "apply", "-f", "crd/examples/testrun.yaml")', "crd/examples"),
        ('def f():\n    """Read docs/nothing.md."""', "docs/nothing.md"),
    ],
)
def test_nonexistent_commands_and_files_are_found(source: str, named: str) -> None:
    (found,) = nonexistent(source)

    assert named in found


def test_existing_commands_and_files_pass() -> None:
    assert (
        nonexistent('warn(f"use sparktest up, or sparktest logs -f {id} (sparktest runs)")') == []
    )
    assert nonexistent('read(f"examples/{name}.yaml")') == []
