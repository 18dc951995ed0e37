"""Leader election: of several controllers, the one that holds the Lease writes."""

import logging
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import Any

from sparktest.controller.health import Heartbeat
from sparktest.controller.lease import (
    RENEW_DEADLINE_SECONDS,
    Action,
    Observed,
    decide,
    held_spec,
    lease_name,
    observe,
    released_spec,
)
from sparktest.errors import (
    ConflictError,
    ForbiddenError,
    NotFoundError,
    SparkTestError,
    UnavailableError,
)
from sparktest.kube.cluster import Cluster
from sparktest.kube.fields import Object, mapping, text
from sparktest.kube.resources import LEASES
from sparktest.kube.transport import Timeouts
from sparktest.settings import Settings, in_pod_namespace

log = logging.getLogger(__name__)

# Between two renewals, and after an error.
RETRY_SECONDS = 2.0
# How often a standby reads the Lease: it takes a released one at most this much later.
POLL_SECONDS = 0.25
# Two attempts fit into the renew deadline.
TIMEOUTS = Timeouts(connect=2.0, read=3.0)
REPEAT_MESSAGE_SECONDS = 60.0
NEVER = float("-inf")


class NotLeaderError(UnavailableError):
    """Error for a write that was not sent: this controller does not hold the Lease now."""


