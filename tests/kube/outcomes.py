"""Reports computed from Jobs and pods as a cluster has them."""

from datetime import datetime
from typing import Any

from sparktest.domain import Failure, FailureClass, Run, RunReport
from sparktest.kube import outcome
from sparktest.kube.jobs import STOP, encode_stop_reason
from sparktest.kube.pod_view import parse_pod
from sparktest.kube.views import parse_job
from tests.kube.objects import a_run, at

NOW = at(30)
NEVER_LOCATED = {
    "terminated": {
        "exitCode": 137,
        "reason": "ContainerStatusUnknown",
        "message": "The container could not be located when the pod was terminated",
        "startedAt": None,
        "finishedAt": None,
    }
}
CANCEL = Failure(class_=FailureClass.CANCELLED, reason="Cancelled", message="by Ann")


def stopped(job: dict[str, Any], failure: Failure = CANCEL) -> dict[str, Any]:
    job["metadata"]["annotations"][STOP] = encode_stop_reason(failure)
    return job


def out_of_time(pod: dict[str, Any], deadline: int = 60) -> dict[str, Any]:
    pod["spec"]["activeDeadlineSeconds"] = deadline
    pod["status"] |= {"phase": "Failed", "reason": "DeadlineExceeded"}
    return pod


def compute_report(run: Run, job: Any, pods: list[Any], now: datetime) -> RunReport:
    """Parse the objects as a cache does, then compute the report."""
    parsed = parse_job(job) if job is not None else None
    return outcome.compute_report(run, parsed, [parse_pod(pod) for pod in pods], now)


def seen(job: dict[str, Any] | None, *pods: dict[str, Any], **run: Any) -> RunReport:
    return compute_report(a_run(**run), job, list(pods), NOW)


def ended(report: RunReport) -> tuple[str, str | None, str | None]:
    failure = report.failure
    return (
        report.status.value,
        failure.class_.value if failure else None,
        failure.reason if failure else None,
    )
