"""Read YAML and JSON files as kubectl does: documents, lists, folders, stdin."""

import json
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click
import yaml

from sparktest.cli.exits import warn
from sparktest.kube.fields import mapping, text

SUFFIXES = (".json", ".yaml", ".yml")
TAGS = "tag:yaml.org,2002:"
# Kubernetes has strings for these.
NOT_READ = (f"{TAGS}timestamp", f"{TAGS}value")
# YAML 1.1 takes 12:30 for a number with base 60.
BASE_60 = re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?")


class Document(NamedTuple):
    """An object in a file; `place` names the file, and the object in it."""

    place: str
    content: Any


class _Loader(yaml.SafeLoader):
    """A YAML loader like that of kubectl: 2026-01-02 and 12:30 are strings; a key occurs once."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Return the mapping, unless a key occurs twice."""
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != f"{TAGS}merge":
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(
                        problem=f"the key {key.value!r} occurs twice", problem_mark=key.start_mark
                    )
                seen.add(key.value)
        return super().construct_mapping(node, deep)

    def construct_number(self, node: yaml.ScalarNode) -> Any:
        """Return the number, or the text of one with base 60."""
        if BASE_60.fullmatch(node.value):
            return node.value
        if node.tag == f"{TAGS}int":
            return self.construct_yaml_int(node)
        return self.construct_yaml_float(node)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in NOT_READ]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _tag in ("int", "float"):
    _Loader.add_constructor(f"{TAGS}{_tag}", _Loader.construct_number)


def read_documents(paths: Sequence[Path]) -> list[Document]:
    """Return every object in files and folders, in order; `-` is stdin.

    A list, as `kubectl get -o yaml` prints it, counts as its items.

    Raises:
        UsageError: paths cannot be read, or have no object; every problem is printed.
    """
    found: list[Document] = []
    problems: list[str] = []
    for file in _files(paths, problems):
        try:
            documents = list(_documents_of(file))
        except click.UsageError as error:
            problems.append(error.message)
            continue
        if not documents:
            problems.append(f"{file}: has no object.")
        found += documents
    for problem in problems[:-1]:
        warn(problem)
    if problems:
        raise click.UsageError(problems[-1])
    return found


def _files(paths: Sequence[Path], problems: list[str]) -> Iterator[Path]:
    """Yield the files, also those in folders; add folders without any to the problems."""
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        try:
            inside = sorted(path.iterdir())
        except OSError as error:
            problems.append(f"{path}: {error.strerror}.")
            continue
        files = [each for each in inside if each.suffix in SUFFIXES and each.is_file()]
        if not files:
            problems.append(f"{path}: has no file that ends in {', '.join(SUFFIXES)}.")
        yield from files


def _documents_of(path: Path) -> Iterator[Document]:
    for number, content in enumerate(_parse(_text(path), str(path)), start=1):
        place = f"{path}: document {number}"
        items = content.get("items") if isinstance(content, dict) else None
        if isinstance(items, list) and text(content, "kind").endswith("List"):
            for index, item in enumerate(items, start=1):
                yield Document(f"{place}, item {index}{_described(item)}", item)
        else:
            yield Document(f"{place}{_described(content)}", content)


def _described(content: Any) -> str:
    """Return kind and name of an object, as far as it has them: ` (Job backend-test)`."""
    if not isinstance(content, dict):
        return ""
    metadata = mapping(content, "metadata")
    name = text(metadata, "name") or text(metadata, "generateName")
    words = [word for word in (text(content, "kind"), name) if word]
    return f" ({' '.join(words)})" if words else ""


def read_object(path: Path) -> dict[str, Any]:
    """Return the only document of a YAML or JSON file; `-` is stdin.

    Raises:
        UsageError: it cannot be read, or is not exactly one object.
    """
    return parse_object(_text(path), str(path))


def parse_object(text: str, source: str) -> dict[str, Any]:
    """Return the only document of a YAML or JSON text; errors name the source.

    Raises:
        UsageError: as `read_object`.
    """
    found = _parse(text, source)
    if len(found) != 1 or not isinstance(found[0], dict):
        raise click.UsageError(f"{source}: must have exactly one object, not {len(found)}.")
    return found[0]


def _parse(text: str, source: str) -> list[Any]:
    """Return the documents that are not empty."""
    try:
        documents = list(yaml.load_all(text, Loader=_Loader))
        # The API takes JSON, which has no dates, sets or NaN.
        documents = json.loads(json.dumps(documents, allow_nan=False))
    except yaml.YAMLError as error:
        raise click.UsageError(f"{source}: is not YAML: {_yaml_problem(error)}") from error
    except (TypeError, ValueError, RecursionError) as error:
        raise click.UsageError(
            f"{source}: has a value that is not valid in JSON: {error}"
        ) from error
    return [document for document in documents if document is not None]


def _yaml_problem(error: yaml.YAMLError) -> str:
    """Return what is wrong and where, on one line."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem and error.problem_mark:
        at = error.problem_mark
        return f"line {at.line + 1}, column {at.column + 1}: {error.problem}"
    return str(error)


def _text(path: Path) -> str:
    try:
        data = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
        return data.decode("utf-8")
    except OSError as error:
        raise click.UsageError(f"{path}: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise click.UsageError(f"{path}: is not UTF-8.") from error
