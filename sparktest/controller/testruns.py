"""TestRun objects as values. Pure; an object of an older schema may lack any field."""

from typing import Any

import msgspec

from sparktest.domain import Status
from sparktest.kube.fields import Object, integer, items, mapping, text
from sparktest.kube.jobs import FINALIZER, job_name_of_testrun

ABANDON = "sparktest.dev/abandon"
# A run's name is at most this long; a TestRun's may have 253 characters, and k8sRef has them all.
MAX_NAME = 200
FINAL_PHASES = frozenset(status.phase for status in Status if status.final)
SPEC = (
    "definitionId",
    "definitionName",
    "image",
    "commands",
    "command",
    "args",
    "env",
    "envFrom",
    "resources",
    "serviceAccountName",
    "imagePullSecrets",
    "timeoutSeconds",
    "ttlSecondsAfterFinished",
)

# Namespace and Job name: identifies a run everywhere in the controller.
Key = tuple[str, str]


class TestRunView(msgspec.Struct, frozen=True, kw_only=True):
    """A TestRun.

    Attributes:
        finalizers: all finalizers, in order.
        is_abandoned: a person has asked to release it without a recorded outcome.
        spec: the fields that a run is made of; empty once the status is final.
        status: the whole `.status`, to be compared with the one to be written.
    """

    key: Key
    namespace: str
    name: str
    uid: str
    resource_version: str
    generation: int | None
    finalizers: tuple[str, ...]
    is_deleting: bool
    is_abandoned: bool
    is_cancelled: bool
    ttl_seconds: int | None
    spec: Object
    status: Object

    @property
    def has_finalizer(self) -> bool:
        """True if the controller's finalizer is on it."""
        return FINALIZER in self.finalizers

    @property
    def status_is_final(self) -> bool:
        """True if the status is final. It is written last, so everything else is stored."""
        return text(self.status, "phase") in FINAL_PHASES


def parse_testrun(testrun: Object) -> TestRunView:
    """Return the TestRun as a value."""
    metadata, spec, status = (mapping(testrun, name) for name in ("metadata", "spec", "status"))
    namespace, name, uid = (text(metadata, field) for field in ("namespace", "name", "uid"))
    # A finished TestRun is never registered again, and many of them stay in the cache.
    finished = text(status, "phase") in FINAL_PHASES
    kept = () if finished else SPEC
    finalizers = metadata.get("finalizers")
    return TestRunView(
        key=(namespace, job_name_of_testrun(name, uid)),
        namespace=namespace,
        name=name,
        uid=uid,
        resource_version=text(metadata, "resourceVersion"),
        generation=integer(metadata, "generation"),
        finalizers=tuple(finalizers) if isinstance(finalizers, list) else (),
        is_deleting="deletionTimestamp" in metadata,
        is_abandoned=mapping(metadata, "annotations").get(ABANDON) == "true",
        is_cancelled=spec.get("cancelled") is True,
        ttl_seconds=integer(spec, "ttlSecondsAfterFinished"),
        spec={field: spec[field] for field in kept if spec.get(field) is not None},
        status=status,
    )


def create_run_payload(testrun: TestRunView, cluster: str) -> dict[str, Any]:
    """Return the body of `POST /api/test-runs` that registers the TestRun."""
    return {
        "name": testrun.name[:MAX_NAME],
        "origin": "crd",
        "cluster": cluster,
        "k8sRef": {"namespace": testrun.namespace, "name": testrun.name, "uid": testrun.uid},
        **testrun.spec,
    }


def status_condition(status: Object, kind: str) -> Object:
    """Return the condition of this type as it stands in the status, {} where there is none."""
    found = (entry for entry in items(status, "conditions") if entry.get("type") == kind)
    return next(found, {})
