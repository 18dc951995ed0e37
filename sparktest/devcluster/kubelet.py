"""The kubelet: run the pods of the node, serve their logs, and mark pods as lost after a crash."""

import logging
import shutil
import sys
import threading
from collections.abc import Iterator

from sparktest.devcluster import pod_status
from sparktest.devcluster.api_errors import bad_request
from sparktest.devcluster.bootstrap import NODE
from sparktest.devcluster.kinds import CONFIGMAPS, PODS, SECRETS
from sparktest.devcluster.logs import LogOptions, read_log
from sparktest.devcluster.objects import ended
from sparktest.devcluster.pod_record import PodRuntime
from sparktest.devcluster.pod_worker import PodWorker
from sparktest.devcluster.processes import kill_leftovers
from sparktest.devcluster.requests import Request
from sparktest.devcluster.stored_objects import Object, StoredObject, WatchEvent

LOG = logging.getLogger(__name__)


class Kubelet:
    """Runs each pod of the node in a worker."""

    def __init__(self, runtime: PodRuntime) -> None:
        self._runtime = runtime
        self._resources = runtime.resources
        self._workers: dict[str, PodWorker] = {}
        # The uids of started pods: no pod runs twice, whatever its status says.
        self._started: set[str] = set()
        self._lock = threading.Lock()

    def start(self) -> None:
        """Mark the pods that ran when the dev cluster ended as lost, and run new pods."""
        killed = kill_leftovers(self._runtime.cluster_uid)
        if killed:
            LOG.warning("killed leftover processes count=%d", killed)
        for folder in (self._runtime.folder, self._runtime.programs):
            folder.mkdir(mode=0o700, exist_ok=True)
        # Only Python itself: the programs of SparkTest's own environment are not for tests.
        python = self._runtime.programs / "python"
        python.unlink(missing_ok=True)
        python.symlink_to(sys.executable)
        known = set()
        for stored in self._resources.store.objects(PODS.key):
            known.add(stored.uid)
            if _is_active(stored):
                self._mark_lost(stored)
        for folder in self._runtime.folder.iterdir():
            if folder.name not in known:
                shutil.rmtree(folder, ignore_errors=True)
        self._resources.store.subscribe(self._on_event)

    def stop(self) -> None:
        """Kill all processes; the next start marks their pods as lost."""
        workers = self._all_workers()
        for worker in workers:
            worker.kill()
        for worker in workers:
            worker.join()

    def log(self, request: Request, namespace: str, name: str) -> Iterator[bytes | None]:
        """Return the log of a container, as `read_log` does.

        Raises:
            StatusError: 404, there is no such pod; 400, no such container, or it has not started.
        """
        pod = self._resources.get(PODS, namespace, name)
        container = _container_name(pod, request.query.get("container", ""))
        restarts = _status(pod, container).get("restartCount", 0)
        previous = request.flag("previous")
        if previous and not restarts:
            text = f'previous terminated container "{container}" in pod "{name}" not found'
            raise bad_request(text)
        _check_started(pod, container)
        options = LogOptions.from_request(request, self._runtime.clock.time())
        uid = pod["metadata"]["uid"]
        path = self._runtime.log_path(uid, container, restarts - previous)
        return read_log(path, options, lambda: previous or self._log_is_complete(uid, container))

    def _log_is_complete(self, uid: str, container: str) -> bool:
        """Return True when nothing more will be written to the log of a container."""
        with self._lock:
            worker = self._workers.get(uid)
        return worker is None or worker.log_is_complete(container)

    def _on_event(self, event: WatchEvent) -> None:
        stored = event.object
        if stored.kind in (SECRETS.key, CONFIGMAPS.key):
            for worker in self._all_workers():
                if worker.namespace == stored.namespace:
                    worker.wake()
        if stored.kind != PODS.key:
            return
        with self._lock:
            own = self._workers.get(stored.uid)
        if own:
            own.wake()
        elif event.type == "DELETED":
            self._forget(stored.uid)
        elif stored.uid not in self._started and _is_active(stored):
            self._start_worker(stored)

    def _all_workers(self) -> list[PodWorker]:
        with self._lock:
            return list(self._workers.values())

    def _start_worker(self, stored: StoredObject) -> None:
        worker = PodWorker(stored, self._runtime, self._on_worker_end)
        self._started.add(stored.uid)
        with self._lock:
            self._workers[stored.uid] = worker
        worker.start()

    def _on_worker_end(self, uid: str) -> None:
        with self._lock:
            self._workers.pop(uid, None)
        stored = self._resources.store.by_uid(uid)
        if stored is None:
            self._forget(uid)
        elif _is_active(stored):  # the worker failed
            self._mark_lost(stored)

    def _forget(self, uid: str) -> None:
        """Delete the files of a pod that no longer exists."""
        self._started.discard(uid)
        shutil.rmtree(self._runtime.folder / uid, ignore_errors=True)

    def _mark_lost(self, stored: StoredObject) -> None:
        timestamp = self._runtime.clock.timestamp()

        def mark(pod: Object) -> None:
            pod["status"] = pod_status.lost(pod, timestamp)
            if pod["metadata"].get("deletionTimestamp"):
                pod["metadata"]["deletionGracePeriodSeconds"] = 0

        self._resources.set_status(PODS, stored, mark)


def _is_active(stored: StoredObject) -> bool:
    """Return True for a pod that is bound to this node and has not ended."""
    # Search the JSON first: decoding is expensive.
    if f'"nodeName":"{NODE}"'.encode() not in stored.raw:
        return False
    pod = stored.decode()
    return pod["spec"].get("nodeName") == NODE and not ended(pod)


def _container_name(pod: Object, wanted: str) -> str:
    """Return the name of the container whose log is requested.

    Raises:
        StatusError: 400, there is no such container, or the request must name one.
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


def _status(pod: Object, container: str) -> Object:
    """Return the status of a container; {} if it has none yet."""
    status = pod.get("status") or {}
    every = (status.get("initContainerStatuses") or []) + (status.get("containerStatuses") or [])
    return next((each for each in every if each["name"] == container), {})


def _check_started(pod: Object, container: str) -> None:
    """Raise StatusError (400) if the container has not started."""
    name = pod["metadata"]["name"]
    if not pod["spec"].get("nodeName"):
        raise bad_request(f"pod {name} does not have a host assigned")
    state = _status(pod, container).get("state", {})
    waiting = state.get("waiting")
    if waiting is not None or not state:
        reason = (waiting or {}).get("reason", "ContainerCreating")
        if reason in ("ErrImagePull", "ImagePullBackOff"):
            reason = "trying and failing to pull image"
        raise bad_request(f'container "{container}" in pod "{name}" is waiting to start: {reason}')
