"""The outcome of a run, from its Job, its pods and the reason of a stop. Pure."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from sparktest.domain import Failure, FailureClass, Run, RunReport, Status
from sparktest.kube.views import NEVER_RAN, ContainerState, JobView, PodView, main_pod

# A pod that still exists this long after its grace period has lost its node.
LOST = timedelta(seconds=60)
# A stop sets the pod's deadline to this, which tells a stop from a timeout.
STOP_DEADLINE_SECONDS = 1
# Reasons of the condition DisruptionTarget, and the reason that a failure gives.
DISRUPTIONS = {
    "EvictionByEvictionAPI": "Evicted",
    "PreemptionByScheduler": "Preempted",
    "DeletionByTaintManager": "NodeLost",
    "DeletionByPodGC": "NodeLost",
}


class Outcome(NamedTuple):
    """How a run ended; `failure` is None if it succeeded."""

    failure: Failure | None
    finished_at: datetime


def observe(run: Run, job: JobView | None, pods: Iterable[PodView], now: datetime) -> RunReport:
    """Return the report of a run, from the state of its Job and pods.

    Args:
        run: the run as stored in the API.
        job: the run's own Job; None if it was deleted, which ends the run.
        pods: the pods of that Job, in any order.
        now: the end of a run whose end has no other time; also decides when a node is lost.
    """
    pod = main_pod(pods)
    outcome = _outcome(run, job, pod, now)
    started = (pod.started_at if pod else None) or run.started_at
    job_uid = (job.uid if job else None) or run.job_uid
    if outcome is None:
        is_running = pod is not None and pod.container.kind == "running"
        running = is_running or run.status is Status.RUNNING
        status = Status.RUNNING if running else Status.PENDING
        return RunReport(status=status, job_uid=job_uid, started_at=started)
    return RunReport(
        status=final_status(outcome.failure),
        job_uid=job_uid,
        started_at=started,
        finished_at=max(outcome.finished_at, started) if started else outcome.finished_at,
        failure=outcome.failure,
    )


def final_status(failure: Failure | None) -> Status:
    """Return the final status of a run with this failure; None means success."""
    if failure is None:
        return Status.SUCCEEDED
    others = {
        FailureClass.CANCELLED: Status.CANCELLED,
        FailureClass.TIMEOUT: Status.TIMED_OUT,
    }
    return others.get(failure.class_, Status.FAILED)


def lost_deadline(pod: PodView | None) -> datetime | None:
    """Return when a pod counts as lost; None if it has ended or is not being deleted."""
    if pod is None or pod.deletes_at is None or pod.is_terminal:
        return None
    try:
        return pod.deletes_at + LOST
    except OverflowError:
        return None


def _outcome(run: Run, job: JobView | None, pod: PodView | None, now: datetime) -> Outcome | None:
    stop = job.stop_reason if job else None
    if pod is not None and pod.is_terminal:
        return _pod_outcome(run, job, pod, now)
    lost = lost_deadline(pod)
    if pod is not None and lost and lost <= now:
        reason, message = _disruption(pod) or ("NodeLost", "")
        message = message or "its node stopped responding before the pod could be ended"
        return Outcome(stop or Failure(FailureClass.INFRA, reason, message), now)
    if job is None:
        message = "the Job was deleted before it ended"
        return Outcome(Failure(FailureClass.INFRA, "JobDeleted", message), now)
    return _job_outcome(run, job, pod, now)


def _pod_outcome(run: Run, job: JobView | None, pod: PodView, now: datetime) -> Outcome:
    stop = job.stop_reason if job else None
    finished = pod.container.finished_at or pod.changed_at or now
    if pod.reason == "DeadlineExceeded":
        stopped = pod.active_deadline_seconds == STOP_DEADLINE_SECONDS
        return Outcome(stop if stop and stopped else _timeout(run, started=pod.has_log), finished)
    if _deleted_before(pod, finished):
        # The Job's deadline may pass before the pod's, and then the Job deletes the pod.
        late = _timeout(run, started=pod.has_log) if job and job.deadline_exceeded else None
        reason, message = _disruption(pod) or ("PodDeleted", "")
        message = message or "the pod was deleted before the test ended"
        return Outcome(stop or late or Failure(FailureClass.INFRA, reason, message), finished)
    if pod.reason:
        return Outcome(Failure(FailureClass.INFRA, pod.reason, pod.message), finished)
    if pod.container.kind == "terminated":
        return Outcome(_exit_failure(pod.container), finished)
    if pod.phase == "Succeeded":
        return Outcome(None, finished)
    message = pod.message or "the pod failed without a reason"
    return Outcome(Failure(FailureClass.INFRA, "PodFailed", message), finished)


def _timeout(run: Run, *, started: bool) -> Failure:
    """Return the failure of a run past its timeout, with what it waited for if it never started."""
    if started:
        message = f"the test ran longer than its timeout of {run.timeout_seconds} s"
        return Failure(FailureClass.TIMEOUT, "DeadlineExceeded", message)
    message = f"the test did not start within its timeout of {run.timeout_seconds} s"
    if run.status_reason:
        message += f": {run.status_reason}: {run.status_message or ''}".rstrip(": ")
    return Failure(FailureClass.TIMEOUT, "DeadlineExceeded", message)


def _deleted_before(pod: PodView, finished: datetime) -> bool:
    # Both times are whole seconds; in doubt, the deletion ended the test.
    requested = pod.deletion_requested_at
    return requested is not None and finished >= requested


def _disruption(pod: PodView) -> tuple[str, str] | None:
    if pod.disruption is None:
        return None
    reason = pod.disruption.reason
    return DISRUPTIONS.get(reason, reason or "Disrupted"), pod.disruption.message


def _exit_failure(state: ContainerState) -> Failure | None:
    code, message = state.exit_code, state.message.strip()
    reason = state.reason or "Error"
    if code == 0:
        return None
    if reason == "OOMKilled":
        message = message or "the test used more memory than its limit"
        return Failure(FailureClass.INFRA, reason, message, exit_code=code)
    if reason == "ContainerStatusUnknown":
        return Failure(FailureClass.INFRA, reason, message)
    if reason in NEVER_RAN:
        return Failure(FailureClass.CONFIG, reason, message)
    exited = "no exit code" if code is None else f"exit code {code}"
    message = f"{exited}: {message}" if message else exited
    return Failure(FailureClass.TEST, reason, message, exit_code=code)


def _job_outcome(run: Run, job: JobView, pod: PodView | None, now: datetime) -> Outcome | None:
    stop = job.stop_reason
    if stop and job.suspended and pod is None:
        return Outcome(stop, job.suspended.changed_at or now)
    if job.complete:
        return Outcome(None, job.completed_at or job.complete.changed_at or now)
    if not job.failed:
        return None
    finished = job.failed.changed_at or now
    if stop:
        return Outcome(stop, finished)
    if job.deadline_exceeded:
        return Outcome(_timeout(run, started=run.started_at is not None), finished)
    message = f"the pod was gone before its result could be read ({job.failed.reason})"
    return Outcome(Failure(FailureClass.INFRA, "PodDeleted", message), finished)
