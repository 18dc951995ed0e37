"""The dev cluster: start it on a folder, and stop it."""

import os
import signal
import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from sparktest.devcluster import credentials, folders
from sparktest.devcluster.api import Api
from sparktest.devcluster.bootstrap import bootstrap
from sparktest.devcluster.clock import Clock
from sparktest.devcluster.event_recorder import EventRecorder
from sparktest.devcluster.garbage_collector import GarbageCollector
from sparktest.devcluster.jobs import JobController
from sparktest.devcluster.kinds import NAMESPACES, SYSTEM, Kinds
from sparktest.devcluster.kubelet import Kubelet
from sparktest.devcluster.resources import Resources
from sparktest.devcluster.scheduler import Scheduler
from sparktest.devcluster.server import Server
from sparktest.devcluster.store import Store
from sparktest.errors import UnavailableError


class DevCluster:
    """A running dev cluster. Only one can run on a folder at a time; its objects are kept there.

    Attributes:
        kubeconfig: the path of a kubeconfig for it.
        url: the address of its API.

    Raises:
        ConflictError: another one runs on this folder.
        InvalidError: the folder cannot be used.
        UnavailableError: the port is taken.
    """

    def __init__(self, folder: Path, port: int, clock: Clock) -> None:
        folders.create_folder(folder)
        self.kubeconfig = folders.kubeconfig_path(folder)
        self.clock = clock
        # Undone in reverse order: by stop(), or at once if the start fails.
        with ExitStack() as undo:
            undo.callback(os.close, folders.lock(folder))
            self.store = Store(folders.database_path(folder))
            undo.callback(self.store.close)
            self.kinds = Kinds()
            self.resources = Resources(self.store, clock)
            bootstrap(self.store, self.kinds, self.resources)
            recorder = EventRecorder(self.resources)
            kubelet = Kubelet(self.resources, recorder, clock, folders.pods_path(folder), self.uid)
            api = Api(self.resources, self.kinds, kubelet.log)
            ca, certificate = credentials.certificates(folder)
            token = credentials.bearer_token(folder)
            self.server = _bind(
                folder / "port", port, lambda at: Server(at, certificate, token, api.respond)
            )
            undo.callback(self.server.server_close)
            for component in (
                GarbageCollector(self.resources, self.kinds, clock),
                kubelet,
                Scheduler(self.resources, recorder, clock),
                JobController(self.resources, recorder, clock),
                self.server,
            ):
                component.start()
                undo.callback(component.stop)
            self.url = f"https://127.0.0.1:{self.server.port}"
            credentials.write_kubeconfig(self.kubeconfig, self.url, ca, token)
            self._undo = undo.pop_all()

    @classmethod
    def start(cls, folder: Path, port: int = 0, *, clock: Clock | None = None) -> Self:
        """Start a dev cluster and return it once it answers.

        Args:
            folder: holds all its files; created if it does not exist, for its owner only.
            port: 0 for the port of its last start if that is free, else any free port.
            clock: the source of the current time.
        """
        return cls(folder, port, clock or Clock())

    @property
    def uid(self) -> str:
        """The uid of the cluster, which is the uid of the namespace kube-system."""
        entry = self.store.get(NAMESPACES.key, "", SYSTEM)
        return entry.uid if entry else ""

    def stop(self) -> None:
        """End all processes and unlock the folder."""
        self._undo.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def run(folder: Path, port: int = 0, *, ready: Callable[[DevCluster], None] | None = None) -> int:
    """Run a dev cluster until SIGTERM or SIGINT; return the exit code 0.

    Args:
        folder: holds all its files.
        port: 0 for the port of its last start if that is free, else any free port.
        ready: called once its API answers.
    """
    done = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: done.set())
    with DevCluster.start(folder, port) as cluster:
        if ready:
            ready(cluster)
        done.wait()
    return 0


def _bind(path: Path, port: int, serve: Callable[[int], Server]) -> Server:
    """Return a server on the port; for 0, on the last port if it is free, so clients reconnect."""
    before = int(path.read_text(encoding="ascii")) if path.exists() and not port else port
    with suppress(OSError):
        return _save_port(path, serve(before))
    if port:
        raise UnavailableError(f"port {port} is taken; name another, or 0 for a free one")
    return _save_port(path, serve(0))


def _save_port(path: Path, server: Server) -> Server:
    credentials.write_private(path, str(server.port).encode())
    return server
