"""A worker takes one pod from its node to its end: each container becomes a process."""

import logging
import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from sparktest.devcluster import podstatus
from sparktest.devcluster.bootstrap import NODE
from sparktest.devcluster.clock import after
from sparktest.devcluster.entries import Entry, Object
from sparktest.devcluster.environment import ConfigError
from sparktest.devcluster.kinds import PODS
from sparktest.devcluster.podstatus import Container, End
from sparktest.devcluster.processes import Process, Task
from sparktest.devcluster.simulate import Simulated, simulated
from sparktest.devcluster.surroundings import IMAGE_NOTE, Surroundings

LOG = logging.getLogger(__name__)
NOTES = "devcluster.sparktest.dev"
# How often a container that cannot be configured is tried again.
CONFIG_SECONDS = 5.0
BACK_OFF_SECONDS = 1.0
# How long after its last deadline the end of a process is waited for.
PATIENCE_SECONDS = 10.0

# What the kubelet writes for a time that never was.
EPOCH = "1970-01-01T00:00:00Z"

Line = tuple[str, dict[str, Any]]
LOOK: Line = ("", {})


class StoppedError(Exception):
    """The pod has to end now; `end` says why, unless it is because it is being deleted."""

    def __init__(self, end: End | None, grace_seconds: float) -> None:
        super().__init__(end)
        self.end = end
        self.grace_seconds = grace_seconds


class AbandonedError(Exception):
    """The dev cluster ends."""


