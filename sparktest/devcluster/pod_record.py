"""What a pod worker knows of its pod: container states, status and deadline."""

from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from sparktest.devcluster import pod_status
from sparktest.devcluster.clock import Clock, deadline
from sparktest.devcluster.environment import TMP, Lookup, build_command, build_environment
from sparktest.devcluster.event_recorder import EventRecorder
from sparktest.devcluster.kinds import CONFIGMAPS, PODS, SECRETS
from sparktest.devcluster.mounts import can_mount
from sparktest.devcluster.pod_status import ANNOTATIONS, Container, PodFailure
from sparktest.devcluster.processes import POD_VARIABLE, Task
from sparktest.devcluster.resources import Resources
from sparktest.devcluster.stored_objects import Object, StoredObject
from sparktest.devcluster.volumes import (
    Mount,
    container_mounts,
    create_volumes,
    host_path,
    volume_variables,
)

# The variable with the path of the termination message: all containers share one /dev.
TERMINATION_LOG = "SPARKTEST_TERMINATION_LOG"
# The kubelet also reads only the end of the file.
MAX_MESSAGE_BYTES = 4096
# How long the kubelet waits before the second restart of a sidecar; the first one is immediate.
BACK_OFF_SECONDS, MAX_BACK_OFF_SECONDS = 10.0, 300.0
# The kubelet's placeholder for an unknown time.
EPOCH = "1970-01-01T00:00:00Z"


class StopPodError(Exception):
    """The pod must stop because of `failure`, or because it is being deleted if that is None."""

    def __init__(self, failure: PodFailure | None, grace_seconds: float) -> None:
        super().__init__(failure)
        self.failure = failure
        self.grace_seconds = grace_seconds


class PodRuntime(NamedTuple):
    """What the pods of a node share; `folder` is for their home folders and logs."""

    resources: Resources
    recorder: EventRecorder
    folder: Path
    cluster_uid: str

    @property
    def clock(self) -> Clock:
        """The clock of the cluster."""
        return self.resources.clock

    @property
    def programs(self) -> Path:
        """The folder with `python`, so that it is always found."""
        return self.folder.with_name("bin")

    def log_path(self, uid: str, container: str, restarts: int) -> Path:
        """Return the path of the log of a container's process after so many restarts."""
        return self.folder / uid / f"{container}.{restarts}.log"

    def termination_log(self, uid: str, container: str) -> Path:
        """Return the path of a container's termination message."""
        return self.folder / uid / f"{container}.termination-log"

    def task(self, pod: Object, container: Container) -> Task:
        """Return the process to run for a container; create its folders.

        Raises:
            ConfigError: the container refers to something that does not exist.
        """
        uid, spec = pod["metadata"]["uid"], container.spec
        root = self.folder / uid
        home, stage = root / container.name, root / ".stage"
        for folder in (root, home, root / TMP, stage):
            folder.mkdir(mode=0o700, exist_ok=True)
        message = self.termination_log(uid, container.name)
        with suppress(OSError):  # of the last process of a sidecar
            message.unlink(missing_ok=True)
        message.touch(mode=0o600)
        variables = {
            **build_environment(spec, pod, root, self.programs, self._lookup(pod)),
            **volume_variables(spec, pod, root),
        }
        mounts = container_mounts(spec, pod, root, variables)
        cwd = spec.get("workingDir") or str(home)
        outside = Path(host_path(cwd, mounts))
        if outside.is_relative_to(root):
            outside.mkdir(parents=True, exist_ok=True)
        namespace = mounts and can_mount(self.folder)
        return Task(
            argv=build_command(spec, variables),
            env={
                **variables,
                POD_VARIABLE: f"{self.cluster_uid}/{uid}",
                TERMINATION_LOG: str(message),
            },
            cwd=cwd if namespace else str(outside),
            log=str(self.log_path(uid, container.name, container.restarts)),
            mounts=[*mounts, Mount(str(root), str(root))] if namespace else [],
            stage=str(stage),
        )

    def create_volumes(self, pod: Object) -> None:
        """Create and fill the volumes of a pod.

        Raises:
            VolumeError: something that a volume refers to does not exist.
        """
        create_volumes(pod, self.folder / pod["metadata"]["uid"], self._lookup(pod))

    def _lookup(self, pod: Object) -> Lookup:
        """Return a function that finds Secrets and ConfigMaps of the pod's namespace."""

        def lookup(kind: str, name: str) -> Object | None:
            key = SECRETS.key if kind == "Secret" else CONFIGMAPS.key
            stored = self.resources.store.get(key, pod["metadata"]["namespace"], name)
            return stored.decode() if stored else None

        return lookup


