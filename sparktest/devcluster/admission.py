"""Defaults and validation of built-in kinds, beyond their schemas."""

import json
from base64 import b64encode
from collections.abc import Callable, Iterator
from typing import Any

from sparktest.devcluster.api_errors import Cause, cause, forbidden
from sparktest.devcluster.kinds import ACCOUNTS, JOBS, SYSTEM, Kind, crd_causes
from sparktest.devcluster.objects import all_containers, label_causes
from sparktest.devcluster.pod_validation import pod_spec_causes
from sparktest.devcluster.store import Store
from sparktest.devcluster.stored_objects import Object
from sparktest.domain import DEVCLUSTER_UID_PREFIX

TRACKING = "batch.kubernetes.io/job-tracking"
JOB_NAME, JOB_UID = "batch.kubernetes.io/job-name", "batch.kubernetes.io/controller-uid"


def complete(kind: Kind, obj: Object, store: Store, stamp: str) -> None:
    """Set the fields of a new object of a built-in kind that only the server sets.

    Raises:
        StatusError: 403, the object must not be created.
    """
    if not kind.custom and kind.kind in COMPLETE:
        COMPLETE[kind.kind](obj, store, stamp)


def default(kind: Kind, obj: Object) -> None:
    """Set the defaults of a new or changed object that depend on its other fields."""
    if not kind.custom and kind.kind in DEFAULT:
        DEFAULT[kind.kind](obj)


def causes(kind: Kind, obj: Object, old: Object | None) -> list[Cause]:
    """Return the validation errors of an object of a built-in kind, beyond those of its schema."""
    check = None if kind.custom else CAUSES.get(kind.kind)
    return list(check(obj, old)) if check else []


def _pod(pod: Object, store: Store, stamp: str) -> None:
    spec, meta = pod["spec"], pod["metadata"]
    account = spec["serviceAccount"] = spec["serviceAccountName"]
    if store.get(ACCOUNTS.key, meta["namespace"], account) is None:
        why = f'error looking up service account {meta["namespace"]}/{account}: serviceaccount "'
        raise forbidden("pods", "", meta["name"], f'{why}{account}" not found')
    _default_pod_spec(spec)
    for container in all_containers(spec):
        _default_requests(container["resources"])
    pod["status"] = {"phase": "Pending", "qosClass": _qos_class(spec)}


def _default_pod_spec(spec: Object) -> None:
    """Set the defaults of volumes and containers, also in the template of a Job."""
    for volume in spec.get("volumes") or ():
        if len(volume) == 1:  # only a name
            volume["emptyDir"] = {}
    for container in all_containers(spec):
        image = str(container.get("image", ""))
        latest = ":" not in image.rpartition("/")[2] or image.endswith(":latest")
        container.setdefault("imagePullPolicy", "Always" if latest else "IfNotPresent")


def _default_requests(resources: Object) -> None:
    """Set requests that are not given to the limits."""
    if resources.get("limits"):
        resources["requests"] = {**resources["limits"], **(resources.get("requests") or {})}


def _qos_class(spec: Object) -> str:
    resources = [container.get("resources") or {} for container in all_containers(spec)]
    if not any(each.get("limits") or each.get("requests") for each in resources):
        return "BestEffort"
    exact = all(
        {"cpu", "memory"} <= (each.get("limits") or {}).keys()
        and each.get("requests", each["limits"]) == each["limits"]
        for each in resources
    )
    return "Guaranteed" if exact else "Burstable"


def _job_default(job: Object) -> None:
    spec = job["spec"]
    if "parallelism" not in spec:
        spec["parallelism"] = 1
        spec.setdefault("completions", 1)
    _default_pod_spec(spec["template"]["spec"])


def _job(job: Object, store: Store, stamp: str) -> None:
    spec, meta = job["spec"], job["metadata"]
    labels = {
        JOB_UID: meta["uid"],
        JOB_NAME: meta["name"],
        "controller-uid": meta["uid"],
        "job-name": meta["name"],
    }
    if not spec.get("manualSelector"):
        spec["selector"] = {"matchLabels": {JOB_UID: meta["uid"]}}
        template = spec["template"].setdefault("metadata", {})
        template["labels"] = {**(template.get("labels") or {}), **labels}
        if "labels" not in meta:  # a Job without labels takes those of its template
            meta["labels"] = dict(template["labels"])
    job["status"] = {}


