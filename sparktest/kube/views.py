"""Jobs, pods and Events as small frozen values with the fields that SparkTest uses.

Objects are parsed once, when they enter a cache or are read live. They are untrusted: a field
that is missing or has the wrong type counts as absent, and parsing never raises.
"""

from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

import msgspec

from sparktest.domain import Failure
from sparktest.kube.fields import Object, integer, items, mapping, text
from sparktest.kube.jobs import RUN_ID, STOP, decode_stop_reason
from sparktest.kube.pod_template import test_container
from sparktest.times import parse_time

# Reasons of a container that never ran: it has no log, and its startedAt is meaningless.
NEVER_RAN = ("StartError", "ContainerCannotRun", "ContainerStatusUnknown", "RunContainerError")


class Condition(NamedTuple):
    """A condition of an object; `status` is `True`, `False` or `Unknown`."""

    status: str
    reason: str
    message: str
    changed_at: datetime | None


class ContainerState(NamedTuple):
    """The state of the test's container; `kind` is waiting, running, terminated or empty."""

    kind: str = ""
    reason: str = ""
    message: str = ""
    exit_code: int | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None


class InitContainer(NamedTuple):
    """An init container and its state."""

    name: str
    state: ContainerState


class JobView(msgspec.Struct, frozen=True, kw_only=True):
    """A Job.

    Attributes:
        owner_uid: the uid of its controlling owner, such as a TestRun.
        run_id: the id of the run that it was created for, from its label.
        stop_reason: why it is being stopped, from its annotation.
        started_at: `status.startTime`, when the Job controller first saw it.
        complete, failed, failure_target, suspended: the conditions with status True.
    """

    namespace: str
    name: str
    uid: str | None
    owner_uid: str | None
    run_id: str | None
    stop_reason: Failure | None
    created_at: datetime | None
    started_at: datetime | None
    completed_at: datetime | None
    suspend: bool
    ttl_seconds: int | None
    complete: Condition | None
    failed: Condition | None
    failure_target: Condition | None
    suspended: Condition | None

    @property
    def is_finished(self) -> bool:
        """True if the Job is complete or failed, so that a TTL deletes it."""
        return self.complete is not None or self.failed is not None

    @property
    def deadline_exceeded(self) -> bool:
        """True if the Job's own deadline has passed."""
        ends = (self.failure_target, self.failed)
        return any(end is not None and end.reason == "DeadlineExceeded" for end in ends)


class PodView(msgspec.Struct, frozen=True, kw_only=True):
    """A pod.

    Attributes:
        owner_uid: the uid of its Job.
        job_name: the name of its Job, from its label.
        deletes_at: `deletionTimestamp`, the end of its grace period.
        deletion_requested_at: `deletes_at` minus the grace period.
        container: the state of the container `test`.
        failing_init: the first init container that failed or cannot start.
        has_active_container: a container has not ended; the phase stays Running a moment longer.
        scheduled: the condition PodScheduled, with any status.
        disruption: the condition DisruptionTarget, if its status is True.
        changed_at: when any of its conditions last changed.
    """

    namespace: str
    name: str
    uid: str | None
    owner_uid: str | None
    job_name: str | None
    created_at: datetime | None
    is_deleting: bool
    deletes_at: datetime | None
    deletion_requested_at: datetime | None
    node_name: str
    active_deadline_seconds: int | None
    phase: str
    reason: str
    message: str
    container: ContainerState
    failing_init: InitContainer | None
    has_active_container: bool
    scheduled: Condition | None
    disruption: Condition | None
    changed_at: datetime | None

    @property
    def has_log(self) -> bool:
        """True if the test's container runs or ran."""
        kind, reason = self.container.kind, self.container.reason
        return kind == "running" or (kind == "terminated" and reason not in NEVER_RAN)

    @property
    def started_at(self) -> datetime | None:
        """When the test's container started; None if it has not."""
        return self.container.started_at if self.has_log else None

    @property
    def is_terminal(self) -> bool:
        """True if the test in this pod has ended, by itself or not.

        The pod may still be running: a sidecar, such as a service mesh's, outlives the test.
        """
        return self.container.kind == "terminated" or self.phase in ("Succeeded", "Failed")

    @property
    def is_active(self) -> bool:
        """True if a container of the pod runs or is about to start."""
        return self.phase in ("Pending", "Running") and self.has_active_container


class PodState(StrEnum):
    """The state of a pod that may no longer exist."""

    RUNNING = "running"
    ENDED = "ended"
    GONE = "gone"


class EventView(NamedTuple):
    """An Event."""

    reason: str
    message: str
    seen_at: datetime | None


def main_pod(pods: Iterable[PodView]) -> PodView | None:
    """Return the pod whose status counts: prefer pods not being deleted, then the newest."""

    def rank(pod: PodView) -> tuple[bool, datetime, str]:
        return not pod.is_deleting, pod.created_at or datetime.min.replace(tzinfo=UTC), pod.name

    return max(pods, key=rank, default=None)


