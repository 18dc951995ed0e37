"""The event recorder: record Events about objects, for `kubectl describe`."""

import threading
import time

from sparktest.devcluster.api_errors import StatusError
from sparktest.devcluster.bootstrap import NODE
from sparktest.devcluster.kinds import EVENTS
from sparktest.devcluster.resources import Options, Resources
from sparktest.devcluster.stored_objects import Object

# The number of Events whose names are remembered, to count a repeated Event.
MAX_REMEMBERED = 2000


class EventRecorder:
    """Creates Events, and increments the count of a repeated Event."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._names: dict[tuple[str, ...], str] = {}
        self._lock = threading.Lock()

    def record(
        self,
        obj: Object,
        reason: str,
        message: str,
        *,
        component: str,
        warning: bool = False,
        container: str = "",
    ) -> None:
        """Record an Event about an object, or about a container of a pod."""
        meta = obj["metadata"]
        key = (meta["uid"], reason, message, container)
        with self._lock:
            name = self._names.get(key)
            if not (name and self._increment(meta["namespace"], name)):
                self._create(obj, key, component, warning=warning)

    def _increment(self, namespace: str, name: str) -> bool:
        stored = self._resources.store.get(EVENTS.key, namespace, name)
        if stored is None:
            return False
        timestamp = self._resources.clock.timestamp()

        def count(event: Object) -> None:
            event["count"] = event.get("count", 1) + 1
            event["lastTimestamp"] = timestamp

        self._resources.set_status(EVENTS, stored, count)
        return True

    def _create(self, obj: Object, key: tuple[str, ...], component: str, *, warning: bool) -> None:
        meta = obj["metadata"]
        uid, reason, message, container = key
        timestamp = self._resources.clock.timestamp()
        name = f"{meta['name'][:230]}.{time.time_ns():x}"
        involved = {
            "apiVersion": obj["apiVersion"],
            "kind": obj["kind"],
            "namespace": meta["namespace"],
            "name": meta["name"],
            "uid": uid,
            "resourceVersion": meta["resourceVersion"],
        }
        if container:
            involved["fieldPath"] = f"spec.containers{{{container}}}"
        host = {"host": NODE} if component == "kubelet" else {}
        event = {
            "metadata": {"name": name},
            "involvedObject": involved,
            "reason": reason,
            "message": message[:1024],
            "type": "Warning" if warning else "Normal",
            "count": 1,
            "firstTimestamp": timestamp,
            "lastTimestamp": timestamp,
            "source": {"component": component, **host},
            "reportingComponent": component,
            "reportingInstance": host.get("host", ""),
        }
        try:
            self._resources.create(EVENTS, meta["namespace"], event, Options())
        except StatusError:  # the namespace is being deleted
            return
        if len(self._names) > MAX_REMEMBERED:
            self._names.clear()
        self._names[key] = name
