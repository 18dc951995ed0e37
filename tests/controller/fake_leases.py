"""A fake of Cluster for one Lease: versions as in the API server, and a fault on demand."""

import copy
from typing import Any

from sparktest.errors import ConflictError, NotFoundError
from sparktest.kube.resources import Resource
from sparktest.merge_patch import merge_patch

Object = dict[str, Any]


class FakeLeases:
    """One Lease.

    Attributes:
        lease: the stored Lease; None if there is none.
        fault: raised by every request, before it has an effect.
        lost_reply: raised by the next write, after it had its effect.
        writes: the number of writes that had an effect.
    """

    def __init__(self) -> None:
        self.lease: Object | None = None
        self.fault: Exception | None = None
        self.lost_reply: Exception | None = None
        self.writes = 0

    @property
    def spec(self) -> Object:
        """The spec of the stored Lease."""
        assert self.lease is not None
        return dict(self.lease["spec"])

    def get(self, resource: Resource, namespace: str | None, name: str) -> Object:
        if self.fault:
            raise self.fault
        if self.lease is None:
            raise NotFoundError(f'leases "{name}" not found')
        return copy.deepcopy(self.lease)

    def create(self, resource: Resource, namespace: str | None, manifest: Object) -> Object:
        if self.fault:
            raise self.fault
        if self.lease is not None:
            raise ConflictError("already exists")
        return self._store(manifest)

    def patch(self, resource: Resource, namespace: str | None, name: str, body: Object) -> Object:
        before = self.get(resource, namespace, name)
        if body["metadata"]["resourceVersion"] != before["metadata"]["resourceVersion"]:
            raise ConflictError("the object has been modified")
        changed = merge_patch(before, body)
        assert isinstance(changed, dict)
        return self._store(changed)

    def edit(self, **spec: Any) -> None:
        """Change the spec, as another program does."""
        assert self.lease is not None
        self._store(self.lease | {"spec": self.spec | spec})

    def _store(self, lease: Object) -> Object:
        self.writes += 1
        metadata = lease["metadata"] | {"resourceVersion": str(self.writes)}
        self.lease = copy.deepcopy(lease | {"metadata": metadata})
        if self.lost_reply:
            error, self.lost_reply = self.lost_reply, None
            raise error
        return copy.deepcopy(self.lease)
