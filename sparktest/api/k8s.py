"""Routes of Jobs by their name, as earlier clients ask: from the store, else from the cluster.

Only SparkTest's own Jobs are ever shown, and nothing in the cluster is changed.
"""

from typing import Any

from flask import Response, request

from sparktest.api import runs
from sparktest.api.answer_schemas import (
    JobLogsSchema,
    JobsSchema,
    JobStatusSchema,
    KubernetesHealthSchema,
    MessageSchema,
)
from sparktest.api.answers import answer
from sparktest.api.arguments import Blueprint
from sparktest.api.doors import Doors, doors
from sparktest.api.fields import DNS_LABEL, path_name
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
    here = doors()
    said: dict[str, Any] = {"kubernetes_connected": True, "timestamp": here.clock()}
    try:
        from sparktest.kube.resources import JOBS

        here.cluster().served(JOBS)
    except SparkTestError as error:
        said |= {"kubernetes_connected": False, "error": error.detail}
    return answer(said)


@blueprint.route("/jobs")
@blueprint.response(200, JobsSchema)
def list_jobs() -> Response:
    """SparkTest's Jobs in the namespaces that the settings name, in all where they name none."""
    here = doors()
    found = [
        {
            "name": job["metadata"]["name"],
            "namespace": job["metadata"]["namespace"],
            "run_id": (job["metadata"].get("labels") or {}).get(RUN_ID),
            "status": _status_of_job(job),
            "created_at": job["metadata"].get("creationTimestamp"),
        }
        for job in _jobs(here)
    ]
    return answer({"jobs": found, "count": len(found), "timestamp": here.clock()})


@blueprint.route("/jobs/<job>", methods=["DELETE"], parameters=JOB)
@blueprint.response(200, MessageSchema)
def cancel_job(job: str) -> Response:
    """Ask for the run of this Job to be stopped; the controller does it."""
    here = doors()
    with here.store.writing() as connection:
        known = store.of_job(connection, job)
        if known is None:
            raise NotFoundError(f"no run has a Job called {job!r}")
        runs.cancel(connection, here, runs.existing(connection, known["id"]))
    message = f"run {known['id']} is asked to stop"
    return answer({"message": message, "timestamp": here.clock()})


@blueprint.route("/jobs/<job>/status", parameters=JOB)
@blueprint.route("/status/<job>", parameters=JOB)
@blueprint.response(200, JobStatusSchema)
def job_status(job: str) -> Response:
    """The status of a Job."""
    here = doors()
    run = _run(here, job)
    status = _status_of_run(run) if run else _status_of_job(_job(here, job))
    return answer({"job_name": job, "status": status, "timestamp": here.clock()})


@blueprint.route("/logs/<job>", parameters=JOB)
@blueprint.response(200, JobLogsSchema)
def job_logs(job: str) -> Response:
    """The last 1000 lines of a Job's log."""
    here = doors()
    run = _run(here, job)
    if run:
        pod, text, status = "", _stored_tail(here, run), _status_of_run(run)
    else:
        found = _job(here, job)
        status = _status_of_job(found)
        pod, text = _tail_of_pod(here, found)
    return answer(
        {
            "job_name": job,
            "pod_name": pod,
            "logs": text,
            "timestamp": here.clock(),
            "status": status,
        }
    )


def _run(here: Doors, job: str) -> Row | None:
    with here.store.reading() as connection:
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


def _stored_tail(here: Doors, run: Row) -> str:
    with here.store.reading() as connection:
        end = logs.length(connection, run["seq"], CONTAINER)
        start = logs.start_of_tail(connection, run["seq"], CONTAINER, TAIL_LINES)
        start = max(start, end - TAIL_BYTES)
        data = logs.read_all(connection, run["seq"], CONTAINER, start, end)
    return data.decode(errors="replace")


def _jobs(here: Doors, name: str | None = None) -> list[Job]:
    from sparktest.kube.resources import JOBS

    field_selector = f"metadata.name={name}" if name else None
    return [
        job
        for namespace in here.settings.namespaces or (None,)
        for job in here.cluster()
        .list(JOBS, namespace, label_selector=SELECTOR, field_selector=field_selector)
        .items
    ]


def _job(here: Doors, name: str) -> Job:
    # Only a Job with our labels: anybody may create a Job of any name.
    found = _jobs(here, name)
    if not found:
        raise NotFoundError(f"SparkTest has no Job called {name!r}")
    return found[0]


def _tail_of_pod(here: Doors, job: Job) -> tuple[str, str]:
    """Name and log of the Job's pod; both empty where there is none yet."""
    from sparktest.kube.resources import PODS

    metadata = job["metadata"]
    pods = here.cluster().list(
        PODS,
        metadata["namespace"],
        label_selector=f"batch.kubernetes.io/controller-uid={metadata['uid']}",
    )
    if not pods.items:
        return "", ""
    pod = pods.items[-1]["metadata"]["name"]
    kept = b""
    with here.cluster().pod_log(
        metadata["namespace"], pod, CONTAINER, tail_lines=TAIL_LINES
    ) as chunks:
        for chunk in chunks:
            kept = (kept + chunk)[-TAIL_BYTES:]
    return pod, kept.decode(errors="replace")
