"""Routes of Jobs by their name, as earlier clients ask: from the store, else from the cluster.

Only SparkTest's own Jobs are ever shown, and nothing in the cluster is changed.
"""

from typing import Any

from flask import Response, request

from sparktest.api import runs
from sparktest.api.context import AppContext, app_context
from sparktest.api.fields import DNS_LABEL, path_name
from sparktest.api.parsing import Blueprint
from sparktest.api.response_schemas import (
    JobLogsSchema,
    JobsSchema,
    JobStatusSchema,
    KubernetesHealthSchema,
    MessageSchema,
)
from sparktest.api.responses import json_response
from sparktest.api.store import logs
from sparktest.api.store import runs as store
from sparktest.api.store.rows import Row
from sparktest.domain import Status
from sparktest.errors import NotFoundError, SparkTestError
from sparktest.kube.jobs import CONTAINER, RUN_ID, SELECTOR

Job = dict[str, Any]

# What these routes tell of a log; the whole of it has its own route.
TAIL_LINES = 1000
TAIL_BYTES = 1024 * 1024
OF_STATUS = {Status.PENDING: "pending", Status.RUNNING: "running", Status.SUCCEEDED: "completed"}
JOB = [path_name("job")]

blueprint = Blueprint("k8s", __name__, description="Jobs by name, as earlier clients ask.")


def _check_name() -> None:
    """Only what can be the name of a Job is looked for."""
    job = (request.view_args or {}).get("job")
    if job is not None and not DNS_LABEL.fullmatch(job):
        raise NotFoundError(f"SparkTest has no Job called {job!r}")


blueprint.before_request(_check_name)


@blueprint.route("/health")
@blueprint.response(200, KubernetesHealthSchema)
def health() -> Response:
    """Whether the cluster answers; always 200, with the reason where it does not."""
    ctx = app_context()
    said: dict[str, Any] = {"kubernetes_connected": True, "timestamp": ctx.clock()}
    try:
        from sparktest.kube.resources import JOBS

        ctx.cluster().served(JOBS)
    except SparkTestError as error:
        said |= {"kubernetes_connected": False, "error": error.detail}
    return json_response(said)


@blueprint.route("/jobs")
@blueprint.response(200, JobsSchema)
def list_jobs() -> Response:
    """SparkTest's Jobs in the namespaces that the settings name, in all where they name none."""
    ctx = app_context()
    found = [
        {
            "name": job["metadata"]["name"],
            "namespace": job["metadata"]["namespace"],
            "run_id": (job["metadata"].get("labels") or {}).get(RUN_ID),
            "status": _status_of_job(job),
            "created_at": job["metadata"].get("creationTimestamp"),
        }
        for job in _jobs(ctx)
    ]
    return json_response({"jobs": found, "count": len(found), "timestamp": ctx.clock()})


@blueprint.route("/jobs/<job>", methods=["DELETE"], parameters=JOB)
@blueprint.response(200, MessageSchema)
def cancel_job(job: str) -> Response:
    """Ask for the run of this Job to be stopped; the controller does it."""
    ctx = app_context()
    with ctx.store.writing() as connection:
        known = store.of_job(connection, job)
        if known is None:
            raise NotFoundError(f"no run has a Job called {job!r}")
        runs.cancel(connection, ctx, runs.existing(connection, known["id"]))
    message = f"run {known['id']} is asked to stop"
    return json_response({"message": message, "timestamp": ctx.clock()})


@blueprint.route("/jobs/<job>/status", parameters=JOB)
@blueprint.route("/status/<job>", parameters=JOB)
@blueprint.response(200, JobStatusSchema)
def job_status(job: str) -> Response:
    """The status of a Job."""
    ctx = app_context()
    run = _run(ctx, job)
    status = _status_of_run(run) if run else _status_of_job(_job(ctx, job))
    return json_response({"job_name": job, "status": status, "timestamp": ctx.clock()})


@blueprint.route("/logs/<job>", parameters=JOB)
@blueprint.response(200, JobLogsSchema)
def job_logs(job: str) -> Response:
    """The last 1000 lines of a Job's log."""
    ctx = app_context()
    run = _run(ctx, job)
    if run:
        pod, text, status = "", _stored_tail(ctx, run), _status_of_run(run)
    else:
        found = _job(ctx, job)
        status = _status_of_job(found)
        pod, text = _tail_of_pod(ctx, found)
    return json_response(
        {
            "job_name": job,
            "pod_name": pod,
            "logs": text,
            "timestamp": ctx.clock(),
            "status": status,
        }
    )


def _run(ctx: AppContext, job: str) -> Row | None:
    with ctx.store.reading() as connection:
        return store.of_job(connection, job)


def _status_of_run(run: Row) -> str:
    return OF_STATUS.get(Status(run["status"]), "failed")


def _status_of_job(job: Job) -> str:
    status = job.get("status") or {}
    ended = {
        condition.get("type")
        for condition in status.get("conditions") or []
        if condition.get("status") == "True"
    }
    if "Complete" in ended:
        return "completed"
    if "Failed" in ended:
        return "failed"
    return "running" if status.get("active") else "pending"


def _stored_tail(ctx: AppContext, run: Row) -> str:
    with ctx.store.reading() as connection:
        end = logs.length(connection, run["seq"], CONTAINER)
        start = logs.start_of_tail(connection, run["seq"], CONTAINER, TAIL_LINES)
        start = max(start, end - TAIL_BYTES)
        data = logs.read_all(connection, run["seq"], CONTAINER, start, end)
    return data.decode(errors="replace")


def _jobs(ctx: AppContext, name: str | None = None) -> list[Job]:
    from sparktest.kube.resources import JOBS

    field_selector = f"metadata.name={name}" if name else None
    return [
        job
        for namespace in ctx.settings.namespaces or (None,)
        for job in ctx.cluster()
        .list(JOBS, namespace, label_selector=SELECTOR, field_selector=field_selector)
        .items
    ]


def _job(ctx: AppContext, name: str) -> Job:
    # Only a Job with our labels: anybody may create a Job of any name.
    found = _jobs(ctx, name)
    if not found:
        raise NotFoundError(f"SparkTest has no Job called {name!r}")
    return found[0]


def _tail_of_pod(ctx: AppContext, job: Job) -> tuple[str, str]:
    """Name and log of the Job's pod; both empty where there is none yet."""
    from sparktest.kube.resources import PODS

    metadata = job["metadata"]
    pods = ctx.cluster().list(
        PODS,
        metadata["namespace"],
        label_selector=f"batch.kubernetes.io/controller-uid={metadata['uid']}",
    )
    if not pods.items:
        return "", ""
    pod = pods.items[-1]["metadata"]["name"]
    kept = b""
    with ctx.cluster().pod_log(
        metadata["namespace"], pod, CONTAINER, tail_lines=TAIL_LINES
    ) as chunks:
        for chunk in chunks:
            kept = (kept + chunk)[-TAIL_BYTES:]
    return pod, kept.decode(errors="replace")
