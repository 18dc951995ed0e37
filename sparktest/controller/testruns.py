"""What a TestRun object says. Pure; the object may be of an older schema and lack anything."""

from typing import Any

from sparktest.domain import Status
from sparktest.kube.jobs import FINALIZER, job_name_of_testrun
from sparktest.kube.pods import Object, section

ABANDON = "sparktest.dev/abandon"
# A run's name is at most this long; a TestRun's may be 253, and k8sRef has it whole.
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

Key = tuple[str, str]


def key_of(testrun: Object) -> Key:
    """Namespace and Job's name: what a run is known by everywhere in the controller."""
    metadata = section(testrun, "metadata")
    name, uid = str(metadata.get("name")), str(metadata.get("uid"))
    return str(metadata.get("namespace")), job_name_of_testrun(name, uid)


def has_finalizer(testrun: Object) -> bool:
    """Whether our finalizer is on it."""
    return FINALIZER in finalizers(testrun)


def finalizers(testrun: Object) -> list[str]:
    """All finalizers on it, in order."""
    return list(section(testrun, "metadata").get("finalizers") or [])


def is_deleting(testrun: Object) -> bool:
    """Whether somebody has asked to delete it."""
    return "deletionTimestamp" in section(testrun, "metadata")


def is_abandoned(testrun: Object) -> bool:
    """Whether a person said to let it go although its outcome is not recorded."""
    annotations = section(testrun, "metadata").get("annotations") or {}
    return annotations.get(ABANDON) == "true"


def is_cancelled(testrun: Object) -> bool:
    """Whether `spec.cancelled` is true."""
    return section(testrun, "spec").get("cancelled") is True


def status_is_final(testrun: Object) -> bool:
    """Whether its status says how it ended. That is written last, so all else is recorded."""
    return section(testrun, "status").get("phase") in FINAL_PHASES


def ttl_seconds(testrun: Object) -> int | None:
    """`spec.ttlSecondsAfterFinished`."""
    found = section(testrun, "spec").get("ttlSecondsAfterFinished")
    return found if isinstance(found, int) else None


def create_run_payload(testrun: Object, cluster: str) -> dict[str, Any]:
    """The body that registers it with the API."""
    metadata, spec = section(testrun, "metadata"), section(testrun, "spec")
    return {
        "name": str(metadata.get("name"))[:MAX_NAME],
        "origin": "crd",
        "cluster": cluster,
        "k8sRef": {key: metadata.get(key) for key in ("namespace", "name", "uid")},
        **{field: spec[field] for field in SPEC if spec.get(field) is not None},
    }
