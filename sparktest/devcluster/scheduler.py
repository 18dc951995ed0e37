"""The scheduler: gives pods the one node there is, as many at once as a real one takes."""

from sparktest.devcluster import podstatus
from sparktest.devcluster.bootstrap import NODE, PODS_AT_ONCE
from sparktest.devcluster.clock import Clock
from sparktest.devcluster.entries import Entry, Event, Object
from sparktest.devcluster.kinds import NODES, PODS
from sparktest.devcluster.loops import Key, Loop
from sparktest.devcluster.objects import ended
from sparktest.devcluster.podstatus import IMAGE_NOTE, NOTES
from sparktest.devcluster.recorder import Recorder
from sparktest.devcluster.resources import Resources
from sparktest.devcluster.simulate import simulated

COMPONENT = "default-scheduler"
NONE = "0/1 nodes are available: "
NO_MATCH = f"{NONE}1 node(s) didn't match Pod's node affinity/selector."
FULL = f"{NONE}1 Too many pods: {PODS_AT_ONCE} run, and this one waits for the end of one."


class Scheduler:
    """Binds every pod that can run to the node; the others wait, in the order they came."""

    def __init__(self, resources: Resources, recorder: Recorder, clock: Clock) -> None:
        self._resources = resources
        self._recorder = recorder
        self._clock = clock
        self._running: set[Key] = set()
        self._waiting: dict[Key, None] = {}
        self._loop = Loop("scheduler", self._handle, clock)

    def start(self) -> None:
        """Take up every pod there is, and those to come."""
        self._resources.store.subscribe(self._follow)
        for entry in self._resources.store.entries(PODS.key):
            self._loop.add((entry.namespace, entry.name, entry.uid))
        self._loop.start()

    def stop(self) -> None:
        """Bind no more pods."""
        self._loop.stop()

    def _follow(self, event: Event) -> None:
        entry = event.entry
        if entry.kind == PODS.key:
            self._loop.add((entry.namespace, entry.name, entry.uid))

    def _handle(self, key: Key) -> None:
        entry = self._resources.store.by_uid(key[2])
        pod = entry.decode() if entry else None
        if entry is None or pod is None or _over(pod):
            self._waiting.pop(key, None)
            if key in self._running:
                self._running.discard(key)
                self._next()
        elif pod["spec"].get("nodeName"):
            self._running.add(key)
        elif why := self._obstacle(pod):
            self._hold(entry, pod, why)
        elif len(self._running) < PODS_AT_ONCE:
            self._waiting.pop(key, None)
            self._running.add(key)
            self._bind(entry)
            self._next()
        else:
            self._waiting[key] = None
            self._hold(entry, pod, FULL)

    def _next(self) -> None:
        """Have the pod looked at that has waited longest."""
        for key in self._waiting:
            self._loop.add(key)
            return

    def _obstacle(self, pod: Object) -> str:
        """Why the node is not for this pod; empty where it is."""
        for container in pod["spec"]["containers"]:
            pretence = simulated(container.get("image", ""))
            if pretence and pretence.unschedulable:
                return f"{NONE}{pretence.message}"
        node = self._resources.store.get(NODES.key, "", NODE)
        wanted = pod["spec"].get("nodeSelector") or {}
        return "" if node and wanted.items() <= node.labels.items() else NO_MATCH

    def _bind(self, entry: Entry) -> None:
        def bind(obj: Object) -> None:
            obj["spec"]["nodeName"] = NODE
            obj["metadata"].setdefault("annotations", {})[f"{NOTES}/image"] = IMAGE_NOTE

        pod = self._resources.set_status(PODS, entry, bind)
        text = f"Successfully assigned {entry.namespace}/{entry.name} to {NODE}"
        self._recorder.record(pod, "Scheduled", text, component=COMPONENT)

    def _hold(self, entry: Entry, pod: Object, why: str) -> None:
        """Say in its status and in an Event what the pod waits for, once."""
        status = podstatus.unschedulable(pod, why, self._clock.stamp())
        if status == pod.get("status"):
            return
        self._resources.set_status(PODS, entry, lambda obj: obj.update(status=status))
        self._recorder.record(pod, "FailedScheduling", why, component=COMPONENT, warning=True)


def _over(pod: Object) -> bool:
    """Whether a pod needs no place any more, or never will."""
    going = pod["metadata"].get("deletionTimestamp") and not pod["spec"].get("nodeName")
    return bool(going) or ended(pod)
