"""Cluster: the only caller of Kubernetes. One door for every kind, by resource path."""

import threading
from typing import Any, NamedTuple, Self

from sparktest.errors import (
    ForbiddenError,
    NotFoundError,
    TooLargeError,
    UnavailableError,
)
from sparktest.kube import config
from sparktest.kube.resources import (
    EVENTS,
    JOBS,
    LEASES,
    NAMESPACES,
    PODS,
    SELF_SUBJECT_ACCESS_REVIEWS,
    TESTRUNS,
    Resource,
)
from sparktest.kube.streams import ByteStream, WatchEvent, WatchStream
from sparktest.kube.transport import Timeouts, Transport
from sparktest.settings import Settings

__all__ = [
    "EVENTS",
    "JOBS",
    "LEASES",
    "NAMESPACES",
    "PODS",
    "SELF_SUBJECT_ACCESS_REVIEWS",
    "TESTRUNS",
    "ByteStream",
    "Cluster",
    "Listing",
    "Resource",
    "Timeouts",
    "WatchEvent",
    "WatchStream",
]

PAGE = 500
# Connections kept beside those of the workers, for watches and logs; opened only when needed.
STREAMS = 96
MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"


Patch = dict[str, Any] | list[dict[str, Any]]


class Listing(NamedTuple):
    """What a list answers: all objects, and the version from which a watch goes on."""

    items: list[dict[str, Any]]
    resource_version: str


