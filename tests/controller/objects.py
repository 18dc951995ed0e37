"""Runs, TestRuns, Jobs and pods as values, and what is known of them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sparktest.controller.observation import Observation
from sparktest.domain import Failure, FailureClass, K8sRef, Origin, Run, Status
from sparktest.kube.jobs import RUN_ID
from sparktest.kube.outcome import make_failure

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)
EXIT_3 = Failure(class_=FailureClass.TEST, reason="Error", message="exit code 3", exit_code=3)
MISSING = make_failure(FailureClass.CONFIG, "DefinitionNotFound", "no such definition")
OWNER = [{"uid": "u", "controller": True}]
REF = K8sRef(namespace="tests", name="smoke", uid="u")
COMPLETE = {"conditions": [{"type": "Complete", "status": "True"}]}


def run(status: Status = Status.PENDING, **fields: Any) -> Run:
    given: dict[str, Any] = {
        "id": "run-1",
        "name": "smoke",
        "status": status,
        "origin": Origin.CRD,
        "created_at": NOW,
        "job_name": "testrun-smoke-1",
    }
    return Run(**(given | fields))


def observation(found: Run | None = None, status: Any = None, **fields: Any) -> Observation:
    metadata = {"name": "smoke", "namespace": "tests", "uid": "u", "generation": 3}
    testrun = {"metadata": metadata, "spec": {}, "status": status or {}}
    return Observation(
        **({"key": ("tests", "j"), "cluster": "here", "testrun": testrun, "run": found} | fields)
    )


def job(status: Any = COMPLETE, owner: Any = OWNER, **spec: Any) -> dict[str, Any]:
    metadata = {"name": "j", "namespace": "tests", "uid": "job-1", "labels": {RUN_ID: "run-1"}}
    metadata["ownerReferences"] = owner
    return {"metadata": metadata, "spec": spec, "status": status}


def pod(state: str, **status: Any) -> dict[str, Any]:
    container = {"name": "test", "state": {state: {"reason": "Completed"}}}
    metadata = {"name": "p", "namespace": "tests", "ownerReferences": [{"uid": "job-1"}]}
    return {"metadata": metadata, "status": {"containerStatuses": [container], **status}}
