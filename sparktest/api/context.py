"""The state of a running application: its settings, store, clock and cluster client."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

from flask import current_app

from sparktest.api.authenticator import Authenticator
from sparktest.api.change_feed import ChangeFeed
from sparktest.api.interval import Interval
from sparktest.api.metrics import Metrics
from sparktest.api.notifier import Notifier
from sparktest.api.rate_limit import RateLimit
from sparktest.api.store import Store
from sparktest.domain import Status
from sparktest.errors import InvalidError, UnavailableError
from sparktest.settings import Settings

if TYPE_CHECKING:
    from sparktest.kube.cluster import Cluster

# Sent by controllers: the uid of their cluster.
CONTROLLER_HEADER = "SparkTest-Controller"
# Streams (events, followed logs) that are open at once; each occupies a thread of the server.
MAX_STREAMS = 512
# Controllers send requests more often than this; not every one is worth a write.
HEARTBEAT_SECONDS = 5.0
# Wrong tokens of one address, before they are answered with 429.
WRONG_TOKENS_PER_MINUTE = 20


def utc_now() -> datetime:
    """Return the time now, aware, in UTC."""
    return datetime.now(UTC)


@dataclass(slots=True)
class AppContext:
    """State of one application, shared by all of its threads."""

    settings: Settings
    store: Store
    clock: Callable[[], datetime] = utc_now
    streams: threading.BoundedSemaphore = field(
        default_factory=lambda: threading.BoundedSemaphore(MAX_STREAMS)
    )
    # Set when the process is about to end: streams are cut instead of delaying it.
    closing: threading.Event = field(default_factory=threading.Event)
    metrics: Metrics = field(default_factory=Metrics)
    # The number of runs by status, and when they were counted (monotonic).
    run_counts: tuple[float, Mapping[Status, int] | None] = (0.0, None)
    # Set when no process will take its place: load balancers should send no more requests.
    draining: threading.Event = field(default_factory=threading.Event)
    authenticator: Authenticator = field(init=False)
    feed: ChangeFeed = field(init=False)
    notifier: Notifier = field(init=False)
    heartbeats: Interval = field(default_factory=lambda: Interval(HEARTBEAT_SECONDS))
    wrong_tokens: RateLimit = field(
        default_factory=lambda: RateLimit(WRONG_TOKENS_PER_MINUTE, 60.0)
    )
    # The token of the settings was received.
    bootstrap_used: bool = False
    # Of each token; None for no limit.
    requests: RateLimit | None = field(init=False)
    # Set after a change of schedules: wakes the scheduler.
    schedules_changed: threading.Event = field(default_factory=threading.Event)
    _cluster: "Cluster | None" = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.authenticator = Authenticator(self.store, self.clock)
        limit = self.settings.token_requests_per_minute
        self.requests = RateLimit(limit, 60.0) if limit else None
        self.feed = ChangeFeed(self.store, self.clock)
        self.notifier = Notifier(self.store, self.feed, self.closing)

    def cluster(self) -> "Cluster":
        """Return the client of the cluster that the settings name; connect at the first call.

        Raises:
            UnavailableError: there is no configuration, or it cannot be used.
        """
        # The client takes 36 MiB and half a second: load it only for requests that need it.
        from sparktest.kube.cluster import Cluster

        with self._lock:
            if self._cluster is None:
                try:
                    self._cluster = Cluster.connect(self.settings)
                except InvalidError as error:
                    # A fault of the server's configuration, not of the request.
                    raise UnavailableError(f"this API has no cluster: {error.detail}") from error
            return self._cluster


def app_context() -> AppContext:
    """Return the context of the application that handles this request."""
    return cast(AppContext, current_app.extensions["sparktest"])
