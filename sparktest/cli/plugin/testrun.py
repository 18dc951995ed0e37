"""A TestRun object as a `Run`, so that the plugin shows it as `sparktest` shows runs. Pure."""

import re

import msgspec

from sparktest.domain import Origin, Run, Status
from sparktest.errors import SparkTestError
from sparktest.kube.fields import Object, mapping, text
from sparktest.kube.jobs import run_containers
from sparktest.kube.pod_template import test_container

KIND = "testrun.sparktest.dev"
# What users and kubectl write before the / of a name.
KINDS = (KIND, "testruns.sparktest.dev", "testruns", "testrun", "strun")
STATUSES = {status.phase: status for status in Status}
UNIT_SECONDS = {"d": 86400, "h": 3600, "m": 60, "s": 1}


class TestRun(Run, frozen=True, kw_only=True):
    """A TestRun; its fields are those of its run, as far as they are in the object.

    `id` is "" until it is registered; `status` is pending until a controller has set the phase.

    Attributes:
        object: the object as kubectl prints it.
        uid: the uid of the object.
        is_handled: a controller has written something to it.
    """

    # pytest would take a class of this name for a test.
    __test__ = False

    object: Object
    uid: str
    is_handled: bool

    @property
    def subject(self) -> str:
        """What it runs: the name or id of a definition, or an image."""
        return self.definition_name or self.test_definition_id or self.image


def parse_testrun(testrun: Object) -> TestRun:
    """Return the TestRun as a value.

    Raises:
        SparkTestError: a field is missing or has a wrong type; the CRD allows neither.
    """
    metadata, spec, status = (mapping(testrun, name) for name in ("metadata", "spec", "status"))
    template = mapping(spec, "template")
    values: Object = {
        "image": text(test_container(template) or {}, "image"),
        **spec,
        **status,
        "object": testrun,
        "uid": metadata.get("uid"),
        "isHandled": bool(status or metadata.get("finalizers")),
        "id": text(status, "runId"),
        "name": metadata.get("name"),
        "namespace": metadata.get("namespace"),
        "labels": mapping(metadata, "labels"),
        "createdAt": metadata.get("creationTimestamp"),
        "k8sRef": metadata,
        "origin": Origin.CRD,
        "status": STATUSES.get(text(status, "phase"), Status.PENDING),
        "statusReason": status.get("reason"),
        "statusMessage": status.get("message"),
        "testDefinitionId": spec.get("definitionId"),
        "entrypoint": spec.get("command", ()),
        "containers": run_containers(template, mapping(spec, "git")),
        # Unknown; `run_fields` would otherwise show that the Job is not created yet.
        "jobCreated": True,
        "duration": _seconds(text(status, "duration")) if status.get("startedAt") else None,
    }
    try:
        return msgspec.convert(values, TestRun)
    except msgspec.ValidationError as error:
        raise SparkTestError(f"TestRun {metadata.get('name')} cannot be read: {error}") from error


def plain_name(reference: str) -> str:
    """Return the name in a reference such as `testrun.sparktest.dev/smoke` (of `-o name`)."""
    kind, _, name = reference.partition("/")
    return name if kind in KINDS else reference


def _seconds(duration: str) -> float | None:
    """Return the seconds of a duration that `format_duration` wrote, None for an empty text."""
    parts = re.findall(r"([\d.]+)([dhms])", duration)
    if not parts or duration.startswith("<"):
        return 0 if parts else None
    return sum(float(number) * UNIT_SECONDS[unit] for number, unit in parts)
