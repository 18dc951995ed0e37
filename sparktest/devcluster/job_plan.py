"""Plan the next steps of the Job controller: status, pods to create and to delete. Pure."""

from copy import deepcopy
from datetime import datetime

import msgspec

from sparktest.devcluster.admission import TRACKING
from sparktest.devcluster.clock import deadline
from sparktest.devcluster.objects import condition, ended, finished, is_true, phase, will_not_run
from sparktest.devcluster.stored_objects import Object
from sparktest.times import format_time, parse_time

BACKOFF_SECONDS, MAX_BACKOFF_SECONDS = 10.0, 600.0
REACHED = ("CompletionsReached", "Reached expected number of succeeded pods")
LIMIT = ("BackoffLimitExceeded", "Job has reached the specified backoff limit")
DEADLINE = ("DeadlineExceeded", "Job was active longer than specified deadline")


class PlannedEvent(msgspec.Struct, frozen=True):
    """An Event to record about the Job."""

    reason: str
    message: str
    warning: bool = False


class JobPlan(msgspec.Struct):
    """The next steps for a Job.

    Attributes:
        status: the new status.
        create: the number of pods to create.
        delete: pods to delete.
        release: counted pods, whose finalizer is removed.
        events: Events to record.
        requeue_after: seconds until the Job is planned again without a change, or None.
    """

    status: Object
    create: int = 0
    delete: list[Object] = msgspec.field(default_factory=list)
    release: list[Object] = msgspec.field(default_factory=list)
    events: list[PlannedEvent] = msgspec.field(default_factory=list)
    requeue_after: float | None = None

    def requeue(self, seconds: float) -> None:
        """Plan the Job again after at most these seconds."""
        known = self.requeue_after
        self.requeue_after = seconds if known is None else min(known, seconds)


def plan_job(job: Object, pods: list[Object], now: datetime) -> JobPlan:
    """Return the plan for a Job that is not being deleted.

    Args:
        job: the Job.
        pods: all its pods; those with the tracking finalizer have not been counted.
        now: the current time.
    """
    plan = JobPlan(status=deepcopy(job.get("status") or {}))
    tracked = [pod for pod in pods if TRACKING in (pod["metadata"].get("finalizers") or ())]
    if finished(job):
        plan.release = tracked
        return plan
    counted = [pod for pod in tracked if will_not_run(pod)]
    active = [pod for pod in pods if not ended(pod) and not _is_terminating(pod)]
    status = plan.status
    status["uncountedTerminatedPods"] = {}
    for pod in counted:
        field = "succeeded" if phase(pod) == "Succeeded" else "failed"
        status[field] = status.get(field, 0) + 1
    plan.release = counted
    job = job | {"status": status}
    if job["spec"].get("suspend"):
        _suspend(plan, job, active, now)
        active = []
    else:
        _start(plan, job, now)
        _decide(plan, job, pods, active, now)
        active = [pod for pod in active if pod not in plan.delete]
    terminating = [pod for pod in pods if not ended(pod) and _is_terminating(pod)]
    _count(status, active, len(plan.delete) + len(terminating))
    return plan


def _is_terminating(pod: Object) -> bool:
    return bool(pod["metadata"].get("deletionTimestamp"))


def _count(status: Object, active: list[Object], terminating: int) -> None:
    status.pop("active", None)
    if active:
        status["active"] = len(active)
    status["ready"] = sum(is_true(pod, "Ready") for pod in active)
    status["terminating"] = terminating


def _suspend(plan: JobPlan, job: Object, active: list[Object], now: datetime) -> None:
    if not is_true(job, "Suspended"):
        _set_condition(plan, "Suspended", "True", ("JobSuspended", "Job suspended"), now)
        plan.events.append(PlannedEvent("Suspended", "Job suspended"))
    plan.delete = active
    plan.release = plan.release + [pod for pod in active if pod not in plan.release]


def _start(plan: JobPlan, job: Object, now: datetime) -> None:
    if is_true(job, "Suspended"):
        _set_condition(plan, "Suspended", "False", ("JobResumed", "Job resumed"), now)
        plan.events.append(PlannedEvent("Resumed", "Job resumed"))
        plan.status.pop("startTime", None)
    plan.status.setdefault("startTime", format_time(now))


