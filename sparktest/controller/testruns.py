"""TestRuns as values, and what is built from them: API payloads and Events. Pure."""

import hashlib
from datetime import datetime
from typing import Any

import msgspec

from sparktest.domain import (
    MAX_LABEL_KEY_LENGTH,
    MAX_LABEL_VALUE_LENGTH,
    MAX_LABELS,
    MAX_NAME_LENGTH,
    RunSpec,
    Status,
)
from sparktest.kube.fields import Object, integer, mapping, text
from sparktest.kube.jobs import FINALIZER, job_name_of_testrun
from sparktest.kube.resources import EVENTS, TESTRUNS
from sparktest.kube.views import JobView
from sparktest.times import format_time

ABANDON = "sparktest.dev/abandon"
# The limit of Kubernetes.
MAX_EVENT_MESSAGE = 1024
FINAL_PHASES = frozenset(status.phase for status in Status if status.final)
SPEC_KEYS = (
    "definitionId",
    "definitionName",
    *RunSpec.__struct_encode_fields__,
    "command",
    "timeoutSeconds",
    "ttlSecondsAfterFinished",
)

# Namespace and Job name: identifies a run everywhere in the controller.
Key = tuple[str, str]


class TestRunView(msgspec.Struct, frozen=True, kw_only=True):
    """A TestRun.

    Attributes:
        finalizers: all finalizers, in order.
        is_abandoned: a user asked to release it without a recorded outcome.
        spec: the fields that are registered; empty in a cache once the status is final.
        labels: the labels that are registered; empty in a cache once the status is final.
        status: the whole `.status`.
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
    labels: dict[str, str]
    status: Object

    @property
    def has_finalizer(self) -> bool:
        """True if it has the controller's finalizer."""
        return FINALIZER in self.finalizers

    @property
    def status_is_final(self) -> bool:
        """True if the status is final; it is written last, so everything else is stored."""
        return text(self.status, "phase") in FINAL_PHASES

    @property
    def unseen_changes(self) -> int:
        """How often the spec was changed since the status was written."""
        seen = integer(self.status, "observedGeneration")
        return max((self.generation or 0) - seen, 0) if seen is not None else 0

    @property
    def has_finished(self) -> bool:
        """True if nothing is left to do for it."""
        waits = self.has_finalizer or self.is_deleting or self.unseen_changes
        return self.status_is_final and not waits


def parse_testrun(testrun: Object) -> TestRunView:
    """Parse a TestRun; one that was created under an older schema may lack any field."""
    metadata, spec, status = (mapping(testrun, name) for name in ("metadata", "spec", "status"))
    namespace, name, uid = (text(metadata, field) for field in ("namespace", "name", "uid"))
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
        spec={field: spec[field] for field in SPEC_KEYS if spec.get(field) is not None},
        labels=_labels(metadata),
        status=status,
    )


def parse_cached_testrun(testrun: Object) -> TestRunView:
    """Parse a TestRun for a cache: without spec and labels if it has finished, to save memory."""
    view = parse_testrun(testrun)
    return msgspec.structs.replace(view, spec={}, labels={}) if view.status_is_final else view


def _labels(metadata: Object) -> dict[str, str]:
    """Return the labels that a run can have, in the order of their names.

    Kubernetes does not limit their number. A run without some of them is better than none.
    """
    labels = [
        (key, value)
        for key, value in mapping(metadata, "labels").items()
        if isinstance(value, str)
        and 0 < len(key) <= MAX_LABEL_KEY_LENGTH
        and len(value) <= MAX_LABEL_VALUE_LENGTH
    ]
    return dict(sorted(labels)[:MAX_LABELS])


def create_run_payload(testrun: TestRunView, cluster: str, job: JobView | None) -> dict[str, Any]:
    """Return the body of the `POST /api/test-runs` that registers the TestRun."""
    has_job = job is not None and job.owner_uid == testrun.uid
    return {
        "name": testrun.name[:MAX_NAME_LENGTH],
        "origin": "crd",
        "cluster": cluster,
        "k8sRef": {"namespace": testrun.namespace, "name": testrun.name, "uid": testrun.uid},
        **({"labels": testrun.labels} if testrun.labels else {}),
        **({"started": True} if has_job or testrun.status_is_final else {}),
        **testrun.spec,
    }


def build_warning_event(
    testrun: TestRunView, reason: str, message: str, now: datetime, generation: int | None = None
) -> Object:
    """Return a Warning Event on the TestRun.

    Its name depends on TestRun, reason and generation only, so a reason is recorded once until the
    Event expires.
    """
    identity = f"{testrun.uid} {reason} {generation or ''}"
    digest = hashlib.sha256(identity.encode()).hexdigest()[:16]
    at = format_time(now)
    return {
        "apiVersion": EVENTS.api_version,
        "kind": EVENTS.kind,
        "metadata": {"name": f"{testrun.name[:230]}.{digest}", "namespace": testrun.namespace},
        "involvedObject": {
            "apiVersion": TESTRUNS.api_version,
            "kind": TESTRUNS.kind,
            "namespace": testrun.namespace,
            "name": testrun.name,
            "uid": testrun.uid,
        },
        "type": "Warning",
        "reason": reason,
        "message": message[:MAX_EVENT_MESSAGE],
        "source": {"component": "sparktest-controller"},
        "firstTimestamp": at,
        "lastTimestamp": at,
        "count": 1,
    }
