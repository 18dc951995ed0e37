"""Pods as small frozen values with the fields that SparkTest uses; see `sparktest.kube.views`."""

from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

import msgspec

from sparktest.kube.fields import Object, integer, items, mapping, text
from sparktest.kube.pod_template import test_container
from sparktest.kube.views import Condition, controller_uid, parse_conditions
from sparktest.times import parse_time

# Reasons of a container that never ran: it has no log, and its startedAt is meaningless.
NEVER_RAN = ("StartError", "ContainerCannotRun", "ContainerStatusUnknown", "RunContainerError")


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


def main_pod(pods: Iterable[PodView]) -> PodView | None:
    """Return the pod whose status counts: prefer pods not being deleted, then the newest."""

    def rank(pod: PodView) -> tuple[bool, datetime, str]:
        return not pod.is_deleting, pod.created_at or datetime.min.replace(tzinfo=UTC), pod.name

    return max(pods, key=rank, default=None)


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
        owner_uid=controller_uid(metadata),
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