class PodRecord:
    """A pod, its containers, and its failure as a whole, if any."""

    def __init__(self, stored: StoredObject, runtime: PodRuntime) -> None:
        self.stored = stored
        self.failure: PodFailure | None = None
        self.containers = pod_status.new_containers(stored.decode())
        self._runtime = runtime
        self._memory_bytes, self._cpu_seconds = 0, 0.0

    @property
    def nothing_runs(self) -> bool:
        """Return True when every container has ended, or has not started."""
        return not any(container.running for container in self.containers)

    def container(self, name: str) -> Container:
        """Return the container with this name."""
        return next(container for container in self.containers if container.name == name)

    def is_deleted(self) -> bool:
        """Return True when the pod no longer exists."""
        return self._runtime.resources.store.by_uid(self.stored.uid) is None

    def read(self) -> Object:
        """Return the current version of the pod.

        Raises:
            StopPodError: the pod must stop, or no longer exists.
        """
        stored = self._runtime.resources.store.by_uid(self.stored.uid)
        if stored is None:
            raise StopPodError(None, 0)
        pod = stored.decode()
        meta = pod["metadata"]
        if meta.get("deletionTimestamp"):
            raise StopPodError(None, meta.get("deletionGracePeriodSeconds") or 0)
        left = self.seconds_left(pod)
        if left is not None and left <= 0:
            self.record_event("DeadlineExceeded", pod_status.DEADLINE)
            grace_seconds = pod["spec"].get("terminationGracePeriodSeconds", 30)
            raise StopPodError(PodFailure("DeadlineExceeded", pod_status.DEADLINE), grace_seconds)
        return pod

    def seconds_left(self, pod: Object) -> float | None:
        """Return the seconds until the pod's deadline; None if it has none or has not started."""
        seconds = pod["spec"].get("activeDeadlineSeconds")
        started = (pod.get("status") or {}).get("startTime")
        if seconds is None or started is None:
            return None
        return deadline(started, seconds).timestamp() - self._runtime.clock.time()

    def record_event(
        self, reason: str, message: str, container: str = "", *, warning: bool = False
    ) -> None:
        """Record an Event about the pod, or about one of its containers."""
        stored = self._runtime.resources.store.by_uid(self.stored.uid)
        if stored:
            self._runtime.recorder.record(
                stored.decode(),
                reason,
                message,
                component="kubelet",
                container=container,
                warning=warning,
            )

    def reject(self, reason: str, message: str) -> None:
        """Fail the pod before its containers are created, as a kubelet that cannot admit it."""
        self.failure = PodFailure(reason, message)
        self.containers.clear()
        self.record_event(reason, message, warning=True)

    def set_waiting(self, container: Container, reason: str, message: str, event: str) -> None:
        """Set a container that cannot start to waiting, and record an Event.

        Does nothing if it is in that state already: a write would wake the worker, which would
        write again.
        """
        state = pod_status.waiting(reason, message)
        if container.state == state:
            return
        container.state = state
        self.record_event("Failed", f"Error: {event}", container.name, warning=True)
        self.write_status()

    def back_off(self, container: Container) -> float:
        """Return the seconds until an ended sidecar starts again; record an Event of a delay."""
        if not container.restarts:
            return 0.0
        meta = self.stored.decode()["metadata"]
        pod = f"{meta['name']}_{meta['namespace']}({meta['uid']})"
        text = f"Back-off restarting failed container {container.name} in pod {pod}"
        self.record_event("BackOff", text, container.name, warning=True)
        return min(BACK_OFF_SECONDS * 2.0 ** (container.restarts - 1), MAX_BACK_OFF_SECONDS)

    def handle_report(self, name: str, report: dict[str, Any]) -> None:
        """Update a container after a report of its process's shim."""
        container, clock = self.container(name), self._runtime.clock
        if "started" in report:
            container.state = {"running": {"startedAt": clock.timestamp_of(report["started"])}}
            self.record_event("Started", f"Started container {name}", name)
        elif "failed" in report:
            container.state = pod_status.terminated(
                128, "StartError", report["failed"], startedAt=EPOCH, finishedAt=clock.timestamp()
            )
        elif "ended" in report:
            self._end(container, report["ended"])
        else:
            container.state = pod_status.terminated(137, "Error", "the process was lost")
        self.write_status()

    def _end(self, container: Container, ended: dict[str, Any]) -> None:
        self._memory_bytes = max(self._memory_bytes, ended["memory"])
        self._cpu_seconds += ended["cpu"]
        code = ended["exitCode"]
        container.state = pod_status.terminated(
            code,
            "Error" if code else "Completed",
            _read_message(self._runtime.termination_log(self.stored.uid, container.name)),
            startedAt=container.state.get("running", {}).get("startedAt"),
            finishedAt=self._runtime.clock.timestamp_of(ended["finishedAt"]),
        )

    def write_status(self, *, final: bool = False) -> None:
        """Write the pod's status; `final` adds the resource usage and completes a deletion."""
        timestamp = self._runtime.clock.timestamp()
        # Write the failure together with the end of the last container. If it were written later,
        # readers would take the exit code for the result.
        failure = self.failure if final or self.nothing_runs else None

        def change(pod: Object) -> None:
            pod["status"] = pod_status.build_status(pod, self.containers, failure, timestamp)
            meta = pod["metadata"]
            if final and self._memory_bytes:
                annotations = meta.setdefault("annotations", {})
                annotations[f"{ANNOTATIONS}/memory"] = f"{self._memory_bytes // 2**20}Mi"
                annotations[f"{ANNOTATIONS}/cpu"] = f"{self._cpu_seconds:.2f}s"
            if final and meta.get("deletionTimestamp"):
                meta["deletionTimestamp"], meta["deletionGracePeriodSeconds"] = timestamp, 0

        self._runtime.resources.set_status(PODS, self.stored, change)


def _read_message(path: Path) -> str:
    """Return the termination message in a file; "" if the file is missing or not regular."""
    with suppress(OSError):
        if path.is_file() and not path.is_symlink():
            with path.open("rb") as file:
                file.seek(max(path.stat().st_size - MAX_MESSAGE_BYTES, 0))
                return file.read(MAX_MESSAGE_BYTES).decode(errors="replace")
    return ""