class Worker:
    """Takes a pod to its end in a thread of its own, then calls `done` with its uid."""

    def __init__(self, entry: Entry, around: Surroundings, done: Callable[[str], None]) -> None:
        self.uid = entry.uid
        self.namespace = entry.namespace
        self._entry = entry
        self._around = around
        self._done = done
        self._inbox: queue.SimpleQueue[Line] = queue.SimpleQueue()
        self._containers: list[Container] = []
        self._processes: dict[str, Process] = {}
        self._memory, self._cpu = 0, 0.0
        self._abandoned = False
        self._end: End | None = None
        self._thread = threading.Thread(target=self._run, name=f"pod-{entry.name}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._around.clock.on_jump(self.look)
        self._thread.start()

    def look(self) -> None:
        """Look at the pod again: it changed, or the time did."""
        self._inbox.put(LOOK)

    def abandon(self) -> None:
        """Kill the processes and leave the pod as it is."""
        self._abandoned = True
        self.look()

    def join(self) -> None:
        """Wait until it is over."""
        self._thread.join(2 * PATIENCE_SECONDS)

    def over(self, container: str) -> bool:
        """Whether a container has written the last of its log."""
        return any(known.name == container and known.over for known in self._containers)

    def _run(self) -> None:
        try:
            self._live()
        except AbandonedError:
            for process in self._processes.values():
                process.abandon()
        except Exception:  # the top of the thread: the pod must not be left without a word
            LOG.exception("pod failed pod=%s/%s", self.namespace, self._entry.name)
        finally:
            self._around.clock.off_jump(self.look)
            self._done(self.uid)

    def _live(self) -> None:
        try:
            pod = self._scheduled()
            self._containers = podstatus.containers(pod)
            self._report()
            self._work(pod)
        except StoppedError as stop:
            self._end = stop.end
            self._stop(stop.grace_seconds)
        self._report(final=True)

    def _scheduled(self) -> Object:
        """The pod, once it has a node."""
        pod = self._pod()
        why = self._around.unschedulable(pod)
        if why:
            self._around.note(
                pod, "FailedScheduling", why, component="default-scheduler", warning=True
            )
            stamp = self._around.clock.stamp()

            def wait(obj: Object) -> None:
                obj["status"] = podstatus.unschedulable(obj, why, stamp)

            self._around.resources.set_status(PODS, self._entry, wait)
            while True:
                self._wait()

        def bind(obj: Object) -> None:
            obj["spec"]["nodeName"] = NODE
            obj["metadata"].setdefault("annotations", {})[f"{NOTES}/image"] = IMAGE_NOTE

        pod = self._around.resources.set_status(PODS, self._entry, bind)
        name = self._entry.name
        text = f"Successfully assigned {self.namespace}/{name} to {NODE}"
        self._around.note(pod, "Scheduled", text, component="default-scheduler")
        return pod

    def _work(self, pod: Object) -> None:
        """Start the containers, the init containers one after the other, and wait for their end."""
        spec = pod["spec"]
        for document in spec.get("initContainers") or ():
            container = self._container(document["name"])
            self._launch(pod, document, container)
            while not container.over:
                self._wait()
            if not container.succeeded:
                return
        for document in spec["containers"]:
            self._launch(pod, document, self._container(document["name"]))
        while not all(container.over for container in self._containers):
            self._wait()

    def _container(self, name: str) -> Container:
        return next(container for container in self._containers if container.name == name)

    def _launch(self, pod: Object, document: Object, container: Container) -> None:
        pretence = simulated(container.image)
        if pretence:
            self._pretend(pod, container, pretence)
            return
        task = self._configured(pod, document, container)
        text = f'Container image "{container.image}" is {IMAGE_NOTE}'
        self._around.note(pod, "ImageNotPulled", text, container=container.name)
        self._around.note(
            pod, "Created", f"Created container: {container.name}", container=container.name
        )
        container.id = f"process://{self.uid}/{container.name}"
        tell = partial(self._tell, container.name)
        self._processes[container.name] = Process(task, tell)

    def _configured(self, pod: Object, document: Object, container: Container) -> Task:
        """What to run, once everything that the container refers to is there."""
        while True:
            try:
                return self._around.task(pod, document)
            except ConfigError as error:
                container.state = podstatus.waiting("CreateContainerConfigError", str(error))
                text = f"Error: {error}"
                self._around.note(pod, "Failed", text, container=container.name, warning=True)
                self._report()
            self._wait(CONFIG_SECONDS)

    def _pretend(self, pod: Object, container: Container, pretence: Simulated) -> None:
        if pretence.ends_pod:
            disruption = "TerminationByKubelet" if pretence.reason == "Evicted" else ""
            raise StoppedError(End(pretence.reason, pretence.message, disruption), 0)
        for reason in pretence.waiting:
            container.state = podstatus.waiting(reason, pretence.message)
            name = container.name
            self._around.note(pod, "Failed", f"Error: {reason}", container=name, warning=True)
            self._report()
            self._wait(BACK_OFF_SECONDS)
        while pretence.waiting:
            self._wait()
        now = self._around.clock.stamp()
        container.state = podstatus.terminated(
            pretence.exit_code or 0,
            pretence.reason,
            pretence.message,
            startedAt=now,
            finishedAt=now,
        )
        self._report()

    def _pod(self) -> Object:
        """The pod as it is now; a pod that has to stop raises what says so."""
        if self._abandoned:
            raise AbandonedError
        entry = self._around.resources.store.by_uid(self.uid)
        if entry is None:
            raise StoppedError(None, 0)
        pod = entry.decode()
        meta = pod["metadata"]
        if meta.get("deletionTimestamp"):
            raise StoppedError(None, meta.get("deletionGracePeriodSeconds") or 0)
        left = self._left(pod)
        if left is not None and left <= 0:
            self._around.note(pod, "DeadlineExceeded", podstatus.DEADLINE)
            grace = pod["spec"].get("terminationGracePeriodSeconds", 30)
            raise StoppedError(End("DeadlineExceeded", podstatus.DEADLINE), grace)
        return pod

    def _left(self, pod: Object) -> float | None:
        """Seconds until the pod's deadline, None where it has none or has not begun."""
        seconds = pod["spec"].get("activeDeadlineSeconds")
        began = (pod.get("status") or {}).get("startTime")
        if seconds is None or began is None:
            return None
        return after(began, seconds).timestamp() - self._around.clock.time()

    def _wait(self, seconds: float | None = None) -> None:
        """Wait for something to happen, at most so long, and take it in."""
        left = self._left(self._pod())
        limits = [limit for limit in (seconds, left) if limit is not None]
        try:
            self._take_in(*self._inbox.get(timeout=max(0.0, min(limits)) if limits else None))
        except queue.Empty:
            return

    def _tell(self, name: str, line: dict[str, Any]) -> None:
        self._inbox.put((name, line))

    def _take_in(self, name: str, line: dict[str, Any]) -> None:
        """Note what a process says of itself."""
        if not name:
            return
        container = self._container(name)
        if "started" in line:
            container.state = {
                "running": {"startedAt": self._around.clock.stamp_of(line["started"])}
            }
            entry = self._around.resources.store.by_uid(self.uid)
            if entry:
                self._around.note(
                    entry.decode(), "Started", f"Started container {name}", container=name
                )
        elif "failed" in line:
            now = self._around.clock.stamp()
            container.state = podstatus.terminated(
                128, "StartError", line["failed"], startedAt=EPOCH, finishedAt=now
            )
        else:
            container.state = self._ended(container, line)
        if container.over:
            self._processes.pop(name, None)
        self._report()

    def _ended(self, container: Container, line: dict[str, Any]) -> Object:
        ended = line.get("ended")
        if ended is None:
            return podstatus.terminated(137, "Error", "the process was lost")
        self._memory = max(self._memory, ended["memory"])
        self._cpu += ended["cpu"]
        code = ended["exitCode"]
        return podstatus.terminated(
            code,
            "Error" if code else "Completed",
            startedAt=container.state.get("running", {}).get("startedAt"),
            finishedAt=self._around.clock.stamp_of(ended["finishedAt"]),
        )

    def _stop(self, grace_seconds: float) -> None:
        """End what runs: TERM, then KILL after the grace, or at once if the pod is gone by then."""
        clock = self._around.clock
        give_up = clock.time() + grace_seconds + PATIENCE_SECONDS
        for name, process in self._processes.items():
            self._note(f"Stopping container {name}", "Killing", name)
            process.stop(grace_seconds)
        while self._processes and clock.time() < give_up:
            with suppress(queue.Empty):
                self._take_in(*self._inbox.get(timeout=PATIENCE_SECONDS))
            if self._abandoned:
                raise AbandonedError
            if self._around.resources.store.by_uid(self.uid) is None:
                for process in self._processes.values():
                    process.stop(0)
        for container in self._containers:
            if not container.over:
                container.state = podstatus.never_found()

    def _note(self, message: str, reason: str, container: str) -> None:
        entry = self._around.resources.store.by_uid(self.uid)
        if entry:
            self._around.note(entry.decode(), reason, message, container=container)

    def _report(self, *, final: bool = False) -> None:
        """Write the pod's status; at its end also what it used, and that a deletion may go on."""
        stamp = self._around.clock.stamp()
        # Not one moment without it: who looks then would take the end of a container for its own.
        over = final or all(container.over for container in self._containers)
        end = self._end if over else None

        def change(pod: Object) -> None:
            if self._containers:
                pod["status"] = podstatus.status(pod, self._containers, end, stamp)
            meta = pod["metadata"]
            if final and self._memory:
                notes = meta.setdefault("annotations", {})
                notes[f"{NOTES}/memory"] = f"{self._memory // 2**20}Mi"
                notes[f"{NOTES}/cpu"] = f"{self._cpu:.2f}s"
            if final and meta.get("deletionTimestamp"):
                meta["deletionTimestamp"], meta["deletionGracePeriodSeconds"] = stamp, 0

        self._around.resources.set_status(PODS, self._entry, change)