def parse_job(job: Object) -> JobView:
    """Parse a Job."""
    metadata, spec, status = (mapping(job, name) for name in ("metadata", "spec", "status"))
    conditions = parse_conditions(status)

    def when_true(kind: str) -> Condition | None:
        return found if (found := conditions.get(kind)) and found.status == "True" else None

    return JobView(
        namespace=text(metadata, "namespace"),
        name=text(metadata, "name"),
        uid=text(metadata, "uid") or None,
        owner_uid=_owner_uid(metadata),
        run_id=text(mapping(metadata, "labels"), RUN_ID) or None,
        stop_reason=decode_stop_reason(mapping(metadata, "annotations").get(STOP)),
        created_at=parse_time(metadata.get("creationTimestamp")),
        started_at=parse_time(status.get("startTime")),
        completed_at=parse_time(status.get("completionTime")),
        suspend=spec.get("suspend") is True,
        ttl_seconds=integer(spec, "ttlSecondsAfterFinished"),
        complete=when_true("Complete"),
        failed=when_true("Failed"),
        failure_target=when_true("FailureTarget"),
        suspended=when_true("Suspended"),
    )


def parse_pod(pod: Object) -> PodView:
    """Parse a pod."""
    metadata, spec, status = (mapping(pod, name) for name in ("metadata", "spec", "status"))
    conditions = parse_conditions(status)
    states = [_state(found) for found in items(status, "containerStatuses")]
    deletes_at = parse_time(metadata.get("deletionTimestamp"))
    disruption = conditions.get("DisruptionTarget")
    times = (found.changed_at for found in conditions.values())
    return PodView(
        namespace=text(metadata, "namespace"),
        name=text(metadata, "name"),
        uid=text(metadata, "uid") or None,
        owner_uid=_owner_uid(metadata),
        # The label without the prefix exists in every version of Kubernetes.
        job_name=text(mapping(metadata, "labels"), "job-name") or None,
        created_at=parse_time(metadata.get("creationTimestamp")),
        is_deleting="deletionTimestamp" in metadata,
        deletes_at=deletes_at,
        deletion_requested_at=_deletion_requested_at(deletes_at, metadata),
        node_name=text(spec, "nodeName"),
        active_deadline_seconds=integer(spec, "activeDeadlineSeconds"),
        phase=text(status, "phase"),
        reason=text(status, "reason"),
        message=text(status, "message"),
        container=_container(pod),
        failing_init=_failing_init(status),
        has_active_container=not {state.kind for state in states} <= {"terminated"},
        scheduled=conditions.get("PodScheduled"),
        disruption=disruption if disruption and disruption.status == "True" else None,
        changed_at=max((time for time in times if time), default=None),
    )


def parse_event(event: Object) -> EventView:
    """Parse an Event."""
    seen_at = parse_time(event.get("lastTimestamp")) or parse_time(event.get("eventTime"))
    return EventView(text(event, "reason"), text(event, "message"), seen_at)


def parse_conditions(status: Object) -> dict[str, Condition]:
    """Return the conditions by type; the first of each type counts."""
    found: dict[str, Condition] = {}
    for entry in items(status, "conditions"):
        state, reason, message = (text(entry, name) for name in ("status", "reason", "message"))
        condition = Condition(state, reason, message, parse_time(entry.get("lastTransitionTime")))
        found.setdefault(text(entry, "type"), condition)
    return found


def _owner_uid(metadata: Object) -> str | None:
    owners = items(metadata, "ownerReferences")
    return next((text(owner, "uid") or None for owner in owners if owner.get("controller")), None)


def _deletion_requested_at(deletes_at: datetime | None, metadata: Object) -> datetime | None:
    if deletes_at is None:
        return None
    with suppress(OverflowError):
        return deletes_at - timedelta(seconds=integer(metadata, "deletionGracePeriodSeconds") or 0)
    return None


def _container(pod: Object) -> ContainerState:
    """Return the state of the test's container."""
    name, statuses = text(test_container(pod) or {}, "name"), mapping(pod, "status")
    found = (each for each in items(statuses, "containerStatuses") if each.get("name") == name)
    return next((_state(each) for each in found), ContainerState())


def _failing_init(status: Object) -> InitContainer | None:
    for entry in items(status, "initContainerStatuses"):
        state = _state(entry)
        if integer(entry, "restartCount") and entry.get("started") is not True:
            # A native sidecar that crashes; it is briefly running or terminated in between.
            last = integer(mapping(mapping(entry, "lastState"), "terminated"), "exitCode")
            state = ContainerState("waiting", "CrashLoopBackOff", f"last exit code {last}")
        waits = state.kind == "waiting" and state.reason != "PodInitializing"
        if waits or (state.kind == "terminated" and state.exit_code != 0):
            return InitContainer(text(entry, "name"), state)
    return None


def _state(status: Object) -> ContainerState:
    states = mapping(status, "state")
    for kind in ("terminated", "running", "waiting"):
        if isinstance(states.get(kind), dict):
            state = states[kind]
            return ContainerState(
                kind,
                text(state, "reason"),
                text(state, "message"),
                integer(state, "exitCode"),
                parse_time(state.get("startedAt")),
                parse_time(state.get("finishedAt")),
            )
    return ContainerState()
