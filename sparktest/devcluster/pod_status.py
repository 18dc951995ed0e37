"""Build the status of a pod as a real kubelet does. Pure."""

from collections.abc import Iterable
from typing import Any

import msgspec

from sparktest.devcluster.bootstrap import ADDRESS
from sparktest.devcluster.objects import condition
from sparktest.devcluster.stored_objects import Object

ANNOTATIONS = "devcluster.sparktest.dev"
NOT_PULLED_NOTE = "named, not pulled: the command runs as a process of this machine"
IMAGE_ID = "not pulled: a dev cluster runs processes"
UNKNOWN = "The container could not be located when the pod was terminated"
DEADLINE = "Pod was active on the node longer than the specified deadline"
LOST = "the dev cluster ended while this pod ran; its processes were killed"


class Container(msgspec.Struct):
    """A container of a pod and its state: waiting, running or terminated."""

    spec: Object
    state: Object
    init: bool = False
    id: str = ""
    restarts: int = 0
    last_state: Object = {}

    @property
    def name(self) -> str:
        """Its name, unique in the pod."""
        return str(self.spec["name"])

    @property
    def sidecar(self) -> bool:
        """Return True for an init container that runs until the other containers have ended."""
        return self.init and self.spec.get("restartPolicy") == "Always"

    @property
    def terminated(self) -> bool:
        """Return True when it has ended."""
        return "terminated" in self.state

    @property
    def running(self) -> bool:
        """Return True while it runs."""
        return "running" in self.state

    @property
    def succeeded(self) -> bool:
        """Return True when it has ended with exit code 0."""
        return self.terminated and self.state["terminated"]["exitCode"] == 0

    def status(self) -> Object:
        """Return its ContainerStatus."""
        status: Object = {
            "name": self.name,
            "image": self.spec.get("image", ""),
            "imageID": IMAGE_ID if self.id else "",
            "ready": self.succeeded if self.init and not self.sidecar else self.running,
            "restartCount": self.restarts,
            "state": self.state,
            "lastState": self.last_state,
        }
        if self.running or self.terminated or not self.init:
            status["started"] = self.running
        if self.id:
            resources = self.spec.get("resources") or {}
            status |= {"containerID": self.id, "resources": resources}
            if mounts := self.spec.get("volumeMounts"):
                status["volumeMounts"] = [_mount_status(mount) for mount in mounts]
            if "requests" in resources:
                status["allocatedResources"] = resources["requests"]
            if self.terminated:
                status["state"] = self._with_id()
        return status

    def restart(self) -> None:
        """Count a restart, and remember the end of the last process."""
        self.restarts += 1
        self.last_state = self._with_id()

    def _with_id(self) -> Object:
        return {"terminated": self.state["terminated"] | {"containerID": self.id}}


class PodFailure(msgspec.Struct, frozen=True):
    """The reason why a pod failed as a whole, whatever its containers did."""

    reason: str = ""
    message: str = ""
    disruption: str = ""


def new_containers(pod: Object) -> list[Container]:
    """Return the containers of a pod that has not started, init containers first."""
    init = pod["spec"].get("initContainers") or []
    state = waiting("PodInitializing" if init else "ContainerCreating")
    found = [Container(spec, state, init=True) for spec in init]
    return found + [Container(spec, state) for spec in pod["spec"]["containers"]]


def _mount_status(mount: Object) -> Object:
    read_only = {"readOnly": True, "recursiveReadOnly": "Disabled"} if mount.get("readOnly") else {}
    return {"name": mount["name"], "mountPath": mount["mountPath"], **read_only}


def waiting(reason: str, message: str = "") -> Object:
    """Return the state of a container that has not started."""
    return {"waiting": {"reason": reason} | ({"message": message} if message else {})}


def terminated(code: int, reason: str, message: str = "", **times: Any) -> Object:
    """Return the state of a container that has ended."""
    state = {"exitCode": code, "reason": reason, "message": message, **times}
    return {"terminated": {key: value for key, value in state.items() if value not in ("", None)}}


def unknown_state() -> Object:
    """Return the state of a container that had not started when its pod was stopped."""
    none = {"startedAt": None, "finishedAt": None}
    return {"terminated": terminated(137, "ContainerStatusUnknown", UNKNOWN)["terminated"] | none}


def phase_of(containers: list[Container], failure: PodFailure | None) -> str:
    """Return the phase of a pod with these containers and this failure."""
    own = [container for container in containers if not container.init]
    init = [container for container in containers if container.init and not container.sidecar]
    if failure:
        return "Failed"
    # The pod ends with its last sidecar; how a sidecar ended does not count.
    if not any(container.running for container in containers):
        if any(container.terminated and not container.succeeded for container in init):
            return "Failed"
        if all(container.terminated for container in own):
            return "Succeeded" if all(container.succeeded for container in own) else "Failed"
    started = any(container.running or container.terminated for container in own)
    return "Running" if started else "Pending"


