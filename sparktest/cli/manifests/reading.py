"""Read manifests: check every document of every file before the first one is run."""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from sparktest.cli.crd import manifest as shipped_manifest
from sparktest.cli.exits import Exit, ExitError, warn
from sparktest.cli.manifests.conversion import KINDS, Manifest, convert, kind_problem
from sparktest.cli.manifests.fields import DEFINITION, field_problems
from sparktest.cli.manifests.files import Document, read_documents
from sparktest.kube.fields import Object


def read_manifests(paths: Sequence[Path]) -> list[Manifest]:
    """Return what every document of files and folders describes, in order; `-` is stdin.

    Prints what of them has no effect.

    Raises:
        UsageError: a path cannot be read.
        ExitError: a document cannot be run; every problem is printed.
    """
    found = [_check(document) for document in read_documents(paths)]
    problems = [f"{each.place}: {problem}" for each in found for problem in each.problems]
    for problem in problems[:-1]:
        warn(problem)
    if problems:
        raise ExitError(f"{problems[-1]}; nothing was started", Exit.USAGE)
    for each in found:
        for warning in each.warnings:
            warn(f"{each.place}: {warning}")
    return found


def check_template(template: Any) -> None:
    """Check the fields of a definition's `template`; null is allowed anywhere.

    Raises:
        ExitError: a field is unknown or has a wrong type; every problem is printed.
    """
    problems = template_problems(template)
    for problem in problems[:-1]:
        warn(problem)
    if problems:
        raise ExitError(f"{problems[-1]}; nothing was changed", Exit.USAGE)


def template_problems(template: Any) -> list[str]:
    """Return what is wrong with the fields of a `template`; null is allowed anywhere."""
    # As in `kind_schemas`.
    from sparktest.kube.model_schema import model_schema

    schema = {"type": "object", "properties": {"template": model_schema("V1PodTemplateSpec")}}
    return field_problems(DEFINITION, {"template": template}, schema)


def _check(document: Document) -> Manifest:
    place, content = document
    problems = [problem] if (problem := kind_problem(content)) else []
    if not problems:
        problems = field_problems(content["kind"], content, kind_schemas()[content["kind"]])
    if problems:
        return Manifest(place, keeps_name=False, metadata={}, spec={}, problems=problems)
    return convert(place, content)


@functools.cache
def kind_schemas() -> dict[str, Object]:
    """Return the schema of every kind that can be run, by its name."""
    # Importing the Kubernetes client takes 0.3 s, which other commands need not wait for.
    from sparktest.kube.model_schema import model_schema

    schemas = {kind: model_schema(f"V1{kind}") for kind in KINDS if kind != "TestRun"}
    crd = yaml.safe_load(shipped_manifest("testrun.yaml"))
    testrun = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    spec = testrun["properties"]["spec"]
    spec["properties"]["template"] = model_schema("V1PodTemplateSpec")
    top = {"apiVersion": {}, "kind": {}, "metadata": model_schema("V1ObjectMeta"), "spec": spec}
    schemas["TestRun"] = {"type": "object", "properties": top}
    # Written by Kubernetes, and not used.
    return {
        kind: {**schema, "properties": {**schema["properties"], "status": {}}}
        for kind, schema in schemas.items()
    }
