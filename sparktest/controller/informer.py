"""Informer: everything of one kind as last seen, kept up to date by a list and a watch."""

import logging
import random
import threading
import time
from collections.abc import Callable
from typing import Any

import msgspec

from sparktest.backoff import Backoff
from sparktest.controller.store import Object, Store, key_of
from sparktest.errors import GoneError, NotFoundError, SparkTestError
from sparktest.kube.cluster import Cluster, Resource, WatchStream

log = logging.getLogger(__name__)

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds. `absent`: until a kind that is not installed is looked for again."""

    backoff: Backoff = Backoff(first=0.8, cap=30.0)
    reset: float = 120.0
    absent: float = 15.0
    watch_min: int = 300
    watch_max: int = 600
    stale: float = 180.0


def strip_noise(obj: Object) -> Object:
    """The object without managedFields and last-applied: a third of its size, read by nobody."""
    metadata = obj["metadata"]
    metadata.pop("managedFields", None)
    if annotations := metadata.get("annotations"):
        annotations.pop(LAST_APPLIED, None)
    return obj


class Informer:
    """Keeps the objects of a resource and tells of every change.

    One thread of its own lists, watches, resumes, and lists again when it must; it ends only by
    `stop`. Objects that it gives out are shared: read, never write them.

    Args:
        strip: makes an object smaller before it is kept; may change what it gets.
        on_change: called in the informer's thread after the store has changed, with the new
            object or with the last known one of a deleted object. Must not block.

    Attributes:
        synced: set once the first list is in (or the kind is known not to be installed).
        installed: whether the cluster has this kind; False as long as the CRD is missing.
        problem: what hinders the informer now, None for nothing.
        malformed: how many objects without a usable name were skipped.
        errors: how often it had to start over because of an error.
    """

    def __init__(
        self,
        cluster: Cluster,
        resource: Resource,
        *,
        namespace: str | None = None,
        label_selector: str | None = None,
        strip: Callable[[Object], Object] = strip_noise,
        on_change: Callable[[Object], None] = lambda _: None,
        pace: Pace | None = None,
    ) -> None:
        self.synced = threading.Event()
        self.installed = True
        self.problem: str | None = None
        self.malformed = 0
        self.errors = 0
        self._cluster = cluster
        self._resource = resource
        self._namespace = namespace
        self._label_selector = label_selector
        self._strip = strip
        self._on_change = on_change
        self._pace = pace or Pace()
        self._rng = random.Random()  # noqa: S311 - jitter is no secret
        self._store = Store()
        self._listed = False
        self._stopped = threading.Event()
        self._stream: WatchStream | None = None
        self._contact = time.monotonic()
        name = f"informer-{resource.plural}-{namespace or 'all'}"
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin; returns at once, `synced` says when the store is filled."""
        self._contact = time.monotonic()
        self._thread.start()

    def stop(self, timeout: float = 5.0) -> None:
        """End the thread; what is stored stays readable."""
        self._stopped.set()
        if stream := self._stream:
            stream.close()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def get(self, namespace: str, name: str) -> Object | None:
        """The object as last seen, None where there is none."""
        return self._store.get((namespace, name))

    def items(self) -> list[Object]:
        """All objects as last seen."""
        return self._store.items()

    def put(self, obj: Object) -> None:
        """Keep what a write answered, if it is newer: the next pass then sees its own write.

        Without on_change: the caller knows. The watch brings the same version later and changes
        nothing.
        """
        kept = self._kept(obj)
        if kept is not None:
            self._store.put(kept)

    def healthy(self, now: float) -> bool:
        """Whether the store can be trusted to be recent; `now` as of time.monotonic().

        False when the thread is gone or has had no sign of life from the cluster for too long.
        """
        return self._thread.is_alive() and now - self._contact < self._pace.stale

    # --- the thread ------------------------------------------------------------------------------

    def _run(self) -> None:
        failures, failed_at = 0, 0.0
        while not self._stopped.is_set():
            try:
                wait = self._pass()
            except Exception as error:  # noqa: BLE001 - the thread must outlive whatever comes
                if self._stopped.is_set():
                    return
                now = time.monotonic()
                failures = 0 if now - failed_at > self._pace.reset else failures
                wait = self._failed(error, failures)
                failures, failed_at = failures + 1, now
            self._stopped.wait(wait)

    def _pass(self) -> float:
        """List unless the store can go on from where it is, then watch; seconds to wait after."""
        try:
            if not self._listed:
                self._list()
            return self._watch()
        except NotFoundError:
            self._absent()
            return self._pace.absent

    def _list(self) -> None:
        listing = self._cluster.list(
            self._resource, self._namespace, label_selector=self._label_selector
        )
        objects = [kept for obj in listing.items if (kept := self._kept(obj)) is not None]
        changed = self._store.replace(objects, listing.resource_version)
        self._seen()
        self.installed = True
        self._listed = True
        self.synced.set()
        for obj in changed:
            self._tell(obj)

    def _watch(self) -> float:
        pace = self._pace
        began = time.monotonic()
        stream = self._cluster.watch(
            self._resource,
            self._namespace,
            resource_version=self._store.version,
            label_selector=self._label_selector,
            timeout_seconds=self._rng.randint(pace.watch_min, pace.watch_max),
        )
        self._stream = stream
        events = 0
        with stream:
            if self._stopped.is_set():
                return 0.0
            self._seen()
            for event in stream:
                events += 1
                self._apply(event.type, event.object)
        # A server that ends every watch at once must not be asked in a tight loop.
        hurried = not events and time.monotonic() - began < 1.0
        return pace.backoff.first if hurried else 0.0

    def _apply(self, kind: str, obj: Object) -> None:
        self._contact = time.monotonic()
        if kind == "BOOKMARK":
            self._store.advance(obj)
            return
        kept = self._kept(obj)
        if kept is None:
            return
        for changed in self._store.apply(kept, deleted=kind == "DELETED"):
            self._tell(changed)

    def _kept(self, obj: Any) -> Object | None:
        """The stripped object; None, and counted, for one that nothing can be done with."""
        if key_of(obj) is not None:
            try:
                return self._strip(obj)
            except (AttributeError, KeyError, TypeError, ValueError):
                pass
        self.malformed += 1
        log.warning("malformed object skipped resource=%s", self._resource.plural)
        return None

    def _tell(self, obj: Object) -> None:
        try:
            self._on_change(obj)
        except Exception:
            self.errors += 1
            log.exception("on_change failed resource=%s", self._resource.plural)

    def _absent(self) -> None:
        if self.installed or not self.synced.is_set():
            log.warning("resource is not installed resource=%s", self._resource.plural)
        self.installed = False
        self._listed = False
        gone = self._store.replace([], "")
        self._seen()
        self.synced.set()
        for obj in gone:
            self._tell(obj)

    def _failed(self, error: Exception, failures: int) -> float:
        self.errors += 1
        if isinstance(error, GoneError) or not isinstance(error, SparkTestError):
            self._listed = False
        if isinstance(error, SparkTestError):
            self.problem = error.detail
            log.warning("watch failed resource=%s error=%s", self._resource.plural, error.detail)
        else:
            self.problem = f"{type(error).__name__}: {error}"
            log.error("watch failed resource=%s", self._resource.plural, exc_info=error)
        asked = getattr(error, "retry_after", None) or 0.0
        return max(self._pace.backoff.delay(failures, self._rng), asked)

    def _seen(self) -> None:
        self._contact = time.monotonic()
        self.problem = None