def build_status(
    pod: Object, containers: list[Container], failure: PodFailure | None, timestamp: str
) -> Object:
    """Return the status of a pod that has a node; `timestamp` is the current time."""
    old = pod.get("status") or {}
    phase = phase_of(containers, failure)
    new: Object = {
        "phase": phase,
        "qosClass": old.get("qosClass", "BestEffort"),
        "startTime": old.get("startTime") or timestamp,
        "hostIP": ADDRESS,
        "hostIPs": [{"ip": ADDRESS}],
        "podIP": ADDRESS,
        "podIPs": [{"ip": ADDRESS}],
        "observedGeneration": pod["metadata"].get("generation", 1),
        "conditions": _conditions(pod, containers, phase, timestamp),
    }
    for field, init in (("initContainerStatuses", True), ("containerStatuses", False)):
        documents = [container.status() for container in containers if container.init == init]
        if documents:
            new[field] = documents
    if failure and failure.reason:
        new |= {"reason": failure.reason, "message": failure.message}
    if failure and failure.disruption:
        target = ("DisruptionTarget", "True", failure.disruption, failure.message)
        new["conditions"].append(_condition(pod, timestamp, *target))
    return new


def _conditions(
    pod: Object, containers: list[Container], phase: str, timestamp: str
) -> list[Object]:
    unready = _names(c for c in containers if not c.running and (c.sidecar or not c.init))
    incomplete = _names(
        c for c in containers if c.init and not (c.running if c.sidecar else c.succeeded)
    )
    if any(c.running or c.terminated for c in containers if not c.init):
        incomplete = ""
    ended = {"Succeeded": "PodCompleted", "Failed": "PodFailed"}.get(phase, "")
    ready = not unready and not ended
    reason, message = ended, ""
    if unready and not ended:
        reason, message = "ContainersNotReady", f"containers with unready status: {unready}"
    completed = "PodCompleted" if phase == "Succeeded" else ""
    initialized = [str(not incomplete), completed]
    if incomplete:
        text = f"containers with incomplete status: {incomplete}"
        initialized = ["False", "ContainersNotInitialized", text]
    return [
        _condition(pod, timestamp, "PodReadyToStartContainers", str(not ended)),
        _condition(pod, timestamp, "Initialized", *initialized),
        _condition(pod, timestamp, "Ready", str(ready), reason, message),
        _condition(pod, timestamp, "ContainersReady", str(ready), reason, message),
        _condition(pod, timestamp, "PodScheduled", "True"),
    ]


def _names(containers: Iterable[Container]) -> str:
    """Return the names as Go prints a list; "" for none."""
    names = " ".join(container.name for container in containers)
    return f"[{names}]" if names else ""


def _condition(
    pod: Object, timestamp: str, kind: str, value: str, reason: str = "", message: str = ""
) -> Object:
    """Return a condition; its transition time changes only with its status."""
    before = condition(pod, kind)
    if before and before["status"] == value:
        timestamp = before["lastTransitionTime"]
    entry: Object = {
        "type": kind,
        "status": value,
        "lastProbeTime": None,
        "lastTransitionTime": timestamp,
        "observedGeneration": pod["metadata"].get("generation", 1),
    }
    details = {"reason": reason, "message": message}
    return entry | {key: text for key, text in details.items() if text}


def unschedulable(pod: Object, message: str, timestamp: str) -> Object:
    """Return the status of a pod that cannot be scheduled."""
    scheduled = _condition(pod, timestamp, "PodScheduled", "False", "Unschedulable", message)
    return {**(pod.get("status") or {}), "conditions": [scheduled]}


def lost(pod: Object, timestamp: str) -> Object:
    """Return the status of a pod that ran when the dev cluster ended."""
    old = pod.get("status") or {}
    containers = new_containers(pod)
    for container in containers:
        field = "initContainerStatuses" if container.init else "containerStatuses"
        before = next((s for s in old.get(field) or () if s["name"] == container.name), None)
        if before is not None:
            container.state, container.id = before["state"], before.get("containerID", "")
            container.restarts = before.get("restartCount", 0)
        if container.running:
            started = container.state["running"].get("startedAt")
            container.state = terminated(
                137, "Error", LOST, startedAt=started, finishedAt=timestamp
            )
        elif not container.terminated:
            container.state = unknown_state()
    return build_status(pod, containers, PodFailure("NodeLost", LOST), timestamp)