def boot_time() -> float:
    """Return monotonic seconds that also pass while the machine is suspended, where possible."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


class LeaderElector:
    """Acquires a Lease and renews it in a thread, with a connection of its own.

    After a lost Lease it never leads again: the program has to end, as with controller-runtime.

    Args:
        cluster: a client with short timeouts that nothing else uses.
        clock: returns monotonic seconds.

    Attributes:
        identity: the name of this process in the Lease.
        namespace, name: of the Lease.
        elected: set when this controller has become the leader; never cleared.
        lost: set when it no longer is, though it was not stopped.
        heartbeat: beats with every attempt.
    """

    def __init__(
        self,
        cluster: Cluster,
        namespace: str,
        name: str,
        *,
        identity: str | None = None,
        clock: Callable[[], float] = boot_time,
    ) -> None:
        self.identity = identity or f"{socket.gethostname()}_{uuid.uuid4()}"
        self.elected = threading.Event()
        self.lost = threading.Event()
        self.heartbeat = Heartbeat("leader election")
        self._cluster = cluster
        self.namespace = namespace
        self.name = name
        self._clock = clock
        self._observed: Observed | None = None
        # A newer version than the one observed may exist.
        self._must_read = True
        self._deadline = NEVER
        self._last_message = ("", NEVER)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="leader-election", daemon=True)

    @property
    def is_leader(self) -> bool:
        """True while this controller may write."""
        return self._clock() < self._deadline

    def check(self) -> None:
        """Call it immediately before a write.

        Raises:
            NotLeaderError: this controller may not write now.
        """
        if self._clock() >= self._deadline:
            raise NotLeaderError("this controller does not hold the Lease: nothing was written")

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread and release the Lease: another controller may take it at once."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(TIMEOUTS.connect + TIMEOUTS.read)
        leading, self._deadline = self.is_leader, NEVER
        if not leading or self._thread.is_alive():
            return
        try:
            self._patch(released_spec(datetime.now(UTC)))
            log.info("lease released name=%s/%s", self.namespace, self.name)
        except SparkTestError as error:
            log.warning("lease not released error=%s", error.detail)

    def attempt(self) -> float:
        """Try once to acquire or renew the Lease; return the seconds until the next attempt."""
        began = self._clock()
        if self.elected.is_set() and began >= self._deadline:
            self._lose(f"it could not be renewed for {RENEW_DEADLINE_SECONDS:g} seconds")
            return 0.0
        try:
            return self._attempt(began)
        except (ConflictError, NotFoundError):
            # It was written by another one, or deleted.
            self._must_read = True
            return 0.1
        except SparkTestError as error:
            self._must_read = True
            self._warn(error)
            return RETRY_SECONDS

    def _run(self) -> None:
        while not self.lost.is_set():
            self.heartbeat.beat()
            try:
                seconds = self.attempt()
            except Exception:
                log.exception("leader election failed")
                seconds = RETRY_SECONDS
            if self._stopping.wait(seconds):
                return

    def _attempt(self, began: float) -> float:
        if self._must_read:
            self._read()
        action = decide(self._observed, self.identity, self._clock())
        if action is Action.WAIT:
            return self._wait()
        spec = held_spec(self._observed, self.identity, datetime.now(UTC))
        written = self._create(spec) if action is Action.CREATE else self._patch(spec)
        self._observed = Observed(written, self._clock())
        self._must_read = False
        # From the time before the request: the others count from when it was stored, or later.
        self._deadline = began + RENEW_DEADLINE_SECONDS
        if self.is_leader and not self.elected.is_set():
            self.elected.set()
            log.info("elected as leader identity=%s", self.identity)
        return RETRY_SECONDS

    def _read(self) -> None:
        try:
            lease = self._cluster.get(LEASES, self.namespace, self.name)
        except NotFoundError:
            self._observed = None
        else:
            self._observed = observe(self._observed, lease, self._clock())

    def _wait(self) -> float:
        """Return the seconds until the Lease has to be read again."""
        observed = self._observed
        if observed is None:
            return 0.0
        if self.elected.is_set():
            self._lose(f"{observed.holder} has it")
            return 0.0
        self._say(logging.INFO, f"waiting for the leader to end holder={observed.holder}")
        return min(max(observed.expires_at - self._clock(), 0.0), POLL_SECONDS)

    def _create(self, spec: dict[str, Any]) -> Object:
        manifest = {
            "apiVersion": LEASES.api_version,
            "kind": LEASES.kind,
            "metadata": {"name": self.name, "namespace": self.namespace},
            "spec": spec,
        }
        return self._cluster.create(LEASES, self.namespace, manifest)

    def _patch(self, spec: dict[str, Any]) -> Object:
        """Change the Lease; raise ConflictError if it is not the one observed."""
        lease = self._observed.lease if self._observed else {}
        version = text(mapping(lease, "metadata"), "resourceVersion")
        body = {"metadata": {"resourceVersion": version}, "spec": spec}
        return self._cluster.patch(LEASES, self.namespace, self.name, body)

    def _lose(self, why: str) -> None:
        self._deadline = NEVER
        self.lost.set()
        log.error("leadership lost lease=%s/%s: %s", self.namespace, self.name, why)

    def _warn(self, error: SparkTestError) -> None:
        text = f"leader election failed lease={self.namespace}/{self.name} error={error.detail}"
        if isinstance(error, ForbiddenError):
            text += (
                "; grant get, create and patch on leases.coordination.k8s.io in this namespace "
                "(sparktest crd --rbac prints the Role), or run one controller only and set "
                "SPARKTEST_LEADER_ELECTION=off"
            )
        self._say(logging.WARNING, text)

    def _say(self, level: int, text: str) -> None:
        """Log a message, but repeat it once a minute only."""
        before, at = self._last_message
        if text != before or self._clock() >= at + REPEAT_MESSAGE_SECONDS:
            self._last_message = (text, self._clock())
            log.log(level, "%s", text)


@contextmanager
def open_elector(settings: Settings) -> Iterator[LeaderElector | None]:
    """Yield the elector of these settings; None where there is no leader election.

    Raises:
        InvalidError: there is no usable Kubernetes configuration.
    """
    own_namespace = in_pod_namespace()
    mode = settings.leader_election
    if mode == "off" or (mode == "auto" and own_namespace is None):
        yield None
        return
    namespace = settings.leader_election_namespace or own_namespace or settings.namespace
    with closing(Cluster.connect(settings, workers=1, timeouts=TIMEOUTS)) as cluster:
        yield LeaderElector(cluster, namespace, lease_name(settings.namespaces))
