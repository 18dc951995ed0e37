"""Jobs, pods and runs as Kubernetes 1.34 and the API write them, to be changed where it matters."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sparktest.domain import K8sRef, Origin, Run, Status

T0 = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)
JOB_UID = "5e9c2c34-0000-4000-8000-000000000001"


def at(seconds: float) -> datetime:
    """Return the time this many seconds after T0."""
    return T0 + timedelta(seconds=seconds)


def text(seconds: float) -> str:
    """Return the same time as Kubernetes writes it."""
    return at(seconds).strftime("%Y-%m-%dT%H:%M:%SZ")


def a_run(**fields: Any) -> Run:
    """Return a pending API run whose Job was created at T0."""
    given: dict[str, Any] = {
        "id": "11111111-2222-4333-8444-555555555555",
        "name": "smoke",
        "status": Status.PENDING,
        "origin": Origin.API,
        "created_at": T0,
        "image": "busybox:1.35",
        "namespace": "tests",
        "job_name": "test-run-1",
        "job_uid": JOB_UID,
        "cluster": "here",
        "timeout_seconds": 60,
    }
    return Run(**(given | fields))


def a_testrun_run(**fields: Any) -> Run:
    """Return the same run of a TestRun."""
    ref = K8sRef(namespace="tests", name="smoke", uid="abcdef01-0000")
    return a_run(**({"origin": Origin.CRD, "k8s_ref": ref} | fields))


def a_job(*conditions: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Return a Job that was created at T0; `fields` go into its spec."""
    return {
        "metadata": {
            "name": "test-run-1",
            "namespace": "tests",
            "uid": JOB_UID,
            "creationTimestamp": text(0),
            "annotations": {},
        },
        "spec": fields,
        "status": {"startTime": text(0), "conditions": list(conditions)},
    }


def a_condition(kind: str, status: str = "True", seconds: float = 0, **more: Any) -> dict[str, Any]:
    """Return a condition that changed at this second."""
    return {"type": kind, "status": status, "lastTransitionTime": text(seconds), **more}


def a_pod(
    state: dict[str, Any] | None = None, *, phase: str = "Pending", **more: Any
) -> dict[str, Any]:
    """Return a pod on a node whose container `test` has this state; `more` goes into its status."""
    conditions = more.pop("conditions", [a_condition("PodScheduled")])
    return {
        "metadata": {"name": "test-run-1-x", "namespace": "tests", "creationTimestamp": text(0)},
        "spec": {"nodeName": "node1", "activeDeadlineSeconds": 60},
        "status": {
            "phase": phase,
            "conditions": conditions,
            "containerStatuses": [{"name": "test", "state": state}] if state else [],
            **more,
        },
    }


def running(seconds: float = 2) -> dict[str, Any]:
    """Return the state of a container that started at this second."""
    return {"running": {"startedAt": text(seconds)}}


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    """Return the state of a waiting container."""
    return {"waiting": {"reason": reason, "message": message}}


def exited(code: int, seconds: float = 9, **more: Any) -> dict[str, Any]:
    """Return the state of a container that ran from second 2 to this one."""
    reason = "Completed" if code == 0 else "Error"
    ended = {"exitCode": code, "reason": reason, "startedAt": text(2), "finishedAt": text(seconds)}
    return {"terminated": ended | more}


def being_deleted(pod: dict[str, Any], seconds: float, grace: int = 10) -> dict[str, Any]:
    """Return the pod after a request at this second to delete it."""
    metadata = {"deletionTimestamp": text(seconds + grace), "deletionGracePeriodSeconds": grace}
    return pod | {"metadata": pod["metadata"] | metadata}
