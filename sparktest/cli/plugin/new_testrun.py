"""Manifests of new TestRuns. Pure."""

import re
from typing import Any

from sparktest.cli.lookup import FULL_ID
from sparktest.cli.manifests.conversion import Manifest
from sparktest.cli.manifests.overrides import override_spec
from sparktest.cli.options import image_name
from sparktest.kube.fields import Object

API_VERSION = "sparktest.dev/v1alpha1"
# Kubernetes appends to it, and the Job's name is longer still.
MAX_BASE = 40


def describe_run(definition: str | None, image: str | None) -> Manifest:
    """Return a run of a definition, given by name or id, or of an image."""
    if not definition:
        name, spec = image_name(image or ""), {"image": image}
    elif FULL_ID.fullmatch(definition):
        name, spec = "test", {"definitionId": definition}
    else:
        name, spec = definition, {"definitionName": definition}
    return Manifest("", keeps_name=False, metadata={"name": name}, spec=spec)


def build_testrun(
    document: Manifest,
    *,
    name: str | None,
    labels: dict[str, str],
    ttl: int | None,
    service_account: str | None,
    **overrides: Any,
) -> Object:
    """Return the manifest of the TestRun that a document describes, without a namespace.

    All but new TestRuns can be run again and again, so their TestRuns get generated names.
    `overrides`: of `override_spec`.
    """
    metadata = {key: value for key, value in document.metadata.items() if key != "namespace"}
    if name or not document.keeps_name:
        metadata = {
            key: value for key, value in metadata.items() if key in ("labels", "annotations")
        }
        named = {"name": name} if name else {"generateName": f"{_name_base(document.name)}-"}
        metadata = named | metadata
    if labels:
        metadata["labels"] = {**metadata.get("labels", {}), **labels}
    spec = override_spec(document.spec, **overrides)
    if service_account:
        spec["serviceAccountName"] = service_account
    if ttl is not None:
        spec["ttlSecondsAfterFinished"] = ttl
    return {"apiVersion": API_VERSION, "kind": "TestRun", "metadata": metadata, "spec": spec}


def _name_base(text: str) -> str:
    """Return the text as the beginning of the name of a Kubernetes object."""
    safe = re.sub(r"[^a-z0-9]+", "-", text.lower())[:MAX_BASE].strip("-")
    return safe or "test"
