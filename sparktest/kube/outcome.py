"""What became of a run, read from its Job, its pods and the reason noted at a stop. Pure."""

import json
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec

from sparktest.domain import Failure, FailureClass, Run, RunReport, Status
from sparktest.kube import pods as pod_status
from sparktest.kube.jobs import STOP
from sparktest.kube.pods import Object, condition, moment, section

# A pod that is still there so long after its grace has no node left to end it.
LOST = timedelta(seconds=60)
# A stop sets the pod's deadline to this, so a deadline that passed tells a stop from a timeout.
STOP_DEADLINE_SECONDS = 1
MAX_TEXT = 2000


class Outcome(NamedTuple):
    """How a run ended: no failure means it succeeded."""

    failure: Failure | None
    finished_at: datetime


def observe(run: Run, job: Object | None, pods: list[Object], now: datetime) -> RunReport:
    """What the cluster says of the run now.

    Args:
        run: as the API has it.
        job: its own Job (compared by uid); None means that it is gone, which is an end.
        pods: the pods of that Job, in any order.
        now: used only for an end that the cluster puts no time on, and to give up a lost node.
    """
    pod = pod_status.main_pod(pods)
    end = _end(run, job, pod, now)
    started = pod_status.started_at(pod) or run.started_at
    job_uid = pod_status.uid_of(job) or run.job_uid
    if end is None:
        running = pod_status.container_state(pod)[0] == "running" or run.status is Status.RUNNING
        status = Status.RUNNING if running else Status.PENDING
        return RunReport(status=status, job_uid=job_uid, started_at=started)
    finished = max(end.finished_at, started) if started else end.finished_at
    return RunReport(
        status=status_of(end.failure),
        job_uid=job_uid,
        started_at=started,
        finished_at=finished,
        failure=end.failure,
    )


def status_of(failure: Failure | None) -> Status:
    """The final status that goes with a failure; None is success."""
    if failure is None:
        return Status.SUCCEEDED
    others = {
        FailureClass.CANCELLED: Status.CANCELLED,
        FailureClass.TIMEOUT: Status.TIMED_OUT,
    }
    return others.get(failure.class_, Status.FAILED)


def lost_deadline(pod: Object | None) -> datetime | None:
    """When a pod that is being deleted counts as lost with its node; None for any other pod."""
    deadline = moment(section(pod, "metadata").get("deletionTimestamp"))
    return deadline + LOST if deadline and not pod_status.terminal(pod) else None


def make_failure(kind: FailureClass, reason: str, message: str, **more: Any) -> Failure:
    """A failure whose texts are short enough to be stored."""
    return Failure(class_=kind, reason=reason[:200], message=message[:MAX_TEXT].strip(), **more)


def encode_stop_reason(failure: Failure) -> str:
    """The value of the annotation that says why a Job is being stopped."""
    return json.dumps(msgspec.to_builtins(failure))


def stop_reason(job: Object | None) -> Failure | None:
    """Why the Job is being stopped, as noted on it; None when it is not.

    What cannot be read counts as a cancel: whoever wrote it wanted the Job to end.
    """
    text = (section(job, "metadata").get("annotations") or {}).get(STOP)
    if text is None:
        return None
    try:
        found = msgspec.json.decode(str(text), type=Failure)
    except msgspec.MsgspecError:
        found = Failure(class_=FailureClass.CANCELLED, reason="Cancelled", message=str(text))
    return make_failure(found.class_, found.reason, found.message)


def _end(run: Run, job: Object | None, pod: Object | None, now: datetime) -> Outcome | None:
    stop = stop_reason(job)
    if pod_status.terminal(pod):
        return _pod_end(run, job, pod, now)
    lost = lost_deadline(pod)
    if lost and lost <= now:
        reason, message = pod_status.disruption(pod) or ("NodeLost", "")
        message = message or "its node stopped answering, and the pod could not be ended"
        return Outcome(stop or make_failure(FailureClass.INFRA, reason, message), now)
    if job is None:
        return Outcome(
            make_failure(FailureClass.INFRA, "JobDeleted", "the Job was deleted before it ended"),
            now,
        )
    return _job_end(run, job, pod, stop, now)


