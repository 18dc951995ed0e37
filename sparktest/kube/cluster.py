"""Cluster: the only Kubernetes client, for every kind of object."""

import threading
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Self

import msgspec

from sparktest.errors import ForbiddenError, NotFoundError, TooLargeError, UnavailableError
from sparktest.kube import config
from sparktest.kube.decoding import decode
from sparktest.kube.resources import NAMESPACES, PODS, Resource
from sparktest.kube.streams import ByteStream, WatchStream
from sparktest.kube.transport import OnResponse, Timeouts, Transport
from sparktest.settings import Settings

# A page is kept whole while its objects are read: one of 500 pods takes 20 MB, and no less time.
PAGE_SIZE = 100
# For watches, and two for each log that a controller reads (one more after a rotation).
STREAM_CONNECTIONS = 1100
MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"

Patch = dict[str, Any] | list[dict[str, Any]]


class Listing(NamedTuple):
    """All objects of a list, and the version from which a watch continues."""

    items: list[dict[str, Any]]
    resource_version: str


class Page(NamedTuple):
    """A part of a list, and the list's version; its objects are decoded one by one, when read."""

    objects: Iterator[Any]
    resource_version: str


class _Metadata(msgspec.Struct, frozen=True, rename="camel"):
    continue_: str | None = msgspec.field(name="continue", default=None)
    resource_version: str | None = None


class _Page(msgspec.Struct):
    metadata: _Metadata = _Metadata()
    items: list[msgspec.Raw] | None = None


_PAGE = msgspec.json.Decoder(_Page)
_ITEM = msgspec.json.Decoder()


