"""The kubelet: every pod has a worker, and what was lost with a dev cluster is told so."""

import logging
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

from sparktest.devcluster import podstatus
from sparktest.devcluster.api_errors import bad_request
from sparktest.devcluster.bootstrap import NODE
from sparktest.devcluster.clock import Clock
from sparktest.devcluster.entries import Entry, Event, Object
from sparktest.devcluster.kinds import CONFIGMAPS, PODS, SECRETS
from sparktest.devcluster.logs import LogOptions, read
from sparktest.devcluster.objects import ended
from sparktest.devcluster.processes import end_marked
from sparktest.devcluster.recorder import Recorder
from sparktest.devcluster.requests import Request
from sparktest.devcluster.resources import Resources
from sparktest.devcluster.surroundings import Surroundings
from sparktest.devcluster.worker import Worker

LOG = logging.getLogger(__name__)


class Kubelet:
    """Runs pods; `folder` holds their homes and logs, `mark` tells their processes from others."""

    def __init__(
        self, resources: Resources, recorder: Recorder, clock: Clock, folder: Path, mark: str
    ) -> None:
        self._resources = resources
        self._mark = mark
        self._workers: dict[str, Worker] = {}
        # No pod is run twice, whatever its status says.
        self._taken: set[str] = set()
        self._lock = threading.Lock()
        self._around = Surroundings(resources, recorder, clock, folder, mark)
        self._folder = folder
        folder.mkdir(mode=0o700, exist_ok=True)

    def start(self) -> None:
        """Tell the pods of an earlier dev cluster that they are lost, and run those to come."""
        killed = end_marked(f"{self._mark}/")
        if killed:
            LOG.warning("ended processes of a dev cluster that was killed count=%d", len(killed))
        known = set()
        for entry in self._resources.store.entries(PODS.key):
            known.add(entry.uid)
            if _here(entry):
                self._lose(entry)
        for folder in self._folder.iterdir():
            if folder.name not in known:
                shutil.rmtree(folder, ignore_errors=True)
        self._resources.store.subscribe(self._follow)

    def stop(self) -> None:
        """End every process; their pods are lost, as they would be with a node."""
        with self._lock:
            workers = list(self._workers.values())
        for worker in workers:
            worker.abandon()
        for worker in workers:
            worker.join()

    def log(self, request: Request, namespace: str, name: str) -> Iterator[bytes | None]:
        """The log of a pod's container, in pieces.

        Raises:
            StatusError: 404, 400: no such container, or it has not started.
        """
        pod = self._resources.get(PODS, namespace, name)
        container = _container(pod, request.query.get("container", ""))
        if request.flag("previous"):
            text = f'previous terminated container "{container}" in pod "{name}" not found'
            raise bad_request(text)
        _check_started(pod, container)
        options = LogOptions.of(request, self._around.clock.time())
        uid = pod["metadata"]["uid"]
        path = self._around.log_path(uid, container)
        return read(path, options, lambda: self._over(uid, container))

    def _over(self, uid: str, container: str) -> bool:
        """Whether nothing more will be written to a container's log."""
        with self._lock:
            worker = self._workers.get(uid)
        return worker is None or worker.over(container)

    def _follow(self, event: Event) -> None:
        entry = event.entry
        if entry.kind in (SECRETS.key, CONFIGMAPS.key):
            self._wake_waiting(entry.namespace)
        if entry.kind != PODS.key:
            return
        with self._lock:
            worker = self._workers.get(entry.uid)
        if worker:
            worker.look()
        elif event.type == "DELETED":
            self._taken.discard(entry.uid)
            shutil.rmtree(self._folder / entry.uid, ignore_errors=True)
        elif entry.uid not in self._taken and _here(entry):
            self._take_up(entry)

    def _wake_waiting(self, namespace: str) -> None:
        with self._lock:
            workers = list(self._workers.values())
        for worker in workers:
            if worker.namespace == namespace:
                worker.look()

    def _take_up(self, entry: Entry) -> None:
        worker = Worker(entry, self._around, self._done)
        self._taken.add(entry.uid)
        with self._lock:
            self._workers[entry.uid] = worker
        worker.start()

    def _done(self, uid: str) -> None:
        with self._lock:
            self._workers.pop(uid, None)
        entry = self._resources.store.by_uid(uid)
        if entry is None:
            self._taken.discard(uid)
            shutil.rmtree(self._folder / uid, ignore_errors=True)
        elif _here(entry):  # its worker did not see it to its end
            self._lose(entry)

    def _lose(self, entry: Entry) -> None:
        stamp = self._around.clock.stamp()

        def lose(pod: Object) -> None:
            pod["status"] = podstatus.lost(pod, stamp)
            if pod["metadata"].get("deletionTimestamp"):
                pod["metadata"]["deletionGracePeriodSeconds"] = 0

        self._resources.set_status(PODS, entry, lose)


def _here(entry: Entry) -> bool:
    """Whether a pod is on this node and has not ended."""
    # Most changes of pods are of other pods, and their JSON tells so without being decoded.
    if f'"nodeName":"{NODE}"'.encode() not in entry.raw:
        return False
    pod = entry.decode()
    return pod["spec"].get("nodeName") == NODE and not ended(pod)


def _container(pod: Object, wanted: str) -> str:
    """The name of the container meant."""
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
        what = "waiting to start"
        if reason in ("ErrImagePull", "ImagePullBackOff"):
            what, reason = "waiting to start", "trying and failing to pull image"
        raise bad_request(f'container "{container}" in pod "{name}" is {what}: {reason}')
