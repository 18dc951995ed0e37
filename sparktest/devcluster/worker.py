"""A worker takes one pod from its node to its end: each container becomes a process."""

import logging
import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from sparktest.devcluster import podstatus
from sparktest.devcluster.entries import Entry, Object
from sparktest.devcluster.environment import ConfigError
from sparktest.devcluster.podrecord import PodRecord, StoppedError
from sparktest.devcluster.podstatus import IMAGE_NOTE, Container, End
from sparktest.devcluster.processes import Process, Task
from sparktest.devcluster.simulate import Simulated, simulated
from sparktest.devcluster.surroundings import Surroundings

LOG = logging.getLogger(__name__)
# How often a container that cannot be configured is tried again.
CONFIG_SECONDS = 5.0
BACK_OFF_SECONDS = 1.0
# How long after its last deadline the end of a process is waited for.
PATIENCE_SECONDS = 10.0

Line = tuple[str, dict[str, Any]]
LOOK: Line = ("", {})


class AbandonedError(Exception):
    """The dev cluster ends."""


class Worker:
    """Takes a pod to its end in a thread of its own, then calls `done` with its uid."""

    def __init__(self, entry: Entry, around: Surroundings, done: Callable[[str], None]) -> None:
        self.uid = entry.uid
        self.namespace = entry.namespace
        self._around = around
        self._done = done
        self._inbox: queue.SimpleQueue[Line] = queue.SimpleQueue()
        self._record = PodRecord(entry, around)
        self._processes: dict[str, Process] = {}
        self._abandoned = False
        self._thread = threading.Thread(target=self._run, name=f"pod-{entry.name}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def look(self) -> None:
        """Look at the pod again: it changed."""
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
        return self._record.container(container).over

    def _run(self) -> None:
        try:
            self._live()
        except AbandonedError:
            pass
        except Exception:  # the top of the thread; what it leaves behind, `done` sees to
            LOG.exception("pod failed uid=%s", self.uid)
        finally:
            for process in self._processes.values():
                process.abandon()
            self._done(self.uid)

    def _live(self) -> None:
        try:
            self._record.report()
            self._work(self._pod())
        except StoppedError as stop:
            self._record.end = stop.end
            self._stop(stop.grace_seconds)
        self._record.report(final=True)

    def _work(self, pod: Object) -> None:
        """Start the containers, the init containers one after the other, and wait for their end."""
        spec = pod["spec"]
        for document in spec.get("initContainers") or ():
            container = self._record.container(document["name"])
            self._launch(pod, document, container)
            while not container.over:
                self._wait()
            if not container.succeeded:
                return
        for document in spec["containers"]:
            self._launch(pod, document, self._record.container(document["name"]))
        while not self._record.all_over:
            self._wait()

    def _launch(self, pod: Object, document: Object, container: Container) -> None:
        pretence = simulated(container.image)
        if pretence:
            self._pretend(container, pretence)
            return
        task = self._configured(pod, document, container)
        name = container.name
        text = f'Container image "{container.image}" is {IMAGE_NOTE}'
        self._record.note("ImageNotPulled", text, name)
        self._record.note("Created", f"Created container: {name}", name)
        container.id = f"process://{self.uid}/{name}"
        try:
            self._processes[name] = Process(task, partial(self._tell, name))
        except OSError as error:
            self._record.take_in(name, {"failed": f"no process for it: {error.strerror}"})

    def _configured(self, pod: Object, document: Object, container: Container) -> Task:
        """What to run, once everything that the container refers to is there."""
        while True:
            try:
                return self._around.task(pod, document)
            except ConfigError as error:
                why = str(error)
                self._record.hold(container, "CreateContainerConfigError", why, why)
            self._wait(CONFIG_SECONDS)

    def _pretend(self, container: Container, pretence: Simulated) -> None:
        if pretence.ends_pod:
            disruption = "TerminationByKubelet" if pretence.reason == "Evicted" else ""
            raise StoppedError(End(pretence.reason, pretence.message, disruption), 0)
        for reason in pretence.waiting:
            self._record.hold(container, reason, pretence.message, reason)
            self._wait(BACK_OFF_SECONDS)
        while pretence.waiting:
            self._wait()
        now = self._around.clock.stamp()
        code, reason = pretence.exit_code or 0, pretence.reason
        container.state = podstatus.terminated(
            code, reason, pretence.message, startedAt=now, finishedAt=now
        )
        self._record.report()

    def _pod(self) -> Object:
        """The pod as it is now; a pod that has to stop raises what says so."""
        if self._abandoned:
            raise AbandonedError
        return self._record.read()

    def _wait(self, seconds: float | None = None) -> None:
        """Wait for something to happen, at most so long, and take it in."""
        left = self._record.seconds_left(self._pod())
        limits = [limit for limit in (seconds, left) if limit is not None]
        with suppress(queue.Empty):
            self._take_in(*self._inbox.get(timeout=max(0.0, min(limits)) if limits else None))

    def _tell(self, name: str, line: dict[str, Any]) -> None:
        self._inbox.put((name, line))

    def _take_in(self, name: str, line: dict[str, Any]) -> None:
        """Note what a process says of itself."""
        if name:
            self._record.take_in(name, line)
            if self._record.container(name).over:
                self._processes.pop(name, None)

    def _stop(self, grace_seconds: float) -> None:
        """End what runs: TERM, then KILL after the grace, or at once if the pod is gone by then."""
        clock = self._around.clock
        give_up = clock.time() + grace_seconds + PATIENCE_SECONDS
        for name, process in self._processes.items():
            self._record.note("Killing", f"Stopping container {name}", name)
            process.stop(grace_seconds)
        while self._processes and clock.time() < give_up:
            with suppress(queue.Empty):
                self._take_in(*self._inbox.get(timeout=PATIENCE_SECONDS))
            if self._abandoned:
                raise AbandonedError
            if self._record.gone():
                for process in self._processes.values():
                    process.stop(0)
        for container in self._record.containers:
            if not container.over:
                container.state = podstatus.never_found()