class Cluster:
    """One Kubernetes cluster; threads may share it.

    Every request has a timeout. It is not retried, except after a 401 with new credentials: the
    caller knows what may be retried. All methods raise the errors of sparktest.errors, with
    UnavailableError for a 5xx or no response; their `retry_after` is at most 30 s.
    """

    def __init__(self, transport: Transport, *, uid: str | None = None) -> None:
        self._transport = transport
        self._uid = uid
        self._lock = threading.Lock()

    @classmethod
    def connect(
        cls,
        settings: Settings,
        *,
        workers: int = 16,
        timeouts: Timeouts | None = None,
        before_write: Callable[[], None] | None = None,
        on_response: OnResponse | None = None,
    ) -> Self:
        """Return the cluster of the settings, with connections for `workers` threads.

        Only reads files: the first request connects. `before_write` is called before every request
        that is not a GET; what it raises prevents the request. `on_response` is called after each
        request with host, method and status; None for no response.

        Raises:
            InvalidError: there is no usable configuration.
        """
        transport = Transport(
            lambda: config.load(settings),
            pool_size=workers + STREAM_CONNECTIONS,
            timeouts=timeouts or Timeouts(),
            before_write=before_write,
            on_response=on_response,
        )
        return cls(transport, uid=settings.cluster)

    @property
    def host(self) -> str:
        """The URL of the Kubernetes API."""
        return self._transport.host

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._transport.close()

    def uid(self) -> str:
        """Return the ID of this cluster: the setting, or else the uid of kube-system."""
        with self._lock:
            if not self._uid:
                self._uid = self._kube_system_uid()
            return self._uid

    def has_resource(self, resource: Resource) -> bool:
        """Return True if the API serves this kind (for TestRuns: if the CRD is installed)."""
        try:
            served = self._transport.call("GET", resource.root)
        except NotFoundError:
            return False
        return any(entry.get("name") == resource.plural for entry in served.get("resources") or [])

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
        """Return all objects, read in pages; request no page after `max_items` objects.

        Raises:
            GoneError: the list expired before its last page was read.
        """
        items: list[dict[str, Any]] = []
        version = ""
        for page in self.pages(
            resource, namespace, label_selector=label_selector, field_selector=field_selector
        ):
            items += page.objects
            version = page.resource_version
            if max_items and len(items) >= max_items:
                break
        return Listing(items, version)

    def pages(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        label_selector: str | None = None,
        field_selector: str | None = None,
    ) -> Iterator[Page]:
        """Yield all objects page by page, for lists that are too large to be kept.

        Raises:
            GoneError: the list expired before its last page was read.
        """
        query: dict[str, str | int | None] = {
            "labelSelector": label_selector,
            "fieldSelector": field_selector,
            "limit": PAGE_SIZE,
        }
        while True:
            page = self._page(resource.path(namespace), query)
            objects = (decode(bytes(item), _ITEM) for item in page.items or ())
            yield Page(objects, page.metadata.resource_version or "")
            query["continue"] = page.metadata.continue_ or None
            if not query["continue"]:
                return

    def watch(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        resource_version: str,
        label_selector: str | None = None,
        timeout_seconds: int,
    ) -> WatchStream:
        """Return a stream of the changes after a version, and of bookmarks.

        Raises:
            GoneError: the version is too old, now or later in the stream; list again.
            UnavailableError: the stream broke, or not even a bookmark came in time.
        """
        stream = self._transport.stream(
            resource.path(namespace),
            query={
                "watch": "true",
                "allowWatchBookmarks": "true",
                "resourceVersion": resource_version,
                "labelSelector": label_selector,
                "timeoutSeconds": timeout_seconds,
            },
            read_seconds=self._transport.timeouts.watch,
        )
        return WatchStream(stream)

    def create(
        self,
        resource: Resource,
        namespace: str | None,
        manifest: dict[str, Any],
        *,
        dry_run: bool = False,
    ) -> dict[str, Any]:
        """Create an object and return it; reject unknown fields. `dry_run`: check it only."""
        query = {"fieldValidation": "Strict", **({"dryRun": "All"} if dry_run else {})}
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
        """Apply a merge patch (dict) or a JSON patch (list); return the object."""
        return self._transport.call(
            "PATCH",
            resource.path(namespace, name, subresource),
            body=body,
            content_type=JSON_PATCH if isinstance(body, list) else MERGE_PATCH,
        )

    def delete(
        self, resource: Resource, namespace: str | None, name: str, *, uid: str | None = None
    ) -> None:
        """Delete the object; raise ConflictError if it has another uid."""
        body: dict[str, Any] = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background",
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
    ) -> ByteStream:
        """Return the log as a stream; `since_time` is RFC 3339.

        With `follow`, the stream raises UnavailableError when it has no data for as long as a
        watch may have none: the container may still be running.

        Raises:
            MalformedError: the container has not started.
            NotFoundError: there is no such pod.
        """
        timeouts = self._transport.timeouts
        return self._transport.stream(
            PODS.path(namespace, pod, "log"),
            query={
                "container": container,
                "follow": "true" if follow else None,
                "sinceTime": since_time,
                "timestamps": "true" if timestamps else None,
                "tailLines": tail_lines,
            },
            read_seconds=timeouts.watch if follow else timeouts.read,
        )

    def _kube_system_uid(self) -> str:
        try:
            found = self.get(NAMESPACES, None, "kube-system")
        except ForbiddenError as error:
            raise ForbiddenError(
                "the uid of namespace kube-system cannot be read; allow it, or set "
                f"SPARKTEST_CLUSTER to a name for this cluster: {error.detail}"
            ) from error
        uid = (found.get("metadata") or {}).get("uid")
        if not isinstance(uid, str) or not uid:
            raise UnavailableError("namespace kube-system has no uid; set SPARKTEST_CLUSTER")
        return uid

    def _page(self, path: str, query: dict[str, str | int | None]) -> _Page:
        """Return a page; while it is too large, lower the limit in `query`."""
        while True:
            try:
                return self._transport.fetch(path, query, _PAGE)
            except TooLargeError:
                limit = query["limit"]
                if not isinstance(limit, int) or limit <= 1:
                    raise
                query["limit"] = limit // 4 or 1