def _decide(
    plan: JobPlan, job: Object, pods: list[Object], active: list[Object], now: datetime
) -> None:
    """Finish the Job if its outcome is certain, else create or delete pods."""
    spec, status = job["spec"], plan.status
    seconds = spec.get("activeDeadlineSeconds")
    due = None if seconds is None else deadline(status["startTime"], seconds)
    if not (condition(job, "FailureTarget") or condition(job, "SuccessCriteriaMet")):
        if status.get("failed", 0) > spec.get("backoffLimit", 6):
            _set_condition(plan, "FailureTarget", "True", LIMIT, now)
        elif due is not None and now >= due:
            _set_condition(plan, "FailureTarget", "True", DEADLINE, now)
        elif _reached(spec, status, pods):
            _set_condition(plan, "SuccessCriteriaMet", "True", REACHED, now)
    target = condition(job, "FailureTarget") or condition(job, "SuccessCriteriaMet")
    if target:
        plan.delete = active
        if all(will_not_run(pod) for pod in pods):
            _finish(plan, target, now)
        return
    if due is not None:
        plan.requeue((due - now).total_seconds())
    _scale(plan, spec, pods, active, now)


def _reached(spec: Object, status: Object, pods: list[Object]) -> bool:
    wanted, done = spec.get("completions"), status.get("succeeded", 0)
    if wanted is not None:
        return bool(done >= wanted)
    # A work queue is done when a pod has succeeded and all others have ended.
    return done > 0 and all(ended(pod) for pod in pods)


def _finish(plan: JobPlan, target: Object, now: datetime) -> None:
    reason = (target["reason"], target["message"])
    if target["type"] == "FailureTarget":
        _set_condition(plan, "Failed", "True", reason, now)
        plan.events.append(PlannedEvent(*reason, warning=True))
    else:
        _set_condition(plan, "Complete", "True", reason, now)
        plan.status["completionTime"] = format_time(now)
        plan.events.append(PlannedEvent("Completed", "Job completed"))


def _scale(
    plan: JobPlan, spec: Object, pods: list[Object], active: list[Object], now: datetime
) -> None:
    """Create missing pods, after a backoff if pods have failed, or delete surplus pods."""
    status = plan.status
    wanted, completions = spec.get("parallelism", 1), spec.get("completions")
    succeeded = status.get("succeeded", 0)
    if completions is not None:
        wanted = min(wanted, completions - succeeded)
    elif succeeded:
        wanted = len(active)
    missing = wanted - len(active)
    backoff = _backoff_seconds(status.get("failed", 0), pods, now)
    if missing > 0 and backoff > 0:
        plan.requeue(backoff)
    elif missing > 0:
        plan.create = missing
    elif missing < 0:
        plan.delete = active[missing:]


def _backoff_seconds(failed: int, pods: list[Object], now: datetime) -> float:
    """Return the seconds until the next pod may be created; they double with each failure."""
    ends = [_failed_at(pod) for pod in pods if phase(pod) == "Failed"]
    last = max((end for end in ends if end), default=None)
    if not failed or last is None:
        return 0.0
    seconds = min(BACKOFF_SECONDS * 2.0 ** min(failed - 1, 10), MAX_BACKOFF_SECONDS)
    return seconds - (now - last).total_seconds()


def _failed_at(pod: Object) -> datetime | None:
    states = (pod.get("status") or {}).get("containerStatuses") or ()
    times = [state["state"].get("terminated", {}).get("finishedAt") for state in states]
    return max(filter(None, map(parse_time, times)), default=None)


def _set_condition(
    plan: JobPlan, kind: str, value: str, reason: tuple[str, str], now: datetime
) -> None:
    others = [known for known in plan.status.get("conditions") or () if known["type"] != kind]
    entry = {
        "type": kind,
        "status": value,
        "reason": reason[0],
        "message": reason[1],
        "lastProbeTime": format_time(now),
        "lastTransitionTime": format_time(now),
    }
    plan.status["conditions"] = [*others, entry]
