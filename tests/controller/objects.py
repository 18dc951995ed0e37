"""Runs, TestRuns, Jobs, pods and observations as values."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sparktest.controller.observation import Observation
from sparktest.controller.testruns import TestRunView, parse_testrun
from sparktest.domain import Failure, FailureClass, K8sRef, Origin, Run, Status
from sparktest.kube.jobs import RUN_ID
from sparktest.kube.pod_view import PodView, parse_pod
from sparktest.kube.views import JobView, parse_job

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)
EXIT_3 = Failure(class_=FailureClass.TEST, reason="Error", message="exit code 3", exit_code=3)
MISSING = Failure(FailureClass.CONFIG, "DefinitionNotFound", "no such definition")
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


def a_testrun(status: Any = None, spec: Any = None, **metadata: Any) -> TestRunView:
    """Return the TestRun smoke; `metadata` is merged into its metadata."""
    given = {"name": "smoke", "namespace": "tests", "uid": "u", "generation": 3} | metadata
    return parse_testrun({"metadata": given, "spec": spec or {}, "status": status or {}})


def observation(found: Run | None = None, status: Any = None, **fields: Any) -> Observation:
    """Return what is known of the run of the TestRun smoke, which has this status."""
    given: dict[str, Any] = {"key": ("tests", "j"), "cluster": "here", "run": found}
    given["testrun"] = a_testrun(status)
    return Observation(**(given | fields))


def job(status: Any = COMPLETE, owner: Any = OWNER, **spec: Any) -> JobView:
    """Return the Job of run-1."""
    return parse_job(job_object(status, owner, **spec))


def job_object(status: Any = COMPLETE, owner: Any = OWNER, **spec: Any) -> dict[str, Any]:
    metadata = {"name": "j", "namespace": "tests", "uid": "job-1", "labels": {RUN_ID: "run-1"}}
    return {"metadata": metadata | {"ownerReferences": owner}, "spec": spec, "status": status}


def pod(state: str, spec: Any = None, metadata: Any = None, **status: Any) -> PodView:
    """Return the pod of the Job, whose test is in that state; `status` is merged into its own."""
    started = {"startedAt": NOW.isoformat()}
    states: dict[str, Any] = {
        "running": started,
        "terminated": started | {"reason": "Completed", "exitCode": 0},
    }
    containers = [{"name": "test", "state": {state: states[state]}}]
    given = {"name": "p", "namespace": "tests", "ownerReferences": [{"uid": "job-1"}]}
    return parse_pod(
        {
            "metadata": given | (metadata or {}),
            "spec": {"nodeName": "node1", "activeDeadlineSeconds": 3600} | (spec or {}),
            "status": {"containerStatuses": containers} | status,
        }
    )
