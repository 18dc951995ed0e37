"""Pods as small frozen values with the fields that SparkTest uses; see `sparktest.kube.views`."""

from collections.abc import Collection, Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

import msgspec

from sparktest.kube.fields import Object, integer, items, mapping, text
from sparktest.kube.git import read_commit
from sparktest.kube.pod_template import test_container
from sparktest.kube.views import Condition, controller_uid, parse_conditions
from sparktest.times import parse_time

# Reasons of a container that never ran: it has no log, and its startedAt is meaningless.
NEVER_RAN = ("StartError", "ContainerCannotRun", "ContainerStatusUnknown", "RunContainerError")


class ContainerState(NamedTuple):
    """The state of a container; `kind` is waiting, running, terminated or empty."""

    kind: str = ""
    reason: str = ""
    message: str = ""
    exit_code: int | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None

    @property
    def has_log(self) -> bool:
        """True if the container runs or ran in this state."""
        ran = self.kind == "terminated" and self.reason not in NEVER_RAN
        return self.kind == "running" or ran


class ContainerKind(StrEnum):
    """Kind of a container; a sidecar is an init container that is restarted when it ends."""

    INIT = "init"
    SIDECAR = "sidecar"
    PLAIN = "plain"


class ContainerView(NamedTuple):
    """A container of a pod.

    Attributes:
        last_state: how its last attempt ended, if it was restarted.
        is_started: a sidecar has started, so that the next container may start.
    """

    name: str
    kind: ContainerKind
    state: ContainerState
    last_state: ContainerState
    restarts: int
    is_started: bool

    @property
    def has_log(self) -> bool:
        """True if it runs or ran, so that the kubelet has the log of an attempt."""
        return any(state.has_log for state in (self.state, self.last_state))


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
        container: the state of the container that runs the test.
        containers: all containers that have a status, by name; init containers first.
        failing_init: the first init container that failed or cannot start.
        has_active_container: a container has not ended; the phase stays Running a moment longer.
        scheduled: the condition PodScheduled, with any status.
        disruption: the condition DisruptionTarget, if its status is True.
        changed_at: when any of its conditions last changed.
        git_commit: the commit that was checked out for the run.
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
    containers: dict[str, ContainerView]
    failing_init: InitContainer | None
    has_active_container: bool
    scheduled: Condition | None
    disruption: Condition | None
    changed_at: datetime | None
    git_commit: str | None

    @property
    def has_log(self) -> bool:
        """True if the test's container runs or ran."""
        return self.container.has_log

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
    def is_creating(self) -> bool:
        """True if it has a node, and none of its containers has started."""
        started = any(container.has_log for container in self.containers.values())
        return bool(self.node_name) and not self.is_terminal and not started

    @property
    def is_active(self) -> bool:
        """True if a container of the pod runs or is about to start."""
        return self.phase in ("Pending", "Running") and self.has_active_container

    @property
    def running_init(self) -> ContainerView | None:
        """The init container that runs now, so that the others wait for its end."""
        inits = (each for each in self.containers.values() if each.kind is ContainerKind.INIT)
        return next((each for each in inits if each.state.kind == "running"), None)

    @property
    def init_progress(self) -> str:
        """How many of the init containers are done, as kubectl shows it, such as `1/2`."""
        inits = [each for each in self.containers.values() if each.kind is not ContainerKind.PLAIN]
        done = sum(
            each.is_started if each.kind is ContainerKind.SIDECAR else each.state.exit_code == 0
            for each in inits
        )
        return f"{done}/{len(inits)}"

    def has_ended(self, container: str) -> bool:
        """Return True if this container will never write to its log again."""
        found = self.containers.get(container)
        if self.phase in ("Succeeded", "Failed") or found is None:
            return self.phase in ("Succeeded", "Failed")
        # A sidecar is restarted, but not after the end of the test.
        restarts = found.kind is ContainerKind.SIDECAR and not self.is_terminal
        return found.state.kind == "terminated" and not restarts


class PodState(StrEnum):
    """The state of a pod that may no longer exist."""

    RUNNING = "running"
    ENDED = "ended"
    GONE = "gone"


class LogSource(NamedTuple):
    """The state of a container as the source of a log; `restarts` is None if it is unknown."""

    state: PodState
    restarts: int | None = None


def main_pod(pods: Iterable[PodView]) -> PodView | None:
    """Return the pod whose status counts: prefer pods not being deleted, then the newest."""

    def rank(pod: PodView) -> tuple[bool, datetime, str]:
        return not pod.is_deleting, pod.created_at or datetime.min.replace(tzinfo=UTC), pod.name

    return max(pods, key=rank, default=None)


def parse_pod(pod: Object) -> PodView:
    """Parse a pod."""
    metadata, spec, status = (mapping(pod, name) for name in ("metadata", "spec", "status"))
    conditions = parse_conditions(status)
    containers = _containers(spec, status)
    test = containers.get(text(test_container(pod) or {}, "name"))
    plain = [each for each in containers.values() if each.kind is ContainerKind.PLAIN]
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
        container=test.state if test else ContainerState(),
        containers=containers,
        failing_init=_failing_init(containers.values()),
        has_active_container=any(each.state.kind != "terminated" for each in plain),
        scheduled=conditions.get("PodScheduled"),
        disruption=disruption if disruption and disruption.status == "True" else None,
        changed_at=max((time for time in times if time), default=None),
        git_commit=read_commit(pod),
    )


def _deletion_requested_at(deletes_at: datetime | None, metadata: Object) -> datetime | None:
    if deletes_at is None:
        return None
    with suppress(OverflowError):
        return deletes_at - timedelta(seconds=integer(metadata, "deletionGracePeriodSeconds") or 0)
    return None


def _containers(spec: Object, status: Object) -> dict[str, ContainerView]:
    sidecars = {
        text(each, "name")
        for each in items(spec, "initContainers")
        if each.get("restartPolicy") == "Always"
    }
    found: dict[str, ContainerView] = {}
    for field in ("initContainerStatuses", "containerStatuses"):
        for entry in items(status, field):
            name, kind = text(entry, "name"), ContainerKind.PLAIN
            if field == "initContainerStatuses":
                kind = ContainerKind.SIDECAR if name in sidecars else ContainerKind.INIT
            restarts, started = integer(entry, "restartCount") or 0, entry.get("started") is True
            last_state = _state(mapping(entry, "lastState"))
            state = _state(mapping(entry, "state"))
            found[name] = ContainerView(name, kind, state, last_state, restarts, started)
    return found


def _failing_init(containers: Collection[ContainerView]) -> InitContainer | None:
    """Return the init container that failed or cannot start.

    A sidecar counts last: it is killed when another init container fails.
    """
    for kind in (ContainerKind.INIT, ContainerKind.SIDECAR):
        for container in containers:
            if container.kind is kind and (state := _failing_state(container)):
                return InitContainer(container.name, state)
    return None


def _failing_state(container: ContainerView) -> ContainerState | None:
    state = container.state
    if container.restarts and not container.is_started:
        # A sidecar that crashes; it is briefly running or terminated in between.
        last = state if state.kind == "terminated" else container.last_state
        return ContainerState("waiting", "CrashLoopBackOff", last.message, last.exit_code)
    waits = state.kind == "waiting" and state.reason != "PodInitializing"
    failed = state.kind == "terminated" and state.exit_code != 0
    return state if waits or failed else None


def _state(states: Object) -> ContainerState:
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
