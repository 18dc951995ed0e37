"""Informer: a cache of all objects of one kind, kept up to date by a list and a watch.

The informer of the official client retries without back-off, does not notice a half-open
connection, and does not support custom resources.
"""

import logging
import random
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from sparktest.controller.health import Heartbeat
from sparktest.controller.informer_options import Skip, Timings
from sparktest.controller.object_cache import Entry, NamespacedName, ObjectCache, make_entry, number
from sparktest.errors import GoneError, NotFoundError, SparkTestError, UnavailableError
from sparktest.kube.cluster import Cluster
from sparktest.kube.fields import Object
from sparktest.kube.resources import Resource
from sparktest.kube.streams import WatchStream

log = logging.getLogger(__name__)

T = TypeVar("T")
# A thread in a request that hangs is left behind.
STOP_SECONDS = 5.0


class Informer(Generic[T]):
    """Caches the objects of a resource and reports every change.

    Its thread lists, watches, resumes the watch, and lists again where necessary, until `stop`.

    Args:
        parse: returns the value that is cached for an object; immutable, since threads share it.
        on_change: called in the informer's thread after the cache has changed, with the new
            value, or with the last known value of a deleted object. Must not block.
        skip: which objects are not cached.
        after: an informer whose first list must be complete before this one lists.

    Attributes:
        synced: set when the first list is complete, or the kind is known not to be installed.
        installed: False while the cluster does not have this kind: the CRD is missing.
        problem: why the informer cannot list or watch; None while it can.
        heartbeat: beats with every list, event and failure; a watch without any event is cut after
            a minute or so.
    """

    def __init__(
        self,
        cluster: Cluster,
        resource: Resource,
        *,
        parse: Callable[[Object], T],
        namespace: str | None = None,
        label_selector: str | None = None,
        on_change: Callable[[T], None],
        skip: Skip[T] | None = None,
        after: "Informer[Any] | None" = None,
        timings: Timings | None = None,
    ) -> None:
        self.synced = threading.Event()
        self.installed = True
        self.problem: str | None = None
        self.heartbeat = Heartbeat(f"informer of {resource.plural}")
        self._cluster = cluster
        self._resource = resource
        self._namespace = namespace
        self._label_selector = label_selector
        self._parse = parse
        self._on_change = on_change
        self._skip = skip or Skip()
        self._after = after
        self._timings = timings or Timings()
        self._cache: ObjectCache[T] = ObjectCache()
        self._listed = False
        self._stopped = threading.Event()
        self._stream: WatchStream | None = None
        name = f"informer-{resource.plural}-{namespace or 'all'}"
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, wait_seconds: float = STOP_SECONDS) -> None:
        """End the thread, and wait for it this long; the cache stays readable."""
        self._stopped.set()
        if stream := self._stream:
            stream.close()
        if self._thread.is_alive():
            self._thread.join(wait_seconds)

    def get(self, namespace: str, name: str) -> T | None:
        """Return the object as last seen, or None."""
        entry = self._cache.get((namespace, name))
        return entry.value if entry else None

    def entry(self, namespace: str, name: str) -> Entry[T] | None:
        """Return the object as last seen with its version, or None."""
        return self._cache.get((namespace, name))

    def items(self) -> list[T]:
        """Return all objects as last seen."""
        return [entry.value for entry in self._cache.items()]

    def put(self, obj: Object) -> None:
        """Cache the response to a write, if it is newer: the next reconcile sees its own write.

        Does not call on_change, and neither does the event that the watch sends later.
        """
        entry = self._entry(obj)
        if entry is not None:
            self._cache.put(entry)

    def discard(self, entry: Entry[T]) -> bool:
        """Drop an object that is needed no more; return False if another version is cached."""
        return self._cache.discard(entry)

    def restore(self, obj: Object) -> T | None:
        """Cache an object again that was discarded; return it, None if it is malformed."""
        entry = self._entry(obj)
        if entry is None:
            return None
        self._cache.restore(entry)
        return entry.value

    # --- the thread ------------------------------------------------------------------------------

    def _run(self) -> None:
        failures, failed_at = 0, 0.0
        while self._after and not (self._after.synced.wait(0.5) or self._stopped.is_set()):
            self.heartbeat.beat()
        while not self._stopped.is_set():
            self.heartbeat.beat()
            try:
                wait = self._list_and_watch()
            except Exception as error:  # noqa: BLE001 - the thread must survive every error
                if self._stopped.is_set():
                    return
                now = time.monotonic()
                failures = 0 if now - failed_at > self._timings.reset_seconds else failures
                wait = self._failed(error, failures)
                failures, failed_at = failures + 1, now
            self._stopped.wait(wait)

    def _list_and_watch(self) -> float:
        """List unless the watch can be resumed, then watch; return the seconds to wait then."""
        try:
            if not self._listed:
                self._list()
            return self._watch()
        except NotFoundError:
            self._not_installed()
            return self._timings.not_installed_seconds

    def _list(self) -> None:
        entries: list[Entry[T]] = []
        skipped: set[NamespacedName] = set()
        version = ""
        for page in self._cluster.pages(
            self._resource, self._namespace, label_selector=self._label_selector
        ):
            version = page.resource_version
            if not entries and not skipped and number(version) < number(self._cache.version):
                self._skip.restored()
            for obj in page.objects:
                self._add(obj, entries, skipped)
        # Again, for those that have finished while the pages were read.
        kept = [entry for entry in entries if not self._skips(entry)]
        changed = self._cache.replace(kept, version)
        self._skip.listed(skipped, self._namespace, number(version))
        self.problem = None
        self.installed = True
        self._listed = True
        self.synced.set()
        for entry in changed:
            self._notify(entry)

    def _add(self, obj: Any, entries: list[Entry[T]], skipped: set[NamespacedName]) -> None:
        entry = self._entry(obj)
        if entry is None:
            return
        if self._skips(entry):
            skipped.add(entry.key)
        else:
            entries.append(entry)

    def _skips(self, entry: Entry[T]) -> bool:
        return self._cache.get(entry.key) is None and self._skip.skips(entry)

    def _watch(self) -> float:
        began = time.monotonic()
        stream = self._cluster.watch(
            self._resource,
            self._namespace,
            resource_version=self._cache.version,
            label_selector=self._label_selector,
            timeout_seconds=random.randint(*self._timings.watch_seconds),  # noqa: S311 - jitter
        )
        self._stream = stream
        events = 0
        with stream:
            if self._stopped.is_set():
                return 0.0
            self.problem = None
            try:
                for event in stream:
                    events += 1
                    self.heartbeat.beat()
                    self._apply(event.type, event.object)
            except UnavailableError as error:
                # Not even a bookmark: a restored etcd sends nothing until it has this version.
                self._listed = bool(events) or "timed out" not in error.detail
                raise
        # Do not call a server that ends every watch at once in a tight loop.
        ended_at_once = not events and time.monotonic() - began < 1.0
        return self._timings.backoff.first if ended_at_once else 0.0

    def _apply(self, kind: str, obj: Object) -> None:
        if kind == "BOOKMARK" or (kind != "DELETED" and self._cache.has(obj)):
            self._cache.advance(obj)
            return
        entry = self._entry(obj)
        if entry is None:
            return
        deleted = kind == "DELETED"
        if not deleted and self._skips(entry):
            self._cache.advance(obj)
            return
        for changed in self._cache.apply(entry, deleted=deleted):
            self._notify(changed)
        if deleted:
            self._skip.deleted(entry)

    def _entry(self, obj: Any) -> Entry[T] | None:
        problem = "no name"
        try:
            entry = make_entry(obj, self._parse)
        except Exception as error:  # noqa: BLE001 - one object must not stop the others
            entry, problem = None, f"{type(error).__name__}: {error}"
        if entry is None:
            log.warning(
                "malformed object skipped resource=%s error=%s", self._resource.plural, problem
            )
        return entry

    def _notify(self, entry: Entry[T]) -> None:
        try:
            self._on_change(entry.value)
        except Exception:
            log.exception("on_change failed resource=%s", self._resource.plural)

    def _not_installed(self) -> None:
        if self.installed or not self.synced.is_set():
            log.warning("resource is not installed resource=%s", self._resource.plural)
        self.installed = False
        self._listed = False
        gone = self._cache.replace([], "")
        self._skip.listed(set(), self._namespace, sys.maxsize)
        self.problem = None
        self.synced.set()
        for entry in gone:
            self._notify(entry)

    def _failed(self, error: Exception, failures: int) -> float:
        if isinstance(error, GoneError) or not isinstance(error, SparkTestError):
            self._listed = False
        if isinstance(error, SparkTestError):
            self.problem = error.detail
            log.warning("watch failed resource=%s error=%s", self._resource.plural, error.detail)
        else:
            self.problem = f"{type(error).__name__}: {error}"
            log.error("watch failed resource=%s", self._resource.plural, exc_info=error)
        retry_after = getattr(error, "retry_after", None) or 0.0
        return max(self._timings.backoff.delay(failures), retry_after)
