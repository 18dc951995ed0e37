"""Serve the API until SIGTERM or SIGINT; reload it on SIGHUP.

gunicorn manages the worker processes; `worker.Worker` serves.
"""

import errno
import gc
import logging
import os
import resource
import signal
import socket
import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]
from gunicorn.arbiter import Arbiter  # type: ignore[import-untyped]

from sparktest.api import create_app
from sparktest.api.hosts import is_loopback
from sparktest.api.metrics import MAX_SLOTS, Metrics, SharedMemory
from sparktest.api.pruner import Pruner
from sparktest.api.scheduler import Scheduler
from sparktest.api.server import reload
from sparktest.api.server.event_loop import MAX_CONNECTIONS
from sparktest.api.server.worker import RETIRE, Worker
from sparktest.api.store import migrate
from sparktest.api.store.engine import is_sqlite, parse_url
from sparktest.errors import (
    ConflictError,
    ForbiddenError,
    InvalidError,
    SparkTestError,
    UnavailableError,
)
from sparktest.settings import Settings

MIN_TOKEN_LENGTH = 16
# On PostgreSQL, where the setting is silent: one for each core within these bounds.
MIN_WORKERS = 2
DEFAULT_MAX_WORKERS = 4
# After SIGTERM; a worker ends by itself before.
GRACEFUL_SECONDS = 10
BACKLOG = 1024
# For the connections of a worker, its temporary files and those of the database.
OPEN_FILES = MAX_CONNECTIONS * 2
# In memory: a busy disk would delay the heartbeat, and gunicorn would kill the worker.
HEARTBEAT = Path("/dev/shm")  # noqa: S108 - gunicorn creates an unlinked file there

log = logging.getLogger(__name__)


def serve(settings: Settings) -> None:
    """Serve the API until the process is terminated; print the URL when it listens.

    Raises:
        ForbiddenError: without a token, it would be open to other machines or to a dev cluster.
        ConflictError: the port is in use.
        InvalidError: the address or the database URL is wrong.
        UnavailableError: the database does not answer, or the server could not start.
    """
    refuse_exposure(settings)
    inherited = reload.take_inherited()
    listener = inherited.listener if inherited else listen(settings.host, settings.port)
    with listener:
        migrate.upgrade(settings.database_url)
        _raise_file_limit()
        reload.hold_signals()
        if inherited is None:
            sys.stdout.write(f"SparkTest API at {address(listener)}\n")
            sys.stdout.flush()
        master = os.getpid()
        try:
            _Server(settings, listener, inherited.workers if inherited else ()).run()
        except SystemExit as end:
            if os.getpid() != master:
                # gunicorn ends the server when it gets the code of a worker that cannot start.
                raise
            if end.code:
                raise UnavailableError("the API could not start; see the log above") from end


def refuse_exposure(settings: Settings) -> None:
    """Refuse to start without a token where other machines or a dev cluster could connect.

    Raises:
        ForbiddenError: there is no token, and the host is not loopback or there is a dev cluster;
            or the token is so short that it can be guessed.
    """
    if settings.token:
        if len(settings.token) < MIN_TOKEN_LENGTH:
            raise ForbiddenError(
                f"SPARKTEST_TOKEN has fewer than {MIN_TOKEN_LENGTH} characters, so it could be "
                "guessed; make a new one: openssl rand -hex 32"
            )
        return
    if not is_loopback(settings.host):
        raise ForbiddenError(
            f"SPARKTEST_HOST is {settings.host}, so other machines could start pods through this "
            "API: set SPARKTEST_TOKEN, or SPARKTEST_HOST=127.0.0.1"
        )
    # Imported here: it loads the Kubernetes client, which an API with a token may never need.
    from sparktest.kube.config import require_devcluster_token

    require_devcluster_token(settings)


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket; port 0 chooses a free port.

    Raises:
        ConflictError: another process listens there.
        InvalidError: the address is not one of this machine, or needs privileges.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host.strip("[]"), port), family=family, backlog=BACKLOG)
    except socket.gaierror as error:
        raise InvalidError(
            f"SPARKTEST_HOST: {host!r} is not an address: {error.strerror}"
        ) from error
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ConflictError(
                f"port {port} on {host} is taken; stop what listens there, or choose another "
                "with --port or SPARKTEST_PORT (0: any free one)"
            ) from error
        raise InvalidError(
            f"SPARKTEST_HOST, SPARKTEST_PORT: cannot listen on {host} port {port}: {error.strerror}"
        ) from error