class Cluster:
    """One Kubernetes cluster; threads may share it.

    Every call has a timeout and is sent once (a second time only after a 401, with credentials
    read anew): what may be repeated, the caller knows. All raise errors of sparktest.errors:
    NotFoundError, ConflictError, GoneError, ForbiddenError, InvalidError, RateLimitedError …;
    UnavailableError for no answer or a 5xx. `retry_after` is at most 30 s.
    """

    def __init__(self, transport: Transport, *, uid: str | None = None) -> None:
        self._transport = transport
        self._uid = uid
        self._lock = threading.Lock()

    @classmethod
    def connect(
        cls, settings: Settings, *, workers: int = 16, timeouts: Timeouts | None = None
    ) -> Self:
        """The cluster that the settings name, for so many threads at once.

        Reads files only; the first call connects.

        Raises:
            InvalidError: there is no configuration, or it cannot be used.
        """
        transport = Transport(
            lambda: config.load(settings), pool=workers + STREAMS, timeouts=timeouts or Timeouts()
        )
        return cls(transport, uid=settings.cluster)

    @property
    def host(self) -> str:
        """The address of the API."""
        return self._transport.host

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._transport.close()

    def uid(self) -> str:
        """What tells this cluster from others: the setting, else the uid of kube-system."""
        with self._lock:
            if not self._uid:
                self._uid = self._kube_system_uid()
            return self._uid

    def served(self, resource: Resource) -> bool:
        """Whether the API has this kind (for a TestRun: whether the CRD is installed)."""
        try:
            answer = self._transport.call("GET", resource.root)
        except NotFoundError:
            return False
        return any(entry.get("name") == resource.plural for entry in answer.get("resources") or [])

    def get(self, resource: Resource, namespace: str | None, name: str) -> dict[str, Any]:
        """The object of that name."""
        return self._transport.call("GET", resource.path(namespace, name))

    def list(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        label_selector: str | None = None,
        field_selector: str | None = None,
        most: int | None = None,
    ) -> Listing:
        """All objects, read in pages; `most`: no further page once there are as many.

        Raises:
            GoneError: the pages took so long that the cluster forgot the first.
        """
        items: list[dict[str, Any]] = []
        query: dict[str, str | int | None] = {
            "labelSelector": label_selector,
            "fieldSelector": field_selector,
            "limit": PAGE,
        }
        while True:
            page = self._page(resource.path(namespace), query)
            items += page.get("items") or []
            metadata = page.get("metadata") or {}
            query["continue"] = metadata.get("continue") or None
            if not query["continue"] or (most and len(items) >= most):
                return Listing(items, str(metadata.get("resourceVersion") or ""))

    def watch(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        resource_version: str,
        label_selector: str | None = None,
        timeout_seconds: int,
    ) -> WatchStream:
        """The changes after a version, until the server ends the watch.

        Also yields BOOKMARK events. Close it, from any thread, to stop.

        Raises:
            GoneError: the version is too old, now or while it runs; list again.
            UnavailableError: the stream was cut, or silent for longer than bookmarks allow.
        """
        query: dict[str, str | int | None] = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": resource_version,
            "labelSelector": label_selector,
            "timeoutSeconds": timeout_seconds,
        }
        stream = self._transport.stream(
            resource.path(namespace), query=query, read_seconds=self._transport.timeouts.watch
        )
        return WatchStream(stream)

    def create(
        self, resource: Resource, namespace: str | None, manifest: dict[str, Any]
    ) -> dict[str, Any]:
        """The object as created. A field that Kubernetes does not know is refused, not dropped."""
        query = {"fieldValidation": "Strict"}
        return self._transport.call("POST", resource.path(namespace), query=query, body=manifest)

    def patch(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        body: Patch,
        *,
        subresource: str | None = None,
    ) -> dict[str, Any]:
        """The object after the patch: a merge patch (dict) or a JSON patch (list)."""
        return self._transport.call(
            "PATCH",
            resource.path(namespace, name, subresource),
            body=body,
            content_type=JSON_PATCH if isinstance(body, list) else MERGE_PATCH,
        )

    def delete(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        *,
        uid: str | None = None,
        propagation: str = "Background",
    ) -> None:
        """Delete the object; with `uid`, ConflictError when another has taken its name."""
        body: dict[str, Any] = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": propagation,
        }
        if uid:
            body["preconditions"] = {"uid": uid}
        self._transport.call("DELETE", resource.path(namespace, name), body=body)

    def pod_log(
        self,
        namespace: str,
        pod: str,
        container: str,
        *,
        follow: bool = False,
        since_time: str | None = None,
        timestamps: bool = False,
        tail_lines: int | None = None,
        read_seconds: float | None = None,
    ) -> ByteStream:
        """The log in chunks, in a `with`; close() from another thread ends a follower.

        `since_time` is RFC 3339. Silence of `read_seconds` raises UnavailableError; None: as long
        as for any other call, for a follower as for a watch.

        Raises:
            MalformedError: the container has not started.
            NotFoundError: no such pod.
        """
        timeouts = self._transport.timeouts
        query: dict[str, str | int | None] = {
            "container": container,
            "follow": "true" if follow else None,
            "sinceTime": since_time,
            "timestamps": "true" if timestamps else None,
            "tailLines": tail_lines,
        }
        silence = read_seconds or (timeouts.watch if follow else timeouts.read)
        return self._transport.stream(
            PODS.path(namespace, pod, "log"), query=query, read_seconds=silence
        )

    def _kube_system_uid(self) -> str:
        try:
            found = self.get(NAMESPACES, None, "kube-system")
        except ForbiddenError as error:
            raise ForbiddenError(
                "the uid of namespace kube-system cannot be read; allow it, or set "
                f"SPARKTEST_CLUSTER to a name of your own for this cluster: {error.detail}"
            ) from error
        uid = (found.get("metadata") or {}).get("uid")
        if not isinstance(uid, str) or not uid:
            raise UnavailableError("namespace kube-system has no uid; set SPARKTEST_CLUSTER")
        return uid

    def _page(self, path: str, query: dict[str, str | int | None]) -> dict[str, Any]:
        while True:
            try:
                return self._transport.call("GET", path, query=query)
            except TooLargeError:
                limit = query["limit"]
                if not isinstance(limit, int) or limit <= 1:
                    raise
                query["limit"] = limit // 4 or 1
