"""Events: what the dev cluster tells about objects, where `kubectl describe` shows it."""

import threading
import time

from sparktest.devcluster.api_errors import StatusError
from sparktest.devcluster.bootstrap import NODE
from sparktest.devcluster.entries import Object
from sparktest.devcluster.kinds import EVENTS
from sparktest.devcluster.resources import Options, Resources

# How many different events are remembered, so that the next of the same kind is counted.
REMEMBERED = 2000


class Recorder:
    """Writes Events; the same one again only counts up."""

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
        """Tell of something that happened to an object, or to a container of a pod."""
        meta = obj["metadata"]
        key = (meta["uid"], reason, message, container)
        with self._lock:
            known = self._names.get(key)
            if not (known and self._counted(meta["namespace"], known)):
                self._made(obj, key, component, warning=warning)

    def _counted(self, namespace: str, name: str) -> bool:
        entry = self._resources.store.get(EVENTS.key, namespace, name)
        if entry is None:
            return False
        stamp = self._resources.clock.stamp()

        def count(event: Object) -> None:
            event["count"] = event.get("count", 1) + 1
            event["lastTimestamp"] = stamp

        self._resources.set_status(EVENTS, entry, count)
        return True

    def _made(self, obj: Object, key: tuple[str, ...], component: str, *, warning: bool) -> None:
        meta = obj["metadata"]
        uid, reason, message, container = key
        stamp = self._resources.clock.stamp()
        name = f"{meta['name'][:230]}.{time.time_ns():x}"
        about = {
            "apiVersion": obj["apiVersion"],
            "kind": obj["kind"],
            "namespace": meta["namespace"],
            "name": meta["name"],
            "uid": uid,
            "resourceVersion": meta["resourceVersion"],
        }
        if container:
            about["fieldPath"] = f"spec.containers{{{container}}}"
        host = {"host": NODE} if component == "kubelet" else {}
        event = {
            "metadata": {"name": name},
            "involvedObject": about,
            "reason": reason,
            "message": message[:1024],
            "type": "Warning" if warning else "Normal",
            "count": 1,
            "firstTimestamp": stamp,
            "lastTimestamp": stamp,
            "source": {"component": component, **host},
            "reportingComponent": component,
            "reportingInstance": host.get("host", ""),
        }
        try:
            self._resources.create(EVENTS, meta["namespace"], event, Options())
        except StatusError:  # the namespace is going away, and its events with it
            return
        if len(self._names) > REMEMBERED:
            self._names.clear()
        self._names[key] = name
