"""Cluster: the only Kubernetes client, for every kind of object."""

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

PAGE_SIZE = 500
# Connections for watches and logs, besides those of the workers; opened only when needed.
STREAM_CONNECTIONS = 96
MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"


Patch = dict[str, Any] | list[dict[str, Any]]


class Listing(NamedTuple):
    """All objects of a list, and the version from which a watch continues."""

    items: list[dict[str, Any]]
    resource_version: str


class Cluster:
    """One Kubernetes cluster; threads may share it.

    Every request has a timeout and is sent once (again only after a 401, with the credentials
    read again): the caller knows what may be retried. All methods raise errors of
    sparktest.errors: NotFoundError, ConflictError, GoneError, ForbiddenError, InvalidError,
    RateLimitedError …; UnavailableError without a response or for a 5xx. `retry_after` is at
    most 30 s.
    """

    def __init__(self, transport: Transport, *, uid: str | None = None) -> None:
        self._transport = transport
        self._uid = uid
        self._lock = threading.Lock()

    @classmethod
    def connect(
        cls, settings: Settings, *, workers: int = 16, timeouts: Timeouts | None = None
    ) -> Self:
        """Return the cluster that the settings name, with connections for `workers` threads.

        Reads files only; the first request connects.

        Raises:
            InvalidError: there is no usable configuration.
        """
        transport = Transport(
            lambda: config.load(settings),
            pool_size=workers + STREAM_CONNECTIONS,
            timeouts=timeouts or Timeouts(),
        )
        return cls(transport, uid=settings.cluster)

    @property
    def host(self) -> str:
        """The URL of the API."""
        return self._transport.host

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._transport.close()

    def uid(self) -> str:
        """Return the identity of this cluster: the setting, else the uid of kube-system."""
        with self._lock:
            if not self._uid:
                self._uid = self._kube_system_uid()
            return self._uid

    def has_resource(self, resource: Resource) -> bool:
        """Return True if the API serves this kind (for TestRuns: if the CRD is installed)."""
        try:
            answer = self._transport.call("GET", resource.root)
        except NotFoundError:
            return False
        return any(entry.get("name") == resource.plural for entry in answer.get("resources") or [])

    def get(self, resource: Resource, namespace: str | None, name: str) -> dict[str, Any]:
        """Return the object."""
        return self._transport.call("GET", resource.path(namespace, name))

    def list(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        label_selector: str | None = None,
        field_selector: str | None = None,
        max_items: int | None = None,
    ) -> Listing:
        """Return all objects, read in pages; request no further page after `max_items` objects.

        Raises:
            GoneError: the list expired before its last page was read.
        """
        items: list[dict[str, Any]] = []
        query: dict[str, str | int | None] = {
            "labelSelector": label_selector,
            "fieldSelector": field_selector,
            "limit": PAGE_SIZE,
        }
        while True:
            page = self._page(resource.path(namespace), query)
            items += page.get("items") or []
            metadata = page.get("metadata") or {}
            query["continue"] = metadata.get("continue") or None
            if not query["continue"] or (max_items and len(items) >= max_items):
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
        """Return a stream of the changes after a version, until the server ends the watch.

        It has BOOKMARK events, too. Any thread may close it.

        Raises:
            GoneError: the version is too old, now or later in the stream; list again.
            UnavailableError: the stream broke, or was silent for longer than between bookmarks.
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
        """Create an object and return it; a field unknown to Kubernetes is an error."""
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
        """Apply a merge patch (dict) or a JSON patch (list) and return the object."""
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
        """Delete the object; with `uid`, raise ConflictError if the name belongs to another one."""
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
        """Return the log as a stream; any thread may close it.

        `since_time` is RFC 3339. Silence of `read_seconds` raises UnavailableError; None means
        the timeout of a watch with `follow`, else that of any other request.

        Raises:
            MalformedError: the container has not started.
            NotFoundError: there is no such pod.
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
