"""The SparkTest API, served over HTTP by a thread of the test process."""

import functools
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from werkzeug.serving import make_server

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
    server = make_server("127.0.0.1", 0, middleware(app), threaded=True)
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
        ctx.store.close()


@functools.cache
def _empty_database() -> bytes:
    """Return a migrated database; cached, since migrating takes longer than most tests."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "template.db"
        migrate.upgrade(f"sqlite:///{path}")
        return path.read_bytes()
