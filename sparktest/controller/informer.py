"""Informer: a cache of all objects of one kind, kept up to date by a list and a watch.

Why not kubernetes.informer of the official client: it lists and watches again without back-off,
does not notice a half-open connection, and has no custom objects.
"""

import logging
import random
import threading
import time
from collections.abc import Callable
from typing import Any

import msgspec

from sparktest.backoff import Backoff
from sparktest.controller.object_cache import Object, ObjectCache, key_of
from sparktest.errors import GoneError, NotFoundError, SparkTestError
from sparktest.kube.cluster import Cluster, Resource, WatchStream

log = logging.getLogger(__name__)

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


class Timings(msgspec.Struct, frozen=True, kw_only=True):
    """When an informer tries again.

    Attributes:
        backoff: delays after failures in a row.
        reset_seconds: a failure later than this after the last one is the first of a row.
        not_installed_seconds: between two attempts to list a kind that is not installed.
        watch_seconds: shortest and longest duration of a watch.
    """

    backoff: Backoff = Backoff(first=0.8, cap=30.0)
    reset_seconds: float = 120.0
    not_installed_seconds: float = 15.0
    watch_seconds: tuple[int, int] = (300, 600)


def strip_noise(obj: Object) -> Object:
    """Remove managedFields and last-applied: a third of an object that nothing reads."""
    metadata = obj["metadata"]
    metadata.pop("managedFields", None)
    if annotations := metadata.get("annotations"):
        annotations.pop(LAST_APPLIED, None)
    return obj


class Informer:
    """Caches the objects of a resource and reports every change.

    A thread of its own lists, watches, resumes the watch, and lists again where it must; only
    `stop` ends it. The objects it returns are shared: never modify them.

    Args:
        transform: makes an object smaller before it is cached; may modify its argument.
        on_change: called in the informer's thread after the cache has changed, with the new
            object or with the last known state of a deleted one. Must not block.

    Attributes:
        synced: set once the first list is complete (or the kind is known not to be installed).
        installed: False while the cluster does not have this kind: the CRD is missing.
        problem: why the informer cannot list or watch; None while it can.
        malformed: the number of objects that were skipped because they have no usable name.
        errors: the number of errors in the thread.
    """

    def __init__(
        self,
        cluster: Cluster,
        resource: Resource,
        *,
        namespace: str | None = None,
        label_selector: str | None = None,
        transform: Callable[[Object], Object] = strip_noise,
        on_change: Callable[[Object], None] = lambda _: None,
        timings: Timings | None = None,
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
        self._transform = transform
        self._on_change = on_change
        self._timings = timings or Timings()
        self._rng = random.Random()  # noqa: S311 - jitter is no secret
        self._cache = ObjectCache()
        self._listed = False
        self._stopped = threading.Event()
        self._stream: WatchStream | None = None
        name = f"informer-{resource.plural}-{namespace or 'all'}"
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread; `synced` is set when the cache is filled."""
        self._thread.start()

    def stop(self, timeout: float = 5.0) -> None:
        """End the thread; the cache stays readable."""
        self._stopped.set()
        if stream := self._stream:
            stream.close()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def get(self, namespace: str, name: str) -> Object | None:
        """Return the object as last seen; None where there is none."""
        return self._cache.get((namespace, name))

    def items(self) -> list[Object]:
        """Return all objects as last seen."""
        return self._cache.items()

    def put(self, obj: Object) -> None:
        """Cache the answer to a write, if it is newer: the next reconcile sees its own write.

        Does not call on_change: the caller knows. The watch brings the same version later and
        changes nothing.
        """
        transformed = self._transformed(obj)
        if transformed is not None:
            self._cache.put(transformed)

    # --- the thread ------------------------------------------------------------------------------

    def _run(self) -> None:
        failures, failed_at = 0, 0.0
        while not self._stopped.is_set():
            try:
                wait = self._list_and_watch()
            except Exception as error:  # noqa: BLE001 - the thread must outlive whatever comes
                if self._stopped.is_set():
                    return
                now = time.monotonic()
                failures = 0 if now - failed_at > self._timings.reset_seconds else failures
                wait = self._failed(error, failures)
                failures, failed_at = failures + 1, now
            self._stopped.wait(wait)

    def _list_and_watch(self) -> float:
        """List unless the watch can be resumed, then watch; return the seconds to wait after it."""
        try:
            if not self._listed:
                self._list()
            return self._watch()
        except NotFoundError:
            self._not_installed()
            return self._timings.not_installed_seconds

    def _list(self) -> None:
        listing = self._cluster.list(
            self._resource, self._namespace, label_selector=self._label_selector
        )
        objects = [new for obj in listing.items if (new := self._transformed(obj)) is not None]
        changed = self._cache.replace(objects, listing.resource_version)
        self.problem = None
        self.installed = True
        self._listed = True
        self.synced.set()
        for obj in changed:
            self._notify(obj)

    def _watch(self) -> float:
        began = time.monotonic()
        stream = self._cluster.watch(
            self._resource,
            self._namespace,
            resource_version=self._cache.version,
            label_selector=self._label_selector,
            timeout_seconds=self._rng.randint(*self._timings.watch_seconds),
        )
        self._stream = stream
        events = 0
        with stream:
            if self._stopped.is_set():
                return 0.0
            self.problem = None
            for event in stream:
                events += 1
                self._apply(event.type, event.object)
        # A server that ends every watch at once must not be called in a tight loop.
        ended_at_once = not events and time.monotonic() - began < 1.0
        return self._timings.backoff.first if ended_at_once else 0.0

    def _apply(self, kind: str, obj: Object) -> None:
        if kind == "BOOKMARK":
            self._cache.advance(obj)
            return
        transformed = self._transformed(obj)
        if transformed is None:
            return
        for changed in self._cache.apply(transformed, deleted=kind == "DELETED"):
            self._notify(changed)

    def _transformed(self, obj: Any) -> Object | None:
        """Return the transformed object; count a malformed one and return None."""
        if key_of(obj) is not None:
            try:
                return self._transform(obj)
            except (AttributeError, KeyError, TypeError, ValueError):
                pass
        self.malformed += 1
        log.warning("malformed object skipped resource=%s", self._resource.plural)
        return None

    def _notify(self, obj: Object) -> None:
        try:
            self._on_change(obj)
        except Exception:
            self.errors += 1
            log.exception("on_change failed resource=%s", self._resource.plural)

    def _not_installed(self) -> None:
        if self.installed or not self.synced.is_set():
            log.warning("resource is not installed resource=%s", self._resource.plural)
        self.installed = False
        self._listed = False
        gone = self._cache.replace([], "")
        self.problem = None
        self.synced.set()
        for obj in gone:
            self._notify(obj)

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
        return max(self._timings.backoff.delay(failures, self._rng), asked)