def _pod_end(run: Run, job: Object | None, pod: Object | None, now: datetime) -> Outcome:
    status, stop = section(pod, "status"), stop_reason(job)
    name, state = pod_status.container_state(pod)
    finished = moment(state.get("finishedAt")) or pod_status.last_change(pod) or now
    reason = str(status.get("reason") or "")
    if reason == "DeadlineExceeded":
        stopped = section(pod, "spec").get("activeDeadlineSeconds") == STOP_DEADLINE_SECONDS
        return Outcome(
            stop if stop and stopped else timeout(run, pod_status.has_log(pod)), finished
        )
    if _taken_away(pod, finished):
        # A Job that is out of time deletes its pod, which may be faster than the pod's deadline.
        late = timeout(run, pod_status.has_log(pod)) if _out_of_time(job) else None
        return Outcome(stop or late or _disrupted(pod), finished)
    if reason:
        return Outcome(
            make_failure(FailureClass.INFRA, reason, str(status.get("message") or "")), finished
        )
    if name == "terminated":
        return Outcome(_exit(state), finished)
    if pod_status.phase(pod) == "Succeeded":
        return Outcome(None, finished)
    message = str(status.get("message") or "the pod failed and does not say why")
    return Outcome(make_failure(FailureClass.INFRA, "PodFailed", message), finished)


def timeout(run: Run, started: bool) -> Failure:
    """The failure of a run that used up its time; it names what the run waited for, if it did."""
    if started:
        message = f"the test ran longer than its timeout of {run.timeout_seconds} s"
        return make_failure(FailureClass.TIMEOUT, "DeadlineExceeded", message)
    message = f"the test did not start within its timeout of {run.timeout_seconds} s"
    if run.status_reason:
        message += f": {run.status_reason}: {run.status_message or ''}".rstrip(": ")
    return make_failure(FailureClass.TIMEOUT, "DeadlineExceeded", message)


def _taken_away(pod: Object | None, finished: datetime) -> bool:
    # Both times are whole seconds: a test that ends in the second of the delete was ended by it.
    asked = pod_status.deletion_asked_at(pod)
    return asked is not None and finished >= asked


def _out_of_time(job: Object | None) -> bool:
    ends = (condition(job, "FailureTarget"), condition(job, "Failed"))
    return any(end is not None and end.get("reason") == "DeadlineExceeded" for end in ends)


def _disrupted(pod: Object | None) -> Failure:
    reason, message = pod_status.disruption(pod) or ("PodDeleted", "")
    message = message or "the pod was deleted before the test ended"
    return make_failure(FailureClass.INFRA, reason, message)


def _exit(state: Object) -> Failure | None:
    code = state.get("exitCode")
    reason = str(state.get("reason") or "Error")
    message = str(state.get("message") or "")
    if code == 0:
        return None
    if reason == "OOMKilled":
        text = message or "the test used more memory than its limit"
        return make_failure(FailureClass.INFRA, reason, text, exit_code=code)
    if reason == "ContainerStatusUnknown":
        return make_failure(FailureClass.INFRA, reason, message)
    if reason in pod_status.NEVER_RAN:
        return make_failure(FailureClass.CONFIG, reason, message)
    text = f"exit code {code}" + (f": {message}" if message else "")
    return make_failure(FailureClass.TEST, reason, text, exit_code=code)


def _job_end(
    run: Run, job: Object, pod: Object | None, stop: Failure | None, now: datetime
) -> Outcome | None:
    suspended = condition(job, "Suspended")
    if stop and suspended and pod is None:
        return Outcome(stop, moment(suspended.get("lastTransitionTime")) or now)
    complete = condition(job, "Complete")
    if complete:
        at = moment(section(job, "status").get("completionTime"))
        return Outcome(None, at or moment(complete.get("lastTransitionTime")) or now)
    failed = condition(job, "Failed")
    if not failed:
        return None
    at = moment(failed.get("lastTransitionTime")) or now
    if stop:
        return Outcome(stop, at)
    if _out_of_time(job):
        return Outcome(timeout(run, run.started_at is not None), at)
    message = f"the pod was gone before its result could be read ({failed.get('reason')})"
    return Outcome(make_failure(FailureClass.INFRA, "PodDeleted", message), at)
