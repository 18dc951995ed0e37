"""Routes of Jobs by name, for earlier clients: answered from the store, else from the cluster.

Only SparkTest's own Jobs are shown, and nothing in the cluster is changed. Unlike all other
routes, the keys are in snake_case.
"""

from datetime import datetime
from typing import Any, Literal

import msgspec
from flask import Response, request
from sqlalchemy import Connection

from sparktest.api import runs
from sparktest.api.context import AppContext, app_context
from sparktest.api.fields import DNS_LABEL, path_name
from sparktest.api.openapi import Blueprint
from sparktest.api.responses import json_response
from sparktest.api.serializers import containers
from sparktest.api.store import logs
from sparktest.api.store import runs as store
from sparktest.api.store.engine import Row
from sparktest.api.transactions import in_transaction
from sparktest.domain import Scope, Status
from sparktest.errors import ConflictError, MalformedError, NotFoundError, SparkTestError
from sparktest.kube.jobs import RUN_ID, SELECTOR
from sparktest.kube.pod_template import container_names
from sparktest.kube.resources import JOBS, PODS

JobObject = dict[str, Any]
JobPhase = Literal["completed", "failed", "running", "pending"]

# These routes return the end of a log; the whole log has its own route.
TAIL_LINES = 1000
TAIL_BYTES = 1024 * 1024
PHASES: dict[str, JobPhase] = {
    Status.PENDING: "pending",
    Status.RUNNING: "running",
    Status.SUCCEEDED: "completed",
}
JOB_PARAMETER = [path_name("job")]

blueprint = Blueprint("k8s", __name__, description="Jobs by name, for earlier clients.")


class KubernetesHealth(msgspec.Struct, omit_defaults=True):
    """Connectivity of the cluster."""

    kubernetes_connected: bool
    timestamp: datetime
    error: str | None = None


class Job(msgspec.Struct):
    """A Job of SparkTest."""

    name: str
    namespace: str
    run_id: str | None
    status: JobPhase
    created_at: str | None


class Jobs(msgspec.Struct):
    """SparkTest's Jobs in the cluster."""

    jobs: list[Job]
    count: int
    timestamp: datetime


class JobStatus(msgspec.Struct):
    """The status of a Job."""

    job_name: str
    status: JobPhase
    timestamp: datetime


class JobLogs(msgspec.Struct):
    """The last lines of a Job's log."""

    job_name: str
    pod_name: str
    logs: str
    status: JobPhase
    timestamp: datetime


class Message(msgspec.Struct):
    """A message about what was done."""

    message: str
    timestamp: datetime


def _check_name() -> None:
    job = (request.view_args or {}).get("job")
    if job is not None and not DNS_LABEL.fullmatch(job):
        raise NotFoundError(f"SparkTest has no Job called {job!r}")


blueprint.before_request(_check_name)


@blueprint.route("/health")
@blueprint.response(200, KubernetesHealth)
def kubernetes_health() -> Response:
    """Check that the cluster answers; always 200, with the error where it does not."""
    ctx = app_context()
    error = None
    try:
        ctx.cluster().has_resource(JOBS)
    except SparkTestError as caught:
        error = caught.detail
    return json_response(KubernetesHealth(error is None, ctx.clock(), error))


@blueprint.route("/jobs")
@blueprint.response(200, Jobs)
@blueprint.errors(404)
def list_jobs() -> Response:
    """List SparkTest's Jobs in the namespaces of the settings, or in all namespaces."""
    ctx = app_context()
    jobs = [
        Job(
            name=job["metadata"]["name"],
            namespace=job["metadata"]["namespace"],
            run_id=(job["metadata"].get("labels") or {}).get(RUN_ID),
            status=_phase_of_job(job),
            created_at=job["metadata"].get("creationTimestamp"),
        )
        for job in _list_jobs(ctx)
    ]
    return json_response(Jobs(jobs, len(jobs), ctx.clock()))


@blueprint.route("/jobs/<job>", scope=Scope.RUN, methods=["DELETE"], parameters=JOB_PARAMETER)
@blueprint.response(200, Message)
def cancel_job(job: str) -> Response:
    """Request cancellation of this Job's run; the controller stops it."""
    ctx = app_context()

    def request_cancellation(connection: Connection) -> Response:
        run = store.find_job(connection, job)
        if run is None:
            raise NotFoundError(f"no run has a Job called {job!r}")
        runs.cancel(connection, ctx, runs.existing(connection, run["id"]))
        return json_response(Message(f"requested cancellation of run {run['id']}", ctx.clock()))

    return in_transaction(request_cancellation)


