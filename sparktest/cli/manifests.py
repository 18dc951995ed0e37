"""Read request bodies from YAML and JSON files; the API validates them."""

import json
import sys
from pathlib import Path
from typing import Any

import click
import yaml

KIND = "TestRun"
GROUP = "sparktest.dev/"
TIMESTAMP = "tag:yaml.org,2002:timestamp"


class _Loader(yaml.SafeLoader):
    """Reads YAML as kubectl does: 2026-01-02 is a string, not a date."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != TIMESTAMP]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read_testruns(path: Path) -> list[dict[str, Any]]:
    """Return the request body of a run for each TestRun in a file; `-` is stdin.

    The file may have several documents and lists.

    Raises:
        UsageError: the file has no TestRun, or another object.
    """
    found: list[Any] = []
    for document in _documents(_text(path), str(path)):
        items = document.get("items") if isinstance(document, dict) else None
        found += items if isinstance(items, list) else [document]
    if not found:
        raise click.UsageError(f"{path}: has no {KIND}.")
    return [_body(path, document) for document in found]


def _body(path: Path, document: Any) -> dict[str, Any]:
    if not isinstance(document, dict):
        raise click.UsageError(f"{path}: every document must be an object.")
    api_version = str(document.get("apiVersion", ""))
    if document.get("kind") != KIND or not api_version.startswith(GROUP):
        raise click.UsageError(f"{path}: is not a {KIND} of {GROUP}v1alpha1.")
    metadata, spec = document.get("metadata"), document.get("spec")
    if not isinstance(metadata, dict) or not isinstance(spec, dict):
        raise click.UsageError(f"{path}: metadata and spec must be objects.")
    body = {key: value for key, value in spec.items() if key != "cancelled"}
    name = metadata.get("name") or str(metadata.get("generateName", "")).rstrip("-")
    return {"name": name, "labels": metadata.get("labels")} | body


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
    found = _documents(text, source)
    if len(found) != 1 or not isinstance(found[0], dict):
        raise click.UsageError(f"{source}: must have exactly one object, not {len(found)}.")
    return found[0]


def _documents(text: str, source: str) -> list[Any]:
    try:
        documents = list(yaml.load_all(text, Loader=_Loader))
        # The API takes JSON, which has no dates, sets or NaN.
        documents = json.loads(json.dumps(documents, allow_nan=False))
    except yaml.YAMLError as error:
        raise click.UsageError(f"{source}: is not YAML: {error}") from error
    except (TypeError, ValueError, RecursionError) as error:
        raise click.UsageError(
            f"{source}: has a value that is not valid in JSON: {error}"
        ) from error
    return [document for document in documents if document is not None]


def _text(path: Path) -> str:
    try:
        data = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
        return data.decode("utf-8")
    except OSError as error:
        raise click.UsageError(f"{path}: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise click.UsageError(f"{path}: is not UTF-8.") from error
