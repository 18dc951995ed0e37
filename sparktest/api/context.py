"""What a running application holds: its settings, its store, its clock, its cluster."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

from flask import current_app

from sparktest.api.store import Store
from sparktest.errors import InvalidError, UnavailableError
from sparktest.settings import Settings

if TYPE_CHECKING:
    from sparktest.kube.cluster import Cluster

# Followers of logs at once; each holds a thread of the server.
MAX_STREAMS = 64
# A controller speaks more often than this; not every word of it is worth a write.
NOTE_SECONDS = 5.0


def utc_now() -> datetime:
    """The time now, aware, in UTC."""
    return datetime.now(UTC)


@dataclass(slots=True)
class AppContext:
    """The doors of one application; all of its threads share them."""

    settings: Settings
    store: Store
    clock: Callable[[], datetime] = utc_now
    streams: threading.BoundedSemaphore = field(
        default_factory=lambda: threading.BoundedSemaphore(MAX_STREAMS)
    )
    # Set when the process shall end: followers cut their streams instead of holding it up.
    closing: threading.Event = field(default_factory=threading.Event)
    _noted: dict[str, float] = field(default_factory=dict)
    _cluster: "Cluster | None" = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def cluster(self) -> "Cluster":
        """The cluster that the settings name; configured at the first call.

        Raises:
            UnavailableError: there is no configuration, or it cannot be used.
        """
        # The client weighs 36 MiB and half a second: only who asks for the cluster pays.
        from sparktest.kube.cluster import Cluster

        with self._lock:
            if self._cluster is None:
                try:
                    self._cluster = Cluster.connect(self.settings)
                except InvalidError as error:
                    # Not the fault of whoever asks.
                    raise UnavailableError(f"this API has no cluster: {error.detail}") from error
            return self._cluster

    def should_record_heartbeat(self, cluster: str) -> bool:
        """Whether this cluster's controller was last noted so long ago that it should be again."""
        now = time.monotonic()
        if now - self._noted.get(cluster, -NOTE_SECONDS) < NOTE_SECONDS:
            return False
        self._noted[cluster] = now
        return True


def app_context() -> AppContext:
    """The doors of the application that answers this request."""
    return cast(AppContext, current_app.extensions["sparktest"])
