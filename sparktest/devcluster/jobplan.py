"""What to do about a Job: its status, and which pods to make, to delete and to let go. Pure."""

from copy import deepcopy
from datetime import datetime

import msgspec

from sparktest.devcluster.admission import TRACKING
from sparktest.devcluster.clock import after, moment, stamp
from sparktest.devcluster.entries import Object
from sparktest.devcluster.objects import condition, ended, finished, is_true, phase

BACK_OFF_SECONDS, LONGEST_BACK_OFF_SECONDS = 10.0, 600.0
REACHED = ("CompletionsReached", "Reached expected number of succeeded pods")
LIMIT = ("BackoffLimitExceeded", "Job has reached the specified backoff limit")
DEADLINE = ("DeadlineExceeded", "Job was active longer than specified deadline")


class Note(msgspec.Struct, frozen=True):
    """An Event to record about the Job."""

    reason: str
    message: str
    warning: bool = False


class Plan(msgspec.Struct):
    """What to do now, and in how many seconds to look again at the latest."""

    status: Object
    create: int = 0
    delete: list[Object] = msgspec.field(default_factory=list)
    release: list[Object] = msgspec.field(default_factory=list)
    notes: list[Note] = msgspec.field(default_factory=list)
    again: float | None = None


def plan(job: Object, pods: list[Object], now: datetime) -> Plan:
    """The plan for a Job that is not being deleted.

    Args:
        job: the Job.
        pods: its pods, those that it counts (they have a finalizer for that) and those it did.
        now: the time.
    """
    found = Plan(status=deepcopy(job.get("status") or {}))
    tracked = [pod for pod in pods if TRACKING in (pod["metadata"].get("finalizers") or ())]
    if finished(job):
        found.release = tracked
        return found
    over = [pod for pod in tracked if _over(pod)]
    active = [pod for pod in pods if not ended(pod) and not _going(pod)]
    status = found.status
    status["uncountedTerminatedPods"] = {}
    for field, wanted in (("succeeded", True), ("failed", False)):
        count = sum((phase(pod) == "Succeeded") == wanted for pod in over)
        if count:
            status[field] = status.get(field, 0) + count
    found.release = over
    if job["spec"].get("suspend"):
        _suspend(found, active, now)
        active = []
    else:
        _begin(found, now)
        _decide(found, job, pods, active, now)
        active = [pod for pod in active if pod not in found.delete]
    terminating = [pod for pod in pods if not ended(pod) and _going(pod)]
    _count(status, active, len(found.delete) + len(terminating))
    return found


def _going(pod: Object) -> bool:
    return bool(pod["metadata"].get("deletionTimestamp"))


def _over(pod: Object) -> bool:
    """Whether a pod counts: it ended, or is being deleted before it had a node to end on."""
    return ended(pod) or (_going(pod) and not pod["spec"].get("nodeName"))


def _count(status: Object, active: list[Object], terminating: int) -> None:
    status.pop("active", None)
    if active:
        status["active"] = len(active)
    status["ready"] = sum(is_true(pod, "Ready") for pod in active)
    status["terminating"] = terminating


def _suspend(found: Plan, active: list[Object], now: datetime) -> None:
    if not is_true({"status": found.status}, "Suspended"):
        _set(found, "Suspended", "True", ("JobSuspended", "Job suspended"), now)
        found.notes.append(Note("Suspended", "Job suspended"))
    found.delete = active
    found.release = found.release + [pod for pod in active if pod not in found.release]


def _begin(found: Plan, now: datetime) -> None:
    if is_true({"status": found.status}, "Suspended"):
        _set(found, "Suspended", "False", ("JobResumed", "Job resumed"), now)
        found.notes.append(Note("Resumed", "Job resumed"))
        found.status.pop("startTime", None)
    found.status.setdefault("startTime", stamp(now))


def _decide(
    found: Plan, job: Object, pods: list[Object], active: list[Object], now: datetime
) -> None:
    """Go on, or go to an end: first what is to come of the Job, then the pods, then the end."""
    spec, status = job["spec"], found.status
    holder = {"status": status}
    seconds = spec.get("activeDeadlineSeconds")
    due = None if seconds is None else after(status["startTime"], seconds)
    if not (condition(holder, "FailureTarget") or condition(holder, "SuccessCriteriaMet")):
        if status.get("failed", 0) > spec.get("backoffLimit", 6):
            _set(found, "FailureTarget", "True", LIMIT, now)
        elif due is not None and now >= due:
            _set(found, "FailureTarget", "True", DEADLINE, now)
        elif _reached(spec, status, pods):
            _set(found, "SuccessCriteriaMet", "True", REACHED, now)
    target = condition(holder, "FailureTarget") or condition(holder, "SuccessCriteriaMet")
    if target:
        found.delete = active
        if all(ended(pod) or _over(pod) for pod in pods):
            _finish(found, target, now)
        return
    if due is not None:
        found.again = (due - now).total_seconds()
    _refill(found, spec, pods, active, now)


def _reached(spec: Object, status: Object, pods: list[Object]) -> bool:
    wanted, done = spec.get("completions"), status.get("succeeded", 0)
    if wanted is not None:
        return bool(done >= wanted)
    # A work queue: one success, and nobody else is at it.
    return done > 0 and all(ended(pod) for pod in pods)


def _finish(found: Plan, target: Object, now: datetime) -> None:
    why = (target["reason"], target["message"])
    if target["type"] == "FailureTarget":
        _set(found, "Failed", "True", why, now)
        found.notes.append(Note(*why, warning=True))
    else:
        _set(found, "Complete", "True", why, now)
        found.status["completionTime"] = stamp(now)
        found.notes.append(Note("Completed", "Job completed"))


def _refill(
    found: Plan, spec: Object, pods: list[Object], active: list[Object], now: datetime
) -> None:
    """Make the pods that are missing, after a pause where some have failed."""
    status = found.status
    parallel = spec.get("parallelism", 1)
    done = status.get("succeeded", 0)
    wanted = (
        parallel if spec.get("completions") is None else min(parallel, spec["completions"] - done)
    )
    if spec.get("completions") is None and done:
        wanted = len(active)
    missing = wanted - len(active)
    pause = _pause(status.get("failed", 0), pods, now)
    if missing > 0 and pause > 0:
        found.again = min(pause, found.again if found.again is not None else pause)
    elif missing > 0:
        found.create = missing
    elif missing < 0:
        found.delete = active[missing:]


def _pause(failed: int, pods: list[Object], now: datetime) -> float:
    """Seconds until the next pod may be made: they double with every failure."""
    ends = [_failed_at(pod) for pod in pods if phase(pod) == "Failed"]
    last = max((end for end in ends if end), default=None)
    if not failed or last is None:
        return 0.0
    pause = min(BACK_OFF_SECONDS * 2.0 ** min(failed - 1, 10), LONGEST_BACK_OFF_SECONDS)
    return pause - (now - last).total_seconds()


def _failed_at(pod: Object) -> datetime | None:
    states = (pod.get("status") or {}).get("containerStatuses") or ()
    times = [state["state"].get("terminated", {}).get("finishedAt") for state in states]
    return max((moment(time) for time in times if time), default=None)


def _set(found: Plan, kind: str, value: str, why: tuple[str, str], now: datetime) -> None:
    others = [known for known in found.status.get("conditions") or () if known["type"] != kind]
    entry = {
        "type": kind,
        "status": value,
        "reason": why[0],
        "message": why[1],
        "lastProbeTime": stamp(now),
        "lastTransitionTime": stamp(now),
    }
    found.status["conditions"] = [*others, entry]