@blueprint.route("/jobs/<job>/status", endpoint="status_of_job", parameters=JOB_PARAMETER)
@blueprint.route("/status/<job>", parameters=JOB_PARAMETER)
@blueprint.response(200, JobStatus)
@blueprint.errors(409)
def job_status(job: str) -> Response:
    """Return the status of a Job."""
    ctx = app_context()
    run = _find_run(ctx, job)
    phase = _phase_of_run(run) if run else _phase_of_job(_get_job(ctx, job))
    return json_response(JobStatus(job, phase, ctx.clock()))


@blueprint.route("/logs/<job>", parameters=JOB_PARAMETER)
@blueprint.response(200, JobLogs)
@blueprint.errors(409)
def job_logs(job: str) -> Response:
    """Return the last 1000 lines of a Job's log."""
    ctx = app_context()
    run = _find_run(ctx, job)
    if run:
        pod, text, phase = "", _stored_tail(ctx, run), _phase_of_run(run)
    else:
        found = _get_job(ctx, job)
        phase = _phase_of_job(found)
        pod, text = _tail_of_pod(ctx, found)
    return json_response(JobLogs(job, pod, text, phase, ctx.clock()))


def _find_run(ctx: AppContext, job: str) -> Row | None:
    with ctx.store.reading() as connection:
        return store.find_job(connection, job)


def _phase_of_run(run: Row) -> JobPhase:
    return PHASES.get(run["status"], "failed")


def _phase_of_job(job: JobObject) -> JobPhase:
    status = job.get("status") or {}
    conditions = {
        condition.get("type")
        for condition in status.get("conditions") or []
        if condition.get("status") == "True"
    }
    if "Complete" in conditions:
        return "completed"
    if "Failed" in conditions:
        return "failed"
    return "running" if status.get("active") else "pending"


def _stored_tail(ctx: AppContext, run: Row) -> str:
    container = containers(run)[0]
    with ctx.store.reading() as connection:
        end = logs.length(connection, run["seq"], container)
        start = logs.start_of_tail(connection, run["seq"], container, TAIL_LINES)
        start = max(start, end - TAIL_BYTES)
        data = logs.read_all(connection, run["seq"], container, start, end)
    return data.decode(errors="replace")


def _list_jobs(ctx: AppContext, name: str | None = None) -> list[JobObject]:
    field_selector = f"metadata.name={name}" if name else None
    return [
        job
        for namespace in ctx.settings.namespaces or (None,)
        for job in ctx.cluster()
        .list(JOBS, namespace, label_selector=SELECTOR, field_selector=field_selector)
        .items
    ]


def _get_job(ctx: AppContext, name: str) -> JobObject:
    # Only a Job with our labels: other programs may create a Job of any name.
    jobs = _list_jobs(ctx, name)
    if not jobs:
        raise NotFoundError(f"SparkTest has no Job called {name!r}")
    if len(jobs) > 1:
        found = ", ".join(sorted(job["metadata"]["namespace"] for job in jobs))
        raise ConflictError(f"several namespaces have a Job called {name!r}: {found}")
    return jobs[0]


def _tail_of_pod(ctx: AppContext, job: JobObject) -> tuple[str, str]:
    """Return name and log of the Job's pod; each is empty while there is none."""
    metadata = job["metadata"]
    pods = ctx.cluster().list(
        PODS,
        metadata["namespace"],
        label_selector=f"batch.kubernetes.io/controller-uid={metadata['uid']}",
    )
    if not pods.items:
        return "", ""
    pod = pods.items[-1]["metadata"]["name"]
    container = container_names(pods.items[-1])[0]
    tail = b""
    try:
        with ctx.cluster().pod_log(
            metadata["namespace"], pod, container, tail_lines=TAIL_LINES
        ) as chunks:
            for chunk in chunks:
                tail = (tail + chunk)[-TAIL_BYTES:]
    except MalformedError:
        pass  # The container has not started.
    return pod, tail.decode(errors="replace")
