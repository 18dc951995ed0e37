"""A pod as its worker knows it: what is wanted of it now, and what its status says."""

from typing import Any

from sparktest.devcluster import podstatus
from sparktest.devcluster.clock import after
from sparktest.devcluster.entries import Entry, Object
from sparktest.devcluster.kinds import PODS
from sparktest.devcluster.podstatus import NOTES, Container, End
from sparktest.devcluster.surroundings import Surroundings

# What the kubelet writes for a time that never was.
EPOCH = "1970-01-01T00:00:00Z"


class StoppedError(Exception):
    """The pod has to end now; `end` says why, unless it is because it is being deleted."""

    def __init__(self, end: End | None, grace_seconds: float) -> None:
        super().__init__(end)
        self.end = end
        self.grace_seconds = grace_seconds


class PodRecord:
    """The pod of an entry: its containers as they are, and why it ends if not by itself."""

    def __init__(self, entry: Entry, around: Surroundings) -> None:
        self.entry = entry
        self.end: End | None = None
        self.containers = podstatus.containers(entry.decode())
        self._around = around
        self._memory, self._cpu = 0, 0.0

    @property
    def all_over(self) -> bool:
        """Whether every container has ended."""
        return all(container.over for container in self.containers)

    def container(self, name: str) -> Container:
        """The container of that name."""
        return next(container for container in self.containers if container.name == name)

    def gone(self) -> bool:
        """Whether the pod is no longer there."""
        return self._around.resources.store.by_uid(self.entry.uid) is None

    def read(self) -> Object:
        """The pod as it is now.

        Raises:
            StoppedError: it has to stop, or is gone.
        """
        entry = self._around.resources.store.by_uid(self.entry.uid)
        if entry is None:
            raise StoppedError(None, 0)
        pod = entry.decode()
        meta = pod["metadata"]
        if meta.get("deletionTimestamp"):
            raise StoppedError(None, meta.get("deletionGracePeriodSeconds") or 0)
        left = self.seconds_left(pod)
        if left is not None and left <= 0:
            self.note("DeadlineExceeded", podstatus.DEADLINE)
            grace = pod["spec"].get("terminationGracePeriodSeconds", 30)
            raise StoppedError(End("DeadlineExceeded", podstatus.DEADLINE), grace)
        return pod

    def seconds_left(self, pod: Object) -> float | None:
        """Seconds until the pod's deadline, None where it has none or has not begun."""
        seconds = pod["spec"].get("activeDeadlineSeconds")
        began = (pod.get("status") or {}).get("startTime")
        if seconds is None or began is None:
            return None
        return after(began, seconds).timestamp() - self._around.clock.time()

    def note(
        self, reason: str, message: str, container: str = "", *, warning: bool = False
    ) -> None:
        """Record an Event about the pod, or about a container of it."""
        entry = self._around.resources.store.by_uid(self.entry.uid)
        if entry:
            self._around.recorder.record(
                entry.decode(),
                reason,
                message,
                component="kubelet",
                container=container,
                warning=warning,
            )

    def hold(self, container: Container, reason: str, message: str, event: str) -> None:
        """Say that a container does not start, and why: in its state, and in an Event.

        Nothing where that is said already: what is written of a pod wakes its worker.
        """
        state = podstatus.waiting(reason, message)
        if container.state == state:
            return
        container.state = state
        self.note("Failed", f"Error: {event}", container.name, warning=True)
        self.report()

    def take_in(self, name: str, line: dict[str, Any]) -> None:
        """Note what the process of a container says of itself."""
        container, clock = self.container(name), self._around.clock
        if "started" in line:
            container.state = {"running": {"startedAt": clock.stamp_of(line["started"])}}
            self.note("Started", f"Started container {name}", name)
        elif "failed" in line:
            container.state = podstatus.terminated(
                128, "StartError", line["failed"], startedAt=EPOCH, finishedAt=clock.stamp()
            )
        elif "ended" in line:
            self._end(container, line["ended"])
        else:
            container.state = podstatus.terminated(137, "Error", "the process was lost")
        self.report()

    def _end(self, container: Container, ended: dict[str, Any]) -> None:
        self._memory = max(self._memory, ended["memory"])
        self._cpu += ended["cpu"]
        code = ended["exitCode"]
        container.state = podstatus.terminated(
            code,
            "Error" if code else "Completed",
            startedAt=container.state.get("running", {}).get("startedAt"),
            finishedAt=self._around.clock.stamp_of(ended["finishedAt"]),
        )

    def report(self, *, final: bool = False) -> None:
        """Write the pod's status; at its end also what it used, and that a deletion may go on."""
        stamp = self._around.clock.stamp()
        # Not one moment without it: who looks then would take the end of a container for its own.
        end = self.end if final or self.all_over else None

        def change(pod: Object) -> None:
            pod["status"] = podstatus.status(pod, self.containers, end, stamp)
            meta = pod["metadata"]
            if final and self._memory:
                notes = meta.setdefault("annotations", {})
                notes[f"{NOTES}/memory"] = f"{self._memory // 2**20}Mi"
                notes[f"{NOTES}/cpu"] = f"{self._cpu:.2f}s"
            if final and meta.get("deletionTimestamp"):
                meta["deletionTimestamp"], meta["deletionGracePeriodSeconds"] = stamp, 0

        self._around.resources.set_status(PODS, self.entry, change)
