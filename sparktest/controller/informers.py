"""Informers: the informers of one kind, one for each namespace that is watched or one for all."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, TypeVar

from sparktest.controller.informer import Informer
from sparktest.controller.informer_options import Skip
from sparktest.controller.object_cache import Entry
from sparktest.kube.cluster import Cluster
from sparktest.kube.fields import Object, mapping, text
from sparktest.kube.resources import Resource

T = TypeVar("T")


class Informers(Generic[T]):
    """Informers by namespace; an object of another namespace counts as not cached.

    Args:
        namespaces: the namespaces; None stands for all.
        after: each informer lists after that of the same namespace among these has listed.
    """

    def __init__(
        self,
        cluster: Cluster,
        resource: Resource,
        namespaces: Sequence[str | None],
        *,
        parse: Callable[[Object], T],
        on_change: Callable[[T], None],
        skip: Skip[T],
        label_selector: str | None = None,
        after: "Informers[Any] | None" = None,
    ) -> None:
        self._by_namespace = {
            namespace: Informer(
                cluster,
                resource,
                parse=parse,
                namespace=namespace,
                label_selector=label_selector,
                on_change=on_change,
                skip=skip,
                after=after.of(namespace) if after else None,
            )
            for namespace in namespaces
        }

    def __iter__(self) -> Iterator[Informer[T]]:
        return iter(self._by_namespace.values())

    def of(self, namespace: str | None) -> Informer[T] | None:
        """Return the informer that watches this namespace."""
        return self._by_namespace.get(namespace) or self._by_namespace.get(None)

    def get(self, namespace: str, name: str) -> T | None:
        """Return the object as last seen, or None."""
        found = self.entry(namespace, name)
        return found.value if found else None

    def entry(self, namespace: str, name: str) -> Entry[T] | None:
        """Return the object as last seen with its version, or None."""
        informer = self.of(namespace)
        return informer.entry(namespace, name) if informer else None

    def items(self) -> Iterator[T]:
        """Yield all objects as last seen."""
        return (value for informer in self for value in informer.items())

    def put(self, obj: Object) -> None:
        """Cache the response to a write."""
        if informer := self._of(obj):
            informer.put(obj)

    def restore(self, obj: Object) -> T | None:
        """Cache an object again that was discarded; return it, None if it is malformed."""
        informer = self._of(obj)
        return informer.restore(obj) if informer else None

    def discard(self, entry: Entry[T]) -> bool:
        """Drop an object that is needed no more; return False if another version is cached."""
        informer = self.of(entry.key[0])
        return informer is not None and informer.discard(entry)

    def _of(self, obj: Object) -> Informer[T] | None:
        return self.of(text(mapping(obj, "metadata"), "namespace"))
