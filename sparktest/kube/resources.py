"""The resources that SparkTest uses, and their paths in the Kubernetes API. Pure."""

from typing import NamedTuple
from urllib.parse import quote

from sparktest.errors import InvalidError


class Resource(NamedTuple):
    """A kind of object as the API serves it; `group` is empty for the core group."""

    group: str
    version: str
    plural: str
    kind: str

    @property
    def api_version(self) -> str:
        """The apiVersion of a manifest, such as `batch/v1` or `v1`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def root(self) -> str:
        """The path of the group and version."""
        return f"/apis/{self.api_version}" if self.group else f"/api/{self.version}"

    def path(
        self, namespace: str | None = None, name: str | None = None, subresource: str | None = None
    ) -> str:
        """Return the path of one object, of all objects in a namespace, or of all objects.

        Raises:
            InvalidError: a name would change the path.
        """
        parts = [self.root]
        if namespace is not None:
            parts += ["namespaces", _segment(namespace)]
        parts.append(self.plural)
        if name is not None:
            parts.append(_segment(name))
        if subresource is not None:
            parts.append(subresource)
        return "/".join(parts)


TESTRUNS = Resource("sparktest.dev", "v1alpha1", "testruns", "TestRun")
JOBS = Resource("batch", "v1", "jobs", "Job")
PODS = Resource("", "v1", "pods", "Pod")
EVENTS = Resource("", "v1", "events", "Event")
NAMESPACES = Resource("", "v1", "namespaces", "Namespace")
LEASES = Resource("coordination.k8s.io", "v1", "leases", "Lease")
SELF_SUBJECT_ACCESS_REVIEWS = Resource(
    "authorization.k8s.io", "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview"
)
SELF_SUBJECT_REVIEWS = Resource(
    "authentication.k8s.io", "v1", "selfsubjectreviews", "SelfSubjectReview"
)


def _segment(name: str) -> str:
    if name in ("", ".", ".."):
        raise InvalidError(f"{name!r} is not the name of an object")
    return quote(name, safe="")
