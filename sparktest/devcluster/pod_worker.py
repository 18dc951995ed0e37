"""The pod worker: a thread that runs the containers of one pod as processes."""

import logging
import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from sparktest.devcluster import pod_status
from sparktest.devcluster.control_loop import MAX_WAIT_SECONDS
from sparktest.devcluster.environment import ConfigError
from sparktest.devcluster.pod_features import IGNORED, UNSUPPORTED, ignored_message, unsupported
from sparktest.devcluster.pod_record import PodRecord, PodRuntime, StopPodError
from sparktest.devcluster.pod_status import Container, PodFailure
from sparktest.devcluster.processes import Process, Task
from sparktest.devcluster.simulate import Simulation, simulation_of
from sparktest.devcluster.stored_objects import Object, StoredObject
from sparktest.devcluster.volumes import VolumeError

LOG = logging.getLogger(__name__)
CONFIG_RETRY_SECONDS = 5.0
PULL_RETRY_SECONDS = 1.0
# How long to wait for a process to end after its grace period.
KILL_TIMEOUT_SECONDS = 10.0

# A container's name and what the shim of its process reports.
Report = tuple[str, dict[str, Any]]
WAKE: Report = ("", {})


class KilledError(Exception):
    """The dev cluster is stopping: leave the status of the pod unchanged."""


class PodWorker:
    """Runs a pod in a thread, and then calls `on_end` with the uid of the pod."""

    def __init__(
        self, stored: StoredObject, runtime: PodRuntime, on_end: Callable[[str], None]
    ) -> None:
        self.uid = stored.uid
        self.namespace = stored.namespace
        self._runtime = runtime
        self._on_end = on_end
        self._reports: queue.SimpleQueue[Report] = queue.SimpleQueue()
        self._record = PodRecord(stored, runtime)
        self._processes: dict[str, Process] = {}
        self._killed = False
        self._thread = threading.Thread(target=self._run, name=f"pod-{stored.name}", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def wake(self) -> None:
        """Make the worker read the pod again."""
        self._reports.put(WAKE)

    def kill(self) -> None:
        """Kill the processes; leave the status of the pod unchanged."""
        self._killed = True
        self.wake()

    def join(self) -> None:
        """Wait until the thread has ended."""
        self._thread.join(2 * KILL_TIMEOUT_SECONDS)

    def log_is_complete(self, container: str) -> bool:
        """Return True when nothing more will be written to the log of a container."""
        return self._record.container(container).terminated

    def _run(self) -> None:
        try:
            self._run_pod()
        except KilledError:
            pass
        except Exception:  # top of the thread; the kubelet marks the pod as lost
            LOG.exception("pod worker failed uid=%s", self.uid)
        finally:
            for process in self._processes.values():
                process.kill()
            self._on_end(self.uid)

    def _run_pod(self) -> None:
        try:
            self._record.write_status()
            self._run_containers(self._read_pod())
        except StopPodError as stop:
            self._record.failure = stop.failure
            self._stop(stop.grace_seconds)
        self._record.write_status(final=True)

    def _run_containers(self, pod: Object) -> None:
        """Run the init containers in turn, then all containers at once, until they have ended."""
        spec = pod["spec"]
        if why := unsupported(pod):
            self._record.reject(UNSUPPORTED, why)
            return
        if ignored := ignored_message(pod):
            self._record.record_event(IGNORED, ignored)
        self._wait_for_volumes(pod)
        for document in spec.get("initContainers") or ():
            container = self._record.container(document["name"])
            self._start_container(pod, document, container)
            while not container.terminated:
                self._wait()
            if not container.succeeded:
                return
        for document in spec["containers"]:
            self._start_container(pod, document, self._record.container(document["name"]))
        while not self._record.all_terminated:
            self._wait()

    def _wait_for_volumes(self, pod: Object) -> None:
        """Create the volumes; wait until all that they refer to exists."""
        while True:
            try:
                return self._runtime.create_volumes(pod)
            except VolumeError as error:
                self._record.record_event("FailedMount", str(error), warning=True)
            self._wait(CONFIG_RETRY_SECONDS)

    def _start_container(self, pod: Object, document: Object, container: Container) -> None:
        simulation = simulation_of(container.image)
        if simulation:
            self._simulate(container, simulation)
            return
        task = self._wait_for_config(pod, document, container)
        name = container.name
        self._record.record_event("Created", f"Created container: {name}", name)
        container.id = f"process://{self.uid}/{name}"
        try:
            self._processes[name] = Process(task, lambda report: self._reports.put((name, report)))
        except OSError as error:
            message = f"the process cannot be started: {error.strerror}"
            self._record.handle_report(name, {"failed": message})

    def _wait_for_config(self, pod: Object, document: Object, container: Container) -> Task:
        """Wait until all that the container refers to exists; return the process to run."""
        while True:
            try:
                return self._runtime.task(pod, document)
            except ConfigError as error:
                text = str(error)
                self._record.set_waiting(container, "CreateContainerConfigError", text, text)
            self._wait(CONFIG_RETRY_SECONDS)

    def _simulate(self, container: Container, simulation: Simulation) -> None:
        if simulation.fails_pod:
            disruption = "TerminationByKubelet" if simulation.reason == "Evicted" else ""
            raise StopPodError(PodFailure(simulation.reason, simulation.message, disruption), 0)
        for reason in simulation.waiting:
            self._record.set_waiting(container, reason, simulation.message, reason)
            self._wait(PULL_RETRY_SECONDS)
        while simulation.waiting:
            self._wait()
        now = self._runtime.clock.timestamp()
        container.state = pod_status.terminated(
            simulation.exit_code or 0,
            simulation.reason,
            simulation.message,
            startedAt=now,
            finishedAt=now,
        )
        self._record.write_status()

    def _read_pod(self) -> Object:
        """Return the current version of the pod.

        Raises:
            KilledError: the dev cluster is stopping.
            StopPodError: the pod must stop.
        """
        if self._killed:
            raise KilledError
        return self._record.read()

    def _wait(self, seconds: float | None = None) -> None:
        """Wait for the next report or wake-up, at most `seconds` or until the pod's deadline."""
        left = self._record.seconds_left(self._read_pod())
        limits = [limit for limit in (seconds, left, MAX_WAIT_SECONDS) if limit is not None]
        with suppress(queue.Empty):
            self._handle(*self._reports.get(timeout=max(0.0, min(limits))))

    def _handle(self, name: str, report: dict[str, Any]) -> None:
        """Handle a report; a wake-up has no name."""
        if name:
            self._record.handle_report(name, report)
            if self._record.container(name).terminated:
                self._processes.pop(name, None)

    def _stop(self, grace_seconds: float) -> None:
        """Stop all processes: TERM, then KILL after the grace period or once the pod is removed."""
        clock = self._runtime.clock
        give_up_at = clock.time() + grace_seconds + KILL_TIMEOUT_SECONDS
        for name, process in self._processes.items():
            self._record.record_event("Killing", f"Stopping container {name}", name)
            process.stop(grace_seconds)
        while self._processes and clock.time() < give_up_at:
            with suppress(queue.Empty):
                self._handle(*self._reports.get(timeout=KILL_TIMEOUT_SECONDS))
            if self._killed:
                raise KilledError
            if self._record.is_deleted():
                for process in self._processes.values():
                    process.stop(0)
        for container in self._record.containers:
            if not container.terminated:
                container.state = pod_status.unknown_state()
