"""The scheduler: bind pods to the only node, up to its limit."""

from sparktest.devcluster import pod_status
from sparktest.devcluster.bootstrap import MAX_PODS, NODE
from sparktest.devcluster.control_loop import ControlLoop, Key
from sparktest.devcluster.event_recorder import EventRecorder
from sparktest.devcluster.kinds import PODS
from sparktest.devcluster.objects import will_not_run
from sparktest.devcluster.pod_status import ANNOTATIONS, NOT_PULLED_NOTE
from sparktest.devcluster.resources import Resources
from sparktest.devcluster.simulate import simulation_of
from sparktest.devcluster.stored_objects import Object, StoredObject, WatchEvent

COMPONENT = "default-scheduler"
UNAVAILABLE = "0/1 nodes are available: "
FULL = f"{UNAVAILABLE}1 Too many pods: the limit of {MAX_PODS} running pods is reached."


class Scheduler:
    """Binds pods to the node; pods beyond its limit wait in the order of their creation."""

    def __init__(self, resources: Resources, recorder: EventRecorder) -> None:
        self._resources = resources
        self._recorder = recorder
        self._running: set[Key] = set()
        self._waiting: dict[Key, None] = {}
        self._loop = ControlLoop("scheduler", self._handle, resources.clock)

    def start(self) -> None:
        """Handle all existing pods, and every change of a pod."""
        self._resources.store.subscribe(self._on_event)
        for stored in self._resources.store.objects(PODS.key):
            self._loop.add((stored.namespace, stored.name, stored.uid))
        self._loop.start()

    def stop(self) -> None:
        """Stop binding pods."""
        self._loop.stop()

    def _on_event(self, event: WatchEvent) -> None:
        stored = event.object
        if stored.kind == PODS.key:
            self._loop.add((stored.namespace, stored.name, stored.uid))

    def _handle(self, key: Key) -> None:
        stored = self._resources.store.by_uid(key[2])
        pod = stored.decode() if stored else None
        if stored is None or pod is None or will_not_run(pod):
            self._waiting.pop(key, None)
            if key in self._running:
                self._running.discard(key)
                self._retry_oldest()
        elif pod["spec"].get("nodeName"):
            self._running.add(key)
        elif reason := self._unschedulable_reason(pod):
            self._set_unschedulable(stored, pod, reason)
        elif len(self._running) < MAX_PODS:
            self._waiting.pop(key, None)
            self._running.add(key)
            self._bind(stored)
            self._retry_oldest()
        else:
            self._waiting[key] = None
            self._set_unschedulable(stored, pod, FULL)

    def _retry_oldest(self) -> None:
        """Queue the pod that has waited longest."""
        if self._waiting:
            self._loop.add(next(iter(self._waiting)))

    def _unschedulable_reason(self, pod: Object) -> str:
        """Return the reason why the pod cannot run on the node; "" if it can.

        Node selectors, affinity and taints are ignored: there is only one node.
        """
        for container in pod["spec"]["containers"]:
            simulation = simulation_of(container.get("image", ""))
            if simulation and simulation.unschedulable:
                return f"{UNAVAILABLE}{simulation.message}"
        return ""

    def _bind(self, stored: StoredObject) -> None:
        def bind(obj: Object) -> None:
            obj["spec"]["nodeName"] = NODE
            obj["metadata"].setdefault("annotations", {})[f"{ANNOTATIONS}/image"] = NOT_PULLED_NOTE

        pod = self._resources.set_status(PODS, stored, bind)
        text = f"Successfully assigned {stored.namespace}/{stored.name} to {NODE}"
        self._recorder.record(pod, "Scheduled", text, component=COMPONENT)

    def _set_unschedulable(self, stored: StoredObject, pod: Object, reason: str) -> None:
        """Write the reason into the status and record an Event, unless that has been done."""
        status = pod_status.unschedulable(pod, reason, self._resources.clock.timestamp())
        if status == pod.get("status"):
            return
        self._resources.set_status(PODS, stored, lambda obj: obj.update(status=status))
        self._recorder.record(pod, "FailedScheduling", reason, component=COMPONENT, warning=True)
