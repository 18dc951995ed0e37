"""The kubelet: start a worker for each pod, serve logs, and mark pods as lost after a crash."""

import logging
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

from sparktest.devcluster import pod_status
from sparktest.devcluster.api_errors import bad_request
from sparktest.devcluster.bootstrap import NODE
from sparktest.devcluster.clock import Clock
from sparktest.devcluster.event_recorder import EventRecorder
from sparktest.devcluster.kinds import CONFIGMAPS, PODS, SECRETS
from sparktest.devcluster.logs import LogOptions, read_log
from sparktest.devcluster.objects import ended
from sparktest.devcluster.pod_record import PodRuntime
from sparktest.devcluster.pod_worker import PodWorker
from sparktest.devcluster.processes import kill_marked
from sparktest.devcluster.requests import Request
from sparktest.devcluster.resources import Resources
from sparktest.devcluster.stored_objects import Object, StoredObject, WatchEvent

LOG = logging.getLogger(__name__)


class Kubelet:
    """Runs the pods of the node; the arguments are the attributes of `PodRuntime`."""

    def __init__(
        self, resources: Resources, recorder: EventRecorder, clock: Clock, folder: Path, mark: str
    ) -> None:
        self._resources = resources
        self._mark = mark
        self._workers: dict[str, PodWorker] = {}
        # Uids of pods that were started: no pod runs twice, whatever its status says.
        self._started: set[str] = set()
        self._lock = threading.Lock()
        self._runtime = PodRuntime(resources, recorder, clock, folder, mark)
        self._folder = folder
        folder.mkdir(mode=0o700, exist_ok=True)

    def start(self) -> None:
        """Mark the pods of an earlier process as lost, and run new pods."""
        killed = kill_marked(f"{self._mark}/")
        if killed:
            LOG.warning("killed leftover processes count=%d", len(killed))
        known = set()
        for entry in self._resources.store.objects(PODS.key):
            known.add(entry.uid)
            if _is_active(entry):
                self._mark_lost(entry)
        for folder in self._folder.iterdir():
            if folder.name not in known:
                shutil.rmtree(folder, ignore_errors=True)
        self._resources.store.subscribe(self._on_event)

    def stop(self) -> None:
        """Kill all processes; the next start marks their pods as lost."""
        with self._lock:
            workers = list(self._workers.values())
        for worker in workers:
            worker.kill()
        for worker in workers:
            worker.join()

    def log(self, request: Request, namespace: str, name: str) -> Iterator[bytes | None]:
        """Return the log of a container in pieces.

        Raises:
            StatusError: 404 or 400 if the container does not exist or has not started.
        """
        pod = self._resources.get(PODS, namespace, name)
        container = _container_name(pod, request.query.get("container", ""))
        if request.flag("previous"):
            text = f'previous terminated container "{container}" in pod "{name}" not found'
            raise bad_request(text)
        _check_started(pod, container)
        options = LogOptions.from_request(request, self._runtime.clock.time())
        uid = pod["metadata"]["uid"]
        path = self._runtime.log_path(uid, container)
        return read_log(path, options, lambda: self._log_is_complete(uid, container))

    def _log_is_complete(self, uid: str, container: str) -> bool:
        """Return True when a container writes no more to its log."""
        with self._lock:
            worker = self._workers.get(uid)
        return worker is None or worker.log_is_complete(container)

    def _on_event(self, event: WatchEvent) -> None:
        entry = event.object
        if entry.kind in (SECRETS.key, CONFIGMAPS.key):
            self._wake_waiting(entry.namespace)
        if entry.kind != PODS.key:
            return
        with self._lock:
            worker = self._workers.get(entry.uid)
        if worker:
            worker.wake()
        elif event.type == "DELETED":
            self._started.discard(entry.uid)
            shutil.rmtree(self._folder / entry.uid, ignore_errors=True)
        elif entry.uid not in self._started and _is_active(entry):
            self._start_worker(entry)

    def _wake_waiting(self, namespace: str) -> None:
        with self._lock:
            workers = list(self._workers.values())
        for worker in workers:
            if worker.namespace == namespace:
                worker.wake()

    def _start_worker(self, entry: StoredObject) -> None:
        worker = PodWorker(entry, self._runtime, self._on_worker_end)
        self._started.add(entry.uid)
        with self._lock:
            self._workers[entry.uid] = worker
        worker.start()

    def _on_worker_end(self, uid: str) -> None:
        with self._lock:
            self._workers.pop(uid, None)
        entry = self._resources.store.by_uid(uid)
        if entry is None:
            self._started.discard(uid)
            shutil.rmtree(self._folder / uid, ignore_errors=True)
        elif _is_active(entry):  # its worker failed
            self._mark_lost(entry)

    def _mark_lost(self, entry: StoredObject) -> None:
        timestamp = self._runtime.clock.timestamp()

        def mark(pod: Object) -> None:
            pod["status"] = pod_status.lost(pod, timestamp)
            if pod["metadata"].get("deletionTimestamp"):
                pod["metadata"]["deletionGracePeriodSeconds"] = 0

        self._resources.set_status(PODS, entry, mark)


def _is_active(entry: StoredObject) -> bool:
    """Return True for a pod that is on this node and has not ended."""
    # Most pods have no node yet or have ended: search the JSON, since decoding is expensive.
    if f'"nodeName":"{NODE}"'.encode() not in entry.raw:
        return False
    pod = entry.decode()
    return pod["spec"].get("nodeName") == NODE and not ended(pod)


def _container_name(pod: Object, wanted: str) -> str:
    """Return the name of the container whose log is requested.

    Raises:
        StatusError: 400, there is no such container, or no default.
    """
    spec, name = pod["spec"], pod["metadata"]["name"]
    names = [container["name"] for container in spec["containers"]]
    init = [container["name"] for container in spec.get("initContainers") or ()]
    if wanted:
        if wanted not in names + init:
            raise bad_request(f"container {wanted} is not valid for pod {name}")
        return wanted
    if len(names) > 1:
        choice = f"[{' '.join(names)}]"
        if init:
            choice += f" or one of the init containers: [{' '.join(init)}]"
        raise bad_request(
            f"a container name must be specified for pod {name}, choose one of: {choice}"
        )
    return str(names[0])


def _check_started(pod: Object, container: str) -> None:
    name = pod["metadata"]["name"]
    if not pod["spec"].get("nodeName"):
        raise bad_request(f"pod {name} does not have a host assigned")
    status = pod.get("status") or {}
    states = (status.get("initContainerStatuses") or []) + (status.get("containerStatuses") or [])
    state: Object = next((found["state"] for found in states if found["name"] == container), {})
    waiting = state.get("waiting")
    if waiting is not None or not state:
        reason = (waiting or {}).get("reason", "ContainerCreating")
        if reason in ("ErrImagePull", "ImagePullBackOff"):
            reason = "trying and failing to pull image"
        raise bad_request(f'container "{container}" in pod "{name}" is waiting to start: {reason}')
