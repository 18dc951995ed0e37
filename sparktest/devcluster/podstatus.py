"""The status of a pod, as the kubelet of a real cluster writes it. Pure."""

from typing import Any

import msgspec

from sparktest.devcluster.bootstrap import ADDRESS
from sparktest.devcluster.entries import Object
from sparktest.devcluster.objects import condition

NOTES = "devcluster.sparktest.dev"
IMAGE_NOTE = "named, not pulled: the command runs as a process of this machine"
NOT_PULLED = "not pulled: a dev cluster runs processes"
UNKNOWN = "The container could not be located when the pod was terminated"
DEADLINE = "Pod was active on the node longer than the specified deadline"
LOST = "the dev cluster ended while this pod ran; its processes were ended"


class Container(msgspec.Struct):
    """One container of a pod and the state it is in: waiting, running or terminated."""

    name: str
    image: str
    init: bool = False
    resources: Object = {}
    state: Object = msgspec.field(
        default_factory=lambda: {"waiting": {"reason": "ContainerCreating"}}
    )
    id: str = ""

    @property
    def over(self) -> bool:
        """Whether it ended."""
        return "terminated" in self.state

    @property
    def running(self) -> bool:
        """Whether it runs."""
        return "running" in self.state

    @property
    def succeeded(self) -> bool:
        """Whether it ended well."""
        return self.over and self.state["terminated"]["exitCode"] == 0

    def document(self) -> Object:
        """Its part of the status."""
        started = {} if self.init and not (self.running or self.over) else {"started": self.running}
        found: Object = {
            "name": self.name,
            "image": self.image,
            "imageID": NOT_PULLED if self.id else "",
            "ready": self.succeeded if self.init else self.running,
            "restartCount": 0,
            "state": self.state,
            "lastState": {},
        } | started
        if self.id:
            found |= {"containerID": self.id, "resources": self.resources}
            if "requests" in self.resources:
                found["allocatedResources"] = self.resources["requests"]
            if self.over:
                found["state"] = {
                    "terminated": {**self.state["terminated"], "containerID": self.id}
                }
        return found


class End(msgspec.Struct, frozen=True):
    """Why a pod itself came to an end, as opposed to its containers."""

    reason: str = ""
    message: str = ""
    disruption: str = ""


def containers(pod: Object) -> list[Container]:
    """The containers of a pod that does not run yet, the init containers first."""
    spec = pod["spec"]
    found = [
        _container(container, waiting("ContainerCreating"), init=True)
        for container in spec.get("initContainers") or ()
    ]
    state = waiting("PodInitializing" if found else "ContainerCreating")
    return found + [_container(container, state, init=False) for container in spec["containers"]]


def _container(spec: Object, state: Object, *, init: bool) -> Container:
    return Container(
        name=spec["name"],
        image=spec.get("image", ""),
        init=init,
        state=state,
        resources=spec.get("resources") or {},
    )


def waiting(reason: str, message: str = "") -> Object:
    """The state of a container that has not started."""
    return {"waiting": {"reason": reason} | ({"message": message} if message else {})}


def terminated(code: int, reason: str, message: str = "", **times: Any) -> Object:
    """The state of a container that ended."""
    state = {"exitCode": code, "reason": reason, "message": message, **times}
    return {"terminated": {key: value for key, value in state.items() if value not in ("", None)}}


def never_found() -> Object:
    """The state of a container that was to run and never did when its pod was stopped."""
    none = {"startedAt": None, "finishedAt": None}
    return {"terminated": terminated(137, "ContainerStatusUnknown", UNKNOWN)["terminated"] | none}


def phase_of(found: list[Container], end: End | None) -> str:
    """The phase that follows from the containers, and from an end of the pod itself."""
    own = [container for container in found if not container.init]
    init = [container for container in found if container.init]
    if end or any(container.over and not container.succeeded for container in init):
        return "Failed"
    if all(container.over for container in own):
        return "Succeeded" if all(container.succeeded for container in own) else "Failed"
    return "Running" if any(container.running or container.over for container in own) else "Pending"


def status(pod: Object, found: list[Container], end: End | None, stamp: str) -> Object:
    """The status of a pod that has a node."""
    old = pod.get("status") or {}
    phase = phase_of(found, end)
    new: Object = {
        "phase": phase,
        "qosClass": old.get("qosClass", "BestEffort"),
        "startTime": old.get("startTime") or stamp,
        "hostIP": ADDRESS,
        "hostIPs": [{"ip": ADDRESS}],
        "podIP": ADDRESS,
        "podIPs": [{"ip": ADDRESS}],
        "observedGeneration": pod["metadata"].get("generation", 1),
        "conditions": _conditions(pod, found, phase, stamp),
    }
    for field, init in (("initContainerStatuses", True), ("containerStatuses", False)):
        documents = [container.document() for container in found if container.init == init]
        if documents:
            new[field] = documents
    if end and end.reason:
        new |= {"reason": end.reason, "message": end.message}
    if end and end.disruption:
        new["conditions"].append(
            _condition(pod, stamp, "DisruptionTarget", "True", end.disruption, end.message)
        )
    return new


def _conditions(pod: Object, found: list[Container], phase: str, stamp: str) -> list[Object]:
    unready = [
        container.name for container in found if not container.init and not container.running
    ]
    over = {"Succeeded": "PodCompleted", "Failed": "PodFailed"}.get(phase, "")
    initialized = all(container.succeeded for container in found if container.init)
    ready = not unready and not over
    reason, message = over, ""
    if unready and not over:
        reason = "ContainersNotReady"
        message = f"containers with unready status: [{' '.join(unready)}]"
    completed = "PodCompleted" if phase == "Succeeded" else ""
    return [
        _condition(pod, stamp, "PodReadyToStartContainers", str(not over)),
        _condition(pod, stamp, "Initialized", str(initialized), completed),
        _condition(pod, stamp, "Ready", str(ready), reason, message),
        _condition(pod, stamp, "ContainersReady", str(ready), reason, message),
        _condition(pod, stamp, "PodScheduled", "True"),
    ]


def _condition(
    pod: Object, stamp: str, kind: str, value: str, reason: str = "", message: str = ""
) -> Object:
    """A condition; its time moves only when it changes between True and False."""
    before = condition(pod, kind)
    same = before is not None and before["status"] == value
    found: Object = {
        "type": kind,
        "status": value,
        "lastProbeTime": None,
        "lastTransitionTime": before["lastTransitionTime"] if before and same else stamp,
        "observedGeneration": pod["metadata"].get("generation", 1),
    }
    return (
        found | ({"reason": reason} if reason else {}) | ({"message": message} if message else {})
    )


def unschedulable(pod: Object, message: str, stamp: str) -> Object:
    """The status of a pod for which there is no node."""
    return {
        **(pod.get("status") or {}),
        "conditions": [_condition(pod, stamp, "PodScheduled", "False", "Unschedulable", message)],
    }


def lost(pod: Object, stamp: str) -> Object:
    """The status of a pod that was on this node when the dev cluster ended."""
    found = []
    old = pod.get("status") or {}
    for container in containers(pod):
        field = "initContainerStatuses" if container.init else "containerStatuses"
        before = next((s for s in old.get(field) or () if s["name"] == container.name), None)
        if before is not None:
            container.state, container.id = before["state"], before.get("containerID", "")
        if container.running:
            started = container.state["running"].get("startedAt")
            container.state = terminated(137, "Error", LOST, startedAt=started, finishedAt=stamp)
        elif not container.over:
            container.state = never_found()
        found.append(container)
    return status(pod, found, End("NodeLost", LOST), stamp)
