"""The outcome of a run, from its Job, its pods, its logs and the reason of a stop. Pure."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from sparktest.domain import Failure, FailureClass, Log, Run, RunReport, Status
from sparktest.kube import exec_errors
from sparktest.kube.pod_view import (
    NEVER_RAN,
    ContainerKind,
    ContainerState,
    ContainerView,
    InitContainer,
    PodView,
    main_pod,
)
from sparktest.kube.views import JobView
from sparktest.sanitize import clean_text

# A pod that still exists this long after its grace period has lost its node.
LOST_AFTER = timedelta(seconds=60)
# A stop sets the pod's deadline to this, which tells a stop from a timeout.
STOP_DEADLINE_SECONDS = 1
# The most that a message quotes of a log.
MAX_LAST_LINE = 200
# Reasons of a pod that the node refuses for what it asks for; the dev cluster says Unsupported.
REFUSED = (
    "Unsupported",
    "NodeAffinity",
    "PodOSNotSupported",
    "PodOSSelectorNodeLabelDoesNotMatch",
    "SysctlForbidden",
)
# Reasons of Events about a volume that cannot be mounted.
VOLUME_REASONS = ("FailedMount", "FailedMapVolume", "FailedAttachVolume")
# Reasons of a pod or of its condition DisruptionTarget, and the reason of the failure.
INFRA_REASONS = {
    "EvictionByEvictionAPI": "Evicted",
    "PreemptionByScheduler": "Preempted",
    "DeletionByTaintManager": "NodeLost",
    "DeletionByPodGC": "NodeLost",
    "Preempting": "Preempted",
    "Shutdown": "NodeShutdown",
    "Terminated": "NodeShutdown",
}


class Outcome(NamedTuple):
    """How a run ended; `failure` is None if it succeeded."""

    failure: Failure | None
    finished_at: datetime


class CollectedLog(NamedTuple):
    """A log that was read to its end.

    Attributes:
        log: its state in the API.
        last_line: its last line that is not blank; untrusted.
        whole_text: all of it; None if it is long or incomplete.
    """

    log: Log
    last_line: str = ""
    whole_text: str | None = None


def compute_report(
    run: Run, job: JobView | None, pods: Iterable[PodView], now: datetime
) -> RunReport:
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
    commit = pod.git_commit if pod else None
    if outcome is None:
        is_running = pod is not None and pod.container.kind == "running"
        running = is_running or run.status is Status.RUNNING
        status = Status.RUNNING if running else Status.PENDING
        return RunReport(status=status, job_uid=job_uid, started_at=started, git_commit=commit)
    return RunReport(
        status=final_status(outcome.failure),
        job_uid=job_uid,
        started_at=started,
        finished_at=max(outcome.finished_at, started) if started else outcome.finished_at,
        failure=outcome.failure,
        git_commit=commit,
    )


def add_log_details(report: RunReport, run: Run, logs: Mapping[str, CollectedLog]) -> RunReport:
    """Return the final report with what only the logs show; `logs` are by container.

    They show that a program could not be executed, and why an init container failed.
    """
    failure = report.failure
    if failure is None:
        return report
    if failure.class_ is FailureClass.TEST:
        failure = _exec_failure(failure, run, logs) or failure
    elif failure.class_ is FailureClass.CONFIG and (found := logs.get(failure.container or "")):
        failure = _with_last_line(failure, found.last_line)
    return msgspec.structs.replace(report, failure=failure)


def _with_last_line(failure: Failure, last_line: str) -> Failure:
    line = clean_text(last_line)[:MAX_LAST_LINE].strip()
    if line in failure.message:  # an empty line is part of every message
        return failure
    return msgspec.structs.replace(failure, message=f"{failure.message}: {line}")


def _exec_failure(failure: Failure, run: Run, logs: Mapping[str, CollectedLog]) -> Failure | None:
    """Return the failure of a test that was never executed; None if it was."""
    found = logs.get(run.containers[0])
    if failure.exit_code != exec_errors.EXIT_CODE or found is None or not found.whole_text:
        return None
    message = exec_errors.exec_error(found.whole_text, run)
    return Failure(FailureClass.CONFIG, "StartError", clean_text(message)) if message else None


def final_status(failure: Failure | None) -> Status:
    """Return the final status of a run with this failure; None means success."""
    if failure is None:
        return Status.SUCCEEDED
    others = {FailureClass.CANCELLED: Status.CANCELLED, FailureClass.TIMEOUT: Status.TIMED_OUT}
    return others.get(failure.class_, Status.FAILED)


def lost_deadline(pod: PodView | None) -> datetime | None:
    """Return when a pod counts as lost; None if it has ended or is not being deleted."""
    if pod is None or pod.deletes_at is None or pod.is_terminal:
        return None
    try:
        return pod.deletes_at + LOST_AFTER
    except OverflowError:
        return None


def _outcome(run: Run, job: JobView | None, pod: PodView | None, now: datetime) -> Outcome | None:
    stop = job.stop_reason if job else None
    if pod is not None and pod.is_terminal:
        return _pod_outcome(run, job, pod, now)
    lost = lost_deadline(pod)
    if pod is not None and lost and lost <= now:
        message = "its node stopped responding before the pod could be ended"
        return Outcome(stop or _infra_failure(pod, "NodeLost", message), now)
    if job is None:
        message = "the Job was deleted before it ended"
        return Outcome(Failure(FailureClass.INFRA, "JobDeleted", message), now)
    return _job_outcome(run, job, pod, now)


def _pod_outcome(run: Run, job: JobView | None, pod: PodView, now: datetime) -> Outcome:
    stop = job.stop_reason if job else None
    finished = pod.container.finished_at or pod.changed_at or now
    if pod.reason == "DeadlineExceeded":
        return _deadline_outcome(run, stop, pod, now)
    # These decide before the exit code: a test may handle TERM and exit with any code, even 0.
    if _deleted_before(pod, finished):
        # The Job's deadline may pass before the pod's, and then the Job deletes the pod.
        late = _timeout(run, pod) if job and job.deadline_exceeded else None
        what = "pod" if job and not job.is_deleting else "Job"
        message = f"the {what} was deleted before the test ended"
        failure = _infra_failure(pod, f"{what.title()}Deleted", message)
        return Outcome(stop or late or failure, finished)
    if pod.reason in REFUSED and not pod.has_log:
        return Outcome(Failure(FailureClass.CONFIG, pod.reason, pod.message), finished)
    if pod.reason or _disrupted_before(pod, finished):
        return Outcome(_infra_failure(pod, "Disrupted", ""), finished)
    if pod.failing_init and not pod.has_log:
        return Outcome(_init_failure(pod.failing_init), finished)
    if pod.container.kind == "terminated":
        return Outcome(_exit_failure(pod.container), finished)
    if pod.phase == "Succeeded":
        return Outcome(None, finished)
    return Outcome(_infra_failure(pod, "PodFailed", "the pod failed without a reason"), finished)


def _deadline_outcome(run: Run, stop: Failure | None, pod: PodView, now: datetime) -> Outcome:
    stopped = pod.active_deadline_seconds == STOP_DEADLINE_SECONDS
    # The conditions of a pod that never started a container do not change at its end.
    changed_at = pod.changed_at if run.started_at else pod.deletion_requested_at
    finished = pod.container.finished_at or changed_at or now
    return Outcome(stop if stop and stopped else _timeout(run, pod), finished)


def _timeout(run: Run, pod: PodView | None) -> Failure:
    """Return the failure of a run past its timeout, with what it waited for if it never started."""
    if pod.has_log if pod else run.started_at:
        # The deadline counts from the start of the pod: the test itself may have run for less.
        message = f"the run took longer than its timeout of {run.timeout_seconds} s"
        return Failure(FailureClass.TIMEOUT, "DeadlineExceeded", message)
    message = f"the test did not start within its timeout of {run.timeout_seconds} s"
    init = (pod.failing_init or pod.running_init) if pod else None
    if run.status_reason:
        parts = (message, run.status_reason, run.status_message)
        message = ": ".join(part for part in parts if part)
        if not run.status_reason.startswith("Init:"):
            # An init container that failed, too, was ended by the deadline.
            init = None
    elif pod and init:
        message += f": {_unfinished(pod.containers[init.name])}"
    name = init.name if init else None
    # The same reason as where the controller ends the wait for a volume before the kubelet does.
    waits = run.status_reason in VOLUME_REASONS
    reason = run.status_reason if run.status_reason and waits else "DeadlineExceeded"
    return Failure(FailureClass.TIMEOUT, reason, message, container=name)


def _unfinished(init: ContainerView) -> str:
    if init.kind is ContainerKind.SIDECAR:
        return f"sidecar {init.name} did not start or keep running"
    return f"init container {init.name} did not finish"


def _deleted_before(pod: PodView, finished: datetime) -> bool:
    # Both times are whole seconds; in doubt, the deletion ended the test.
    requested = pod.deletion_requested_at
    return requested is not None and finished >= requested


def _disrupted_before(pod: PodView, finished: datetime) -> bool:
    if pod.disruption is None:
        return False
    return pod.disruption.changed_at is None or finished >= pod.disruption.changed_at


def _infra_failure(pod: PodView, reason: str, message: str) -> Failure:
    """Return the failure with the pod's reason, else its disruption's, else the given one."""
    disruption = pod.disruption
    found = pod.reason or (disruption.reason if disruption else "")
    message = pod.message or (disruption.message if disruption else "") or message
    return Failure(FailureClass.INFRA, INFRA_REASONS.get(found, found or reason), message)


def _init_failure(init: InitContainer) -> Failure:
    code, reason = init.state.exit_code, f"Init:{init.state.reason or 'Error'}"
    message = f"init container {init.name}: {exit_message(code, init.state.message)}"
    return Failure(FailureClass.CONFIG, reason, message, exit_code=code, container=init.name)


def _exit_failure(state: ContainerState) -> Failure | None:
    code, message = state.exit_code, state.message
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
    return Failure(FailureClass.TEST, reason, exit_message(code, message), exit_code=code)


def exit_message(code: int | None, message: str) -> str:
    """Return the exit code of a container and the message of its end, which may be empty."""
    exited = "no exit code" if code is None else f"exit code {code}"
    return f"{exited}: {message.strip()}" if message.strip() else exited


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
        return Outcome(_timeout(run, pod), finished)
    message = f"the pod was gone before its result could be read ({job.failed.reason})"
    return Outcome(Failure(FailureClass.INFRA, "PodDeleted", message), finished)