def address(listener: socket.socket) -> str:
    """Return the URL of the socket."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class _Server(BaseApplication):  # type: ignore[misc]
    """gunicorn without its command line, configuration files and environment.

    It starts the worker processes, and replaces those that die.
    """

    def __init__(
        self, settings: Settings, listener: socket.socket, replaced: Collection[int]
    ) -> None:
        self._settings = settings
        # gunicorn makes a socket of its own from it.
        self._bind = f"fd://{listener.detach()}"
        self._replaced = tuple(replaced)
        self._metrics = SharedMemory()
        self._slot = 0
        super().__init__()

    def load_config(self) -> None:
        """Set the options; gunicorn calls it once."""
        options: dict[str, Any] = {
            "bind": [self._bind],
            "workers": worker_count(self._settings),
            "worker_class": Worker,
            "worker_tmp_dir": str(HEARTBEAT) if HEARTBEAT.is_dir() else None,
            "graceful_timeout": GRACEFUL_SECONDS,
            "loglevel": "debug" if self._settings.log_level == "debug" else "warning",
            # Its path is the same for all servers of a user.
            "control_socket_disable": True,
            "when_ready": self._keep_arbiter,
            "pre_fork": self._assign_slot,
            "post_fork": self._keep_slot,
            "child_exit": self._clear_gauges,
            "post_worker_init": self._end_replaced,
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """Return the application; after the fork, as processes must not share a connection."""
        try:
            app = create_app(self._settings, metrics=Metrics(self._metrics, self._slot))
        except SparkTestError as error:
            log.error("the worker cannot start: %s", error.detail)  # noqa: TRY400 - no traceback
            sys.exit(Arbiter.WORKER_BOOT_ERROR)
        Scheduler(app.extensions["sparktest"]).start()
        Pruner(app.extensions["sparktest"]).start()
        return app

    def reload(self) -> None:
        """Replace the program by one that is started anew; gunicorn calls it on SIGHUP."""
        (listener,) = self._arbiter.LISTENERS
        workers = tuple(self._arbiter.WORKERS)
        reload.replace_program(listener.sock, workers, lambda: bool(self._end_signals))

    def _keep_arbiter(self, arbiter: Any) -> None:
        self._arbiter = arbiter
        self._end_signals = _end_at_second_signal()
        reload.release_signals()

    def _assign_slot(self, arbiter: Any, worker: Worker) -> None:
        # A garbage collection writes to every object that it looks at, so each worker would soon
        # have its own copy of the modules that the master has loaded.
        gc.freeze()
        used = {other.slot for other in arbiter.WORKERS.values()}
        # More workers than slots, which only signals can demand, share the last one.
        free = [slot for slot in range(MAX_SLOTS) if slot not in used]
        worker.slot = free[0] if free else MAX_SLOTS - 1

    def _keep_slot(self, arbiter: Any, worker: Worker) -> None:
        self._slot = worker.slot

    def _clear_gauges(self, arbiter: Any, worker: Worker) -> None:
        self._metrics.clear_gauges(worker.slot)

    def _end_replaced(self, worker: Any) -> None:
        reload.end_workers(self._replaced, RETIRE)


def worker_count(settings: Settings) -> int:
    """Return the number of worker processes."""
    if settings.api_workers:
        return settings.api_workers
    # Only one process can write to SQLite at a time: others would wait for it, in no order.
    if is_sqlite(parse_url(settings.database_url)):
        return 1
    return max(MIN_WORKERS, min(os.cpu_count() or 1, DEFAULT_MAX_WORKERS))


def _end_at_second_signal() -> Sequence[int]:
    """Have SIGINT act as SIGTERM, and a second signal end all processes at once.

    Returns:
        the signals that have arrived, which grows.
    """
    terminate: Any = signal.getsignal(signal.SIGTERM)
    received: list[int] = []

    def handle(number: int, frame: FrameType | None) -> None:
        received.append(number)
        if len(received) > 1:
            # The workers end with this process.
            os._exit(128 + number)
        terminate(signal.SIGTERM, frame)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, handle)
    # On it, gunicorn would start a second server, which nobody ends.
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)
    return received


def _raise_file_limit() -> None:
    """Allow as many open files, and so connections, as this user may have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
