"""The SparkTest API, served over HTTP by a thread of the test process."""

import functools
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from werkzeug.serving import make_server
from werkzeug.wsgi import ClosingIterator

from sparktest.api import create_app
from sparktest.api.store import migrate
from sparktest.settings import Settings

TOKEN = "spt_test_for-the-tests-only"


@contextmanager
def live_api(
    folder: Path, middleware: Callable[[Any], Any] = lambda application: application
) -> Iterator[str]:
    """Serve the API with an empty database in the folder, behind WSGI middleware; yield its URL."""
    (folder / "live.db").write_bytes(_empty_database())
    database_url = f"sqlite:///{folder / 'live.db'}"
    app = create_app(Settings(database_url=database_url, token=TOKEN, namespace="tests"))
    requests = _Requests(middleware(app))
    server = make_server("127.0.0.1", 0, requests, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/api"
    finally:
        ctx = app.extensions["sparktest"]
        ctx.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()
        # The server does not wait for its threads. One that still answers has a connection of the
        # database, which Python would report as never closed.
        requests.wait_until_none()
        ctx.store.close()


class _Requests:
    """WSGI middleware that knows how many requests are being answered."""

    def __init__(self, app: Callable[..., Any]) -> None:
        self._app = app
        self._changed = threading.Condition()
        self._count = 0

    def __call__(self, environ: Any, start_response: Any) -> Any:
        self._add(1)
        try:
            body = self._app(environ, start_response)
        except BaseException:
            self._add(-1)
            raise
        return ClosingIterator(body, lambda: self._add(-1))

    def wait_until_none(self) -> None:
        """Wait until no request is being answered, for a minute at most."""
        with self._changed:
            self._changed.wait_for(lambda: not self._count, 60)

    def _add(self, change: int) -> None:
        with self._changed:
            self._count += change
            self._changed.notify_all()


@functools.cache
def _empty_database() -> bytes:
    """Return a migrated database; cached, since migrating takes longer than most tests."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "template.db"
        migrate.upgrade(f"sqlite:///{path}")
        return path.read_bytes()
