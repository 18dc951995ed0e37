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
from sparktest.devcluster.pod_features import (
    IGNORED,
    IGNORED_MESSAGE,
    UNSUPPORTED,
    ignored_fields,
    unsupported,
)
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
# A sidecar gets this much, also when the other containers took the whole grace period.
MIN_GRACE_SECONDS = 2.0

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
        # When to start ended sidecars again, by name.
        self._restarts: dict[str, float] = {}
        self._stopping = False
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
        return not self._record.container(container).running

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
            pod = self._read_pod()
            self._run_containers(pod)
            # Only sidecars are left.
            self._stop(pod["spec"].get("terminationGracePeriodSeconds", 30))
        except StopPodError as stop:
            self._record.failure = stop.failure
            self._stop(stop.grace_seconds)
            for container in self._record.containers:
                if not container.terminated:
                    container.state = pod_status.unknown_state()
        self._record.write_status(final=True)

    def _run_containers(self, pod: Object) -> None:
        """Run the init containers in turn, then all containers at once, until they have ended.

        A sidecar only has to start before the next one, and runs until it is stopped.
        """
        if why := unsupported(pod):
            self._record.reject(UNSUPPORTED, why)
            return
        if fields := ", ".join(ignored_fields(pod)):
            self._record.record_event(IGNORED, f"{IGNORED_MESSAGE}: {fields}")
        self._wait_for_volumes(pod)
        containers = self._record.containers
        for container in (each for each in containers if each.init):
            self._start_container(pod, container)
            while not (container.running if container.sidecar else container.terminated):
                self._wait()
            if container.terminated and not container.succeeded:
                return
        for container in (each for each in containers if not each.init):
            self._start_container(pod, container)
        while not all(each.terminated for each in containers if not each.sidecar):
            self._wait()

    def _wait_for_volumes(self, pod: Object) -> None:
        """Create the volumes; wait until all that they refer to exists."""
        while True:
            try:
                return self._runtime.create_volumes(pod)
            except VolumeError as error:
                for message in error.args:
                    self._record.record_event("FailedMount", message, warning=True)
            self._wait(CONFIG_RETRY_SECONDS)

    def _start_container(self, pod: Object, container: Container) -> None:
        simulation = simulation_of(container.spec.get("image", ""))
        if simulation:
            self._simulate(container, simulation)
            return
        task = self._wait_for_config(pod, container)
        name = container.name
        self._record.record_event("Created", f"Created container: {name}", name)
        container.id = f"process://{self.uid}/{name}/{container.restarts}"
        try:
            self._processes[name] = Process(task, lambda report: self._reports.put((name, report)))
        except OSError as error:
            message = f"the process cannot be started: {error.strerror}"
            self._record.handle_report(name, {"failed": message})

    def _wait_for_config(self, pod: Object, container: Container) -> Task:
        """Wait until all that the container refers to exists; return the process to run."""
        while True:
            try:
                return self._runtime.task(pod, container)
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
        """Wait for the next report or wake-up, at most `seconds` or until something is due.

        That is the pod's deadline, or the restart of a sidecar.
        """
        clock, pod = self._runtime.clock, self._read_pod()
        left = self._record.seconds_left(pod)
        limits = [limit for limit in (seconds, left, MAX_WAIT_SECONDS) if limit is not None]
        limits += [at - clock.time() for at in self._restarts.values()]
        with suppress(queue.Empty):
            self._handle(*self._reports.get(timeout=max(0.0, min(limits))))
        for name in [name for name, at in self._restarts.items() if at <= clock.time()]:
            del self._restarts[name]
            container = self._record.container(name)
            container.restart()
            self._start_container(pod, container)

    def _handle(self, name: str, report: dict[str, Any]) -> None:
        """Handle a report; a wake-up has no name."""
        if not name:
            return
        self._record.handle_report(name, report)
        container = self._record.container(name)
        if container.terminated:
            self._processes.pop(name, None)
            if container.sidecar and not self._stopping:
                delay = self._record.back_off(container)
                self._restarts[name] = self._runtime.clock.time() + delay

    def _stop(self, grace_seconds: float) -> None:
        """Stop all processes: TERM, then KILL after the grace period or once the pod is removed.

        Sidecars are stopped after the other containers, the last one first.
        """
        clock, self._stopping = self._runtime.clock, True
        kill_at = clock.time() + grace_seconds
        stopped: set[str] = set()
        while self._processes and clock.time() < kill_at + KILL_TIMEOUT_SECONDS:
            for name in self._next_to_stop() - stopped:
                stopped.add(name)
                self._record.record_event("Killing", f"Stopping container {name}", name)
                rest = kill_at - clock.time()
                self._processes[name].stop(max(rest, min(grace_seconds, MIN_GRACE_SECONDS)))
            with suppress(queue.Empty):
                self._handle(*self._reports.get(timeout=KILL_TIMEOUT_SECONDS))
            if self._killed:
                raise KilledError
            if self._record.is_deleted():
                for process in self._processes.values():
                    process.stop(0)

    def _next_to_stop(self) -> set[str]:
        running = [each for each in self._record.containers if each.name in self._processes]
        own = {container.name for container in running if not container.sidecar}
        return own or {running[-1].name}
