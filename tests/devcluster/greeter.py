"""A small kopf operator that reacts to created, cancelled and deleted TestRuns."""

from typing import Any

import kopf


@kopf.on.create("sparktest.dev", "v1alpha1", "testruns")
def greet(spec: kopf.Spec, body: kopf.Body, patch: kopf.Patch, **_: Any) -> None:
    patch.metadata.labels["greeted"] = "yes"
    patch.status["message"] = f"hello {spec['image']}"
    kopf.event(body, type="Normal", reason="Greeted", message="hello")


@kopf.on.field("sparktest.dev", "v1alpha1", "testruns", field="spec.cancelled")
def stop(new: Any, patch: kopf.Patch, **_: Any) -> None:
    if new:
        patch.status["reason"] = "Cancelled"


@kopf.on.delete("sparktest.dev", "v1alpha1", "testruns")
def bye(body: kopf.Body, **_: Any) -> None:
    kopf.event(body, type="Normal", reason="Left", message="goodbye")