def _job_causes(job: Object, old: Object | None) -> Iterator[Cause]:
    spec, template = job["spec"], job["spec"]["template"]
    labels = (template.get("metadata") or {}).get("labels")
    wanted = (spec.get("selector") or {}).get("matchLabels")
    if not wanted:
        yield cause("Required", "spec.selector", "Required value")
    yield from label_causes("spec.template.labels", labels or {})
    if not wanted or not wanted.items() <= (labels or {}).items():
        text = f"Invalid value: {_to_json(labels)}: `selector` does not match template `labels`"
        yield cause("Invalid", "spec.template.metadata.labels", text)
    yield from pod_spec_causes(template["spec"], "spec.template.spec")
    if template["spec"].get("restartPolicy") not in ("OnFailure", "Never"):
        text = 'Required value: valid values: "OnFailure", "Never"'
        yield cause("Required", "spec.template.spec.restartPolicy", text)
    before = (old or job)["spec"]
    for field in JOBS.immutable:
        if spec.get(field) != before.get(field):
            text = f"Invalid value: {_to_json(spec.get(field))}: field is immutable"
            yield cause("Invalid", f"spec.{field}", text)


def _to_json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True)


MUTABLE_POD_FIELDS = ("activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds")
POD_UPDATE_MESSAGE = (
    "Forbidden: pod updates may not change fields other than `spec.containers[*].image`,"
    "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only "
    "additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set "
    "to 1 if it was previously negative)"
)


def _pod_causes(pod: Object, old: Object | None) -> Iterator[Cause]:
    yield from pod_spec_causes(pod["spec"], "spec")
    if old is None:
        return
    if _immutable_part(pod) != _immutable_part(old):
        yield cause("Forbidden", "spec", POD_UPDATE_MESSAGE)
    deadline, before = (spec["spec"].get("activeDeadlineSeconds") for spec in (pod, old))
    if before is not None and (deadline is None or deadline > before):
        text = f"Invalid value: {deadline}: must be less than or equal to previous value"
        yield cause("Invalid", "spec.activeDeadlineSeconds", text)


def _immutable_part(pod: Object) -> Object:
    spec = {key: value for key, value in pod["spec"].items() if key not in MUTABLE_POD_FIELDS}
    for field in ("initContainers", "containers"):
        spec[field] = [{**container, "image": ""} for container in spec.get(field) or ()]
    return spec


def _namespace(namespace: Object, store: Store, stamp: str) -> None:
    meta = namespace["metadata"]
    meta["labels"] = {**(meta.get("labels") or {}), "kubernetes.io/metadata.name": meta["name"]}
    if meta["name"] == SYSTEM:
        # The uid of this namespace identifies the cluster; the prefix marks a dev cluster.
        meta["uid"] = DEVCLUSTER_UID_PREFIX + meta["uid"][len(DEVCLUSTER_UID_PREFIX) :]
    namespace["spec"] = {"finalizers": ["kubernetes"]}
    namespace["status"] = {"phase": "Active"}


def _secret_default(secret: Object) -> None:
    for key, value in (secret.pop("stringData", None) or {}).items():
        secret.setdefault("data", {})[key] = b64encode(value.encode()).decode()


def _immutable_causes(obj: Object, old: Object | None) -> Iterator[Cause]:
    before = old if old and old.get("immutable") else obj
    for field in ("data", "binaryData", "type", "immutable"):
        if obj.get(field) != before.get(field):
            text = "Forbidden: field is immutable when `immutable` is set"
            yield cause("Forbidden", field, text)


def _crd(crd: Object, store: Store, stamp: str) -> None:
    spec = crd["spec"]
    names = spec["names"]
    names.setdefault("singular", str(names.get("kind", "")).lower())
    names.setdefault("listKind", f"{names.get('kind', '')}List")
    conditions = [
        {"type": kind, "status": "True", "reason": reason, "message": message}
        | {"lastTransitionTime": stamp}
        for kind, reason, message in (
            ("NamesAccepted", "NoConflicts", "no conflicts found"),
            ("Established", "InitialNamesAccepted", "the initial names have been accepted"),
        )
    ]
    stored = [version["name"] for version in spec["versions"] if version.get("storage")]
    crd["status"] = {"acceptedNames": names, "conditions": conditions, "storedVersions": stored}


def _crd_causes(crd: Object, old: Object | None) -> Iterator[Cause]:
    yield from crd_causes(crd)
    if old and old["spec"]["scope"] != crd["spec"]["scope"]:
        yield cause("Invalid", "spec.scope", "Invalid value: field is immutable")


DEFAULT: dict[str, Callable[[Object], None]] = {"Job": _job_default, "Secret": _secret_default}
COMPLETE: dict[str, Callable[[Object, Store, str], None]] = {
    "Pod": _pod,
    "Job": _job,
    "Namespace": _namespace,
    "CustomResourceDefinition": _crd,
}
CAUSES: dict[str, Callable[[Object, Object | None], Iterator[Cause]]] = {
    "Pod": _pod_causes,
    "Job": _job_causes,
    "Secret": _immutable_causes,
    "ConfigMap": _immutable_causes,
    "CustomResourceDefinition": _crd_causes,
}
