"""Objects to convert, for tests."""

from typing import Any

from sparktest.cli.manifests.conversion import Manifest, convert

CONTAINER = {"name": "t", "image": "busybox"}


def job(spec: dict[str, Any] | None = None, **pod: Any) -> dict[str, Any]:
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "unit", "labels": {"team": "shop"}},
        "spec": {"template": {"spec": {"containers": [CONTAINER], **pod}}, **(spec or {})},
    }


def pod(metadata: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "check", **(metadata or {})},
        "spec": {"containers": [CONTAINER], **spec},
    }


def testrun(**spec: Any) -> dict[str, Any]:
    return job() | {"kind": "TestRun", "apiVersion": "sparktest.dev/v1alpha1", "spec": spec}


# pytest would take a function of this name for a test.
testrun.__test__ = False  # type: ignore[attr-defined]


def converted(content: dict[str, Any]) -> Manifest:
    manifest = convert("x", content)
    assert (manifest.place, list(manifest.problems)) == ("x", [])
    return manifest
