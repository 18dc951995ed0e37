"""The dev cluster as one thing: started on a folder, stopped again."""

import os
import signal
import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from sparktest.devcluster import bootstrap, credentials, folders
from sparktest.devcluster.api import Api
from sparktest.devcluster.clock import Clock
from sparktest.devcluster.credentials import write_private
from sparktest.devcluster.garbage import Garbage
from sparktest.devcluster.jobs import JobController
from sparktest.devcluster.kinds import NAMESPACES, SYSTEM, Kinds
from sparktest.devcluster.kubelet import Kubelet
from sparktest.devcluster.recorder import Recorder
from sparktest.devcluster.resources import Resources
from sparktest.devcluster.scheduler import Scheduler
from sparktest.devcluster.server import Server
from sparktest.devcluster.store import Store
from sparktest.errors import UnavailableError


class DevCluster:
    """A dev cluster that runs: `kubeconfig` is the file that leads to it, `url` its address.

    Only one runs on a folder at a time. What it kept there, it has again after a restart.

    Raises:
        ConflictError: another one runs on this folder.
        InvalidError: the folder cannot be used.
        UnavailableError: the port is taken.
    """

    def __init__(self, folder: Path, port: int, clock: Clock) -> None:
        folders.make(folder)
        self.kubeconfig = folders.kubeconfig_in(folder)
        self.clock = clock
        # Undone in reverse: at the end, and at once where a start comes to nothing.
        with ExitStack() as undo:
            undo.callback(os.close, folders.lock(folder))
            self.store = Store(folders.state_in(folder))
            undo.callback(self.store.close)
            self.kinds = Kinds()
            self.resources = Resources(self.store, clock)
            bootstrap.open_up(self.store, self.kinds, self.resources)
            recorder = Recorder(self.resources)
            kubelet = Kubelet(self.resources, recorder, clock, folders.pods_in(folder), self.uid)
            api = Api(self.resources, self.kinds, kubelet.log)
            ca, certificate = credentials.certificates(folder)
            token = credentials.bearer_token(folder)
            self.server = _bound(
                folder / "port", port, lambda at: Server(at, certificate, token, api.respond)
            )
            undo.callback(self.server.server_close)
            for part in (
                Garbage(self.resources, self.kinds, clock),
                kubelet,
                Scheduler(self.resources, recorder, clock),
                JobController(self.resources, recorder, clock),
                self.server,
            ):
                part.start()
                undo.callback(part.stop)
            self.url = f"https://127.0.0.1:{self.server.port}"
            credentials.write_kubeconfig(self.kubeconfig, self.url, ca, token)
            self._undo = undo.pop_all()

    @classmethod
    def start(cls, folder: Path, port: int = 0, *, clock: Clock | None = None) -> Self:
        """Start a dev cluster and return it once it answers.

        Args:
            folder: where it keeps everything; made if it is not there, readable by its owner only.
            port: 0 for the one that it had before, or a free one.
            clock: where the current time comes from.
        """
        return cls(folder, port, clock or Clock())

    @property
    def uid(self) -> str:
        """The cluster's uid: that of the namespace kube-system."""
        entry = self.store.get(NAMESPACES.key, "", SYSTEM)
        return entry.uid if entry else ""

    def stop(self) -> None:
        """End every process and let go of the folder."""
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
    """0, after SIGTERM or SIGINT; until then a dev cluster runs. For a process of its own.

    Args:
        folder: where it keeps everything.
        port: 0 for the one that it had before, or a free one.
        ready: called once it answers.
    """
    done = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: done.set())
    with DevCluster.start(folder, port) as cluster:
        if ready:
            ready(cluster)
        done.wait()
    return 0


def _bound(path: Path, port: int, serve: Callable[[int], Server]) -> Server:
    """A server on the port: on the one it had before if any will do, so that clients find it."""
    before = int(path.read_text(encoding="ascii")) if path.exists() and not port else port
    with suppress(OSError):
        return _noted(path, serve(before))
    if port:
        raise UnavailableError(f"port {port} is taken; name another, or 0 for a free one")
    return _noted(path, serve(0))


def _noted(path: Path, server: Server) -> Server:
    write_private(path, str(server.port).encode())
    return server
