"""What a pod of a run says of itself. Pure; the pod may lack anything."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from sparktest.kube.jobs import CONTAINER

JOB_NAME = "batch.kubernetes.io/job-name"
# Ends of a container that never ran: there is no log, and their startedAt says nothing.
NEVER_RAN = ("StartError", "ContainerCannotRun", "ContainerStatusUnknown", "RunContainerError")
# What took a pod away, as its condition DisruptionTarget says it, in the words of a failure.
DISRUPTIONS = {
    "EvictionByEvictionAPI": "Evicted",
    "PreemptionByScheduler": "Preempted",
    "DeletionByTaintManager": "NodeLost",
    "DeletionByPodGC": "NodeLost",
}

Object = dict[str, Any]


def moment(text: Any) -> datetime | None:
    """A time as Kubernetes writes it; None for none, and for the zero time it writes for none."""
    if not isinstance(text, str):
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    if found.tzinfo is None or found.year <= 1970:
        return None
    return found.astimezone(UTC)


def section(obj: Object | None, name: str) -> Object:
    """`metadata`, `spec` or `status`; empty where it is missing."""
    found = (obj or {}).get(name)
    return found if isinstance(found, dict) else {}


def condition(obj: Object | None, kind: str) -> Object | None:
    """The condition of that type if its status is True."""
    found = condition_of(obj, kind)
    return found if found is not None and found.get("status") == "True" else None


def condition_of(obj: Object | None, kind: str) -> Object | None:
    """The condition of that type, whatever its status."""
    for found in section(obj, "status").get("conditions") or []:
        if isinstance(found, dict) and found.get("type") == kind:
            return found
    return None


def uid_of(obj: Object | None) -> str | None:
    """The object's uid."""
    return section(obj, "metadata").get("uid")


def main_pod(pods: Iterable[Object]) -> Object | None:
    """The pod that speaks for the run: not being deleted before being deleted, then the newest."""

    def rank(pod: Object) -> tuple[bool, str, str]:
        metadata = section(pod, "metadata")
        return (
            "deletionTimestamp" not in metadata,
            str(metadata.get("creationTimestamp") or ""),
            str(metadata.get("name") or ""),
        )

    return max(pods, key=rank, default=None)


def container_state(pod: Object | None) -> tuple[str, Object]:
    """`("waiting" | "running" | "terminated" | "", what it says)` of the test's container.

    An init container that cannot start (a mesh injects those) holds the test's container in
    PodInitializing; then its state is the one that tells why.
    """
    status = section(pod, "status")
    states = {
        found.get("name"): _state(found)
        for found in (status.get("containerStatuses") or [])
        if isinstance(found, dict)
    }
    name, state = states.get(CONTAINER, ("", {}))
    if state.get("reason") == "PodInitializing":
        for found in status.get("initContainerStatuses") or []:
            if _state(found)[0] == "waiting":
                return _state(found)
    return name, state


def has_log(pod: Object | None) -> bool:
    """Whether the test's container runs or ran, so that there is a log to read."""
    name, state = container_state(pod)
    return name == "running" or (name == "terminated" and state.get("reason") not in NEVER_RAN)


def started_at(pod: Object | None) -> datetime | None:
    """When the test's container started; None where it has not."""
    return moment(container_state(pod)[1].get("startedAt")) if has_log(pod) else None


def terminal(pod: Object | None) -> bool:
    """Whether the test in this pod has ended, by itself or not.

    The container decides before the phase: with another container beside it (a mesh injects
    those) the pod goes on after the test.
    """
    return container_state(pod)[0] == "terminated" or phase(pod) in ("Succeeded", "Failed")


def is_active(pod: Object | None) -> bool:
    """Whether a container of the pod still runs or is about to.

    The phase does not tell: it says Running for a moment after the last container has ended.
    """
    statuses = section(pod, "status").get("containerStatuses") or []
    states = {_state(status)[0] for status in statuses}
    return phase(pod) in ("Pending", "Running") and not states <= {"terminated"}


def phase(pod: Object | None) -> str:
    """The pod's phase, "" where it has none."""
    return str(section(pod, "status").get("phase") or "")


def deletion_asked_at(pod: Object | None) -> datetime | None:
    """When somebody asked to delete the pod; its deletionTimestamp is that plus the grace."""
    metadata = section(pod, "metadata")
    at = moment(metadata.get("deletionTimestamp"))
    grace = metadata.get("deletionGracePeriodSeconds")
    if at is None:
        return None
    return at - timedelta(seconds=grace if isinstance(grace, int) else 0)


def disruption(pod: Object | None) -> tuple[str, str] | None:
    """Reason and message of what took the pod away, None where nothing did."""
    found = condition(pod, "DisruptionTarget")
    if found is None:
        return None
    reason = str(found.get("reason") or "")
    return DISRUPTIONS.get(reason, reason or "Disrupted"), str(found.get("message") or "")


def scheduled(pod: Object | None) -> bool:
    """Whether the pod has a node."""
    return bool(section(pod, "spec").get("nodeName"))


def last_change(pod: Object | None) -> datetime | None:
    """The latest time any condition of the pod changed."""
    conditions = section(pod, "status").get("conditions") or []
    times = (moment(found.get("lastTransitionTime")) for found in conditions)
    return max((time for time in times if time), default=None)


def _state(status: Object) -> tuple[str, Object]:
    state = status.get("state") or {}
    for name in ("terminated", "running", "waiting"):
        if isinstance(state.get(name), dict):
            return name, state[name]
    return "", {}
