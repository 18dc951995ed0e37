"""The dev cluster: start it on a folder, and stop it."""

from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
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
from sparktest.devcluster.pod_record import PodRuntime
from sparktest.devcluster.resources import Resources
from sparktest.devcluster.scheduler import Scheduler
from sparktest.devcluster.server import Server
from sparktest.devcluster.store import Store
from sparktest.errors import UnavailableError
from sparktest.stop_signals import stop_event


class DevCluster:
    """A running dev cluster, which keeps its objects in a folder that it locks.

    Attributes:
        kubeconfig: the path of its kubeconfig.
        url: the address of its API.

    Raises:
        ConflictError: another dev cluster runs on the folder.
        InvalidError: the folder cannot be used.
        UnavailableError: the port is in use.
    """

    def __init__(self, folder: Path, port: int, clock: Clock) -> None:
        folders.create_folder(folder)
        self.kubeconfig = folder / folders.KUBECONFIG
        self.clock = clock
        # Undone in reverse order: by stop(), or at once if the start fails.
        with ExitStack() as undo:
            undo.enter_context(folders.lock(folder))
            self.store = Store(folder / folders.DATABASE)
            undo.callback(self.store.close)
            self.kinds = Kinds()
            self.resources = Resources(self.store, clock)
            bootstrap(self.store, self.kinds, self.resources)
            recorder = EventRecorder(self.resources)
            kubelet = Kubelet(PodRuntime(self.resources, recorder, folder / folders.PODS, self.uid))
            api = Api(self.resources, self.kinds, kubelet.log)
            ca, certificate = credentials.certificates(folder)
            token = credentials.bearer_token(folder)
            self.server = _bind(
                folder / "port", port, lambda at: Server(at, certificate, token, api.respond)
            )
            undo.callback(self.server.server_close)
            for component in (
                GarbageCollector(self.resources, self.kinds),
                kubelet,
                Scheduler(self.resources, recorder),
                JobController(self.resources, recorder),
                self.server,
            ):
                component.start()
                undo.callback(component.stop)
            self.url = f"https://127.0.0.1:{self.server.port}"
            credentials.write_kubeconfig(self.kubeconfig, self.url, ca, token)
            self._undo = undo.pop_all()

    @classmethod
    def start(cls, folder: Path, port: int = 0, *, clock: Clock | None = None) -> Self:
        """Start a dev cluster and return it when its API is ready.

        Args:
            folder: for all its files; created if it does not exist.
            port: 0 for the port of the last start, or for any free port if that is in use.
            clock: a clock for tests.
        """
        return cls(folder, port, clock or Clock())

    @property
    def uid(self) -> str:
        """The uid of the cluster: the uid of its namespace kube-system."""
        stored = self.store.get(NAMESPACES.key, "", SYSTEM)
        return stored.uid if stored else ""

    def stop(self) -> None:
        """Kill all pods, stop serving, and unlock the folder."""
        self._undo.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def run(folder: Path, port: int = 0, *, ready: Callable[[DevCluster], None] | None = None) -> int:
    """Run a dev cluster until SIGTERM or SIGINT; return the exit code 0.

    For `folder` and `port` see `DevCluster.start`; `ready` is called when the API is ready.
    """
    with stop_event() as done, DevCluster.start(folder, port) as cluster:
        if ready:
            ready(cluster)
        # With a timeout: a wait without one can miss a signal that arrives just before it.
        while not done.wait(1.0):
            pass
    return 0


def _bind(path: Path, port: int, serve: Callable[[int], Server]) -> Server:
    """Return a server on the port, and save the port in a file.

    For port 0, try the saved port first, so that existing clients can reconnect.
    """
    saved = path.read_text(encoding="utf-8") if path.exists() else ""
    for candidate in (port,) if port else (int(saved) if saved.isdecimal() else 0, 0):
        with suppress(OSError):
            server = serve(candidate)
            credentials.write_private(path, str(server.port).encode())
            return server
    raise UnavailableError(f"port {port} is in use; name another, or 0 for any free port")
