"""What each built-in kind gets on top of its schema's defaults, and what it is refused for."""

import json
from base64 import b64encode
from collections.abc import Callable, Iterator
from typing import Any

from sparktest.devcluster.api_errors import Cause, cause, forbidden
from sparktest.devcluster.entries import Object
from sparktest.devcluster.kinds import ACCOUNTS, SYSTEM, Kind, crd_causes
from sparktest.devcluster.objects import dns_label_causes, label_causes
from sparktest.devcluster.store import Store
from sparktest.domain import DEVCLUSTER_UID_PREFIX

TRACKING = "batch.kubernetes.io/job-tracking"
TOLERATED = [
    {
        "key": f"node.kubernetes.io/{what}",
        "operator": "Exists",
        "effect": "NoExecute",
        "tolerationSeconds": 300,
    }
    for what in ("not-ready", "unreachable")
]
JOB_NAME, JOB_UID = "batch.kubernetes.io/job-name", "batch.kubernetes.io/controller-uid"


def complete(kind: Kind, obj: Object, store: Store, stamp: str) -> None:
    """Fill in what a new object of a built-in kind gets from the server.

    Raises:
        StatusError: 403, it may not be created.
    """
    if not kind.custom and kind.kind in COMPLETE:
        COMPLETE[kind.kind](obj, store, stamp)


def default(kind: Kind, obj: Object) -> None:
    """Fill in the defaults of an object, new or changed, that follow from its other fields."""
    if not kind.custom and kind.kind in DEFAULT:
        DEFAULT[kind.kind](obj)


def causes(kind: Kind, obj: Object, old: Object | None) -> list[Cause]:
    """The rules of a built-in kind that the object breaks, beside those of its schema."""
    check = None if kind.custom else CAUSES.get(kind.kind)
    return list(check(obj, old)) if check else []


def _pod(pod: Object, store: Store, stamp: str) -> None:
    spec, meta = pod["spec"], pod["metadata"]
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("enableServiceLinks", True)
    spec.setdefault("priority", 0)
    spec.setdefault("preemptionPolicy", "PreemptLowerPriority")
    account = spec.setdefault("serviceAccountName", "default")
    spec["serviceAccount"] = account
    if store.get(ACCOUNTS.key, meta["namespace"], account) is None:
        why = f'error looking up service account {meta["namespace"]}/{account}: serviceaccount "'
        raise forbidden("pods", "", meta["name"], f'{why}{account}" not found')
    spec.setdefault("tolerations", TOLERATED)
    for container in _containers(spec):
        _pull_policy(container)
        _requests(container["resources"])
    pod["status"] = {"phase": "Pending", "qosClass": _quality(spec)}


def _containers(spec: Object) -> Iterator[Object]:
    yield from spec.get("initContainers") or ()
    yield from spec.get("containers") or ()


def _pull_policy(container: Object) -> None:
    image = str(container.get("image", ""))
    latest = ":" not in image.rpartition("/")[2] or image.endswith(":latest")
    container.setdefault("imagePullPolicy", "Always" if latest else "IfNotPresent")


def _requests(resources: Object) -> None:
    """Request what is limited and not requested."""
    if resources.get("limits"):
        resources["requests"] = {**resources["limits"], **(resources.get("requests") or {})}


def _quality(spec: Object) -> str:
    wishes = [container.get("resources") or {} for container in _containers(spec)]
    if not any(wish.get("limits") or wish.get("requests") for wish in wishes):
        return "BestEffort"
    exact = all(
        {"cpu", "memory"} <= (wish.get("limits") or {}).keys()
        and wish.get("requests", wish["limits"]) == wish["limits"]
        for wish in wishes
    )
    return "Guaranteed" if exact else "Burstable"


def _job_default(job: Object) -> None:
    spec = job["spec"]
    if "parallelism" not in spec:
        spec["parallelism"] = 1
        spec.setdefault("completions", 1)
    for container in _containers(spec["template"]["spec"]):
        _pull_policy(container)


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
        if "labels" not in meta:  # without any of its own a Job gets those of its template
            meta["labels"] = dict(template["labels"])
    job["status"] = {}


FIXED_IN_JOB = (
    "completions",
    "selector",
    "template",
    "completionMode",
    "podFailurePolicy",
    "backoffLimitPerIndex",
    "managedBy",
    "successPolicy",
)


def _job_causes(job: Object, old: Object | None) -> Iterator[Cause]:
    spec, template = job["spec"], job["spec"]["template"]
    labels = (template.get("metadata") or {}).get("labels")
    wanted = (spec.get("selector") or {}).get("matchLabels")
    if not wanted:
        yield cause("Required", "spec.selector", "Required value")
    yield from label_causes("spec.template.labels", labels or {})
    if not wanted or not wanted.items() <= (labels or {}).items():
        text = f"Invalid value: {_shown(labels)}: `selector` does not match template `labels`"
        yield cause("Invalid", "spec.template.metadata.labels", text)
    yield from _template_causes(template["spec"], "spec.template.spec")
    for field in FIXED_IN_JOB if old else ():
        if spec.get(field) != (old or job)["spec"].get(field):
            text = f"Invalid value: {_shown(spec.get(field))}: field is immutable"
            yield cause("Invalid", f"spec.{field}", text)


def _shown(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True)


def _template_causes(pod: Object, path: str) -> Iterator[Cause]:
    yield from _container_causes(pod, path)
    if pod.get("restartPolicy") not in ("OnFailure", "Never"):
        text = 'Required value: valid values: "OnFailure", "Never"'
        yield cause("Required", f"{path}.restartPolicy", text)


def _container_causes(spec: Object, path: str) -> Iterator[Cause]:
    if not spec.get("containers"):
        yield cause("Required", f"{path}.containers", "Required value")
    for field in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(field) or ()):
            where = f"{path}.{field}[{index}]"
            yield from dns_label_causes(f"{where}.name", container["name"])
            if not container.get("image"):
                yield cause("Required", f"{where}.image", "Required value")


CHANGEABLE = ("activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds")
UNCHANGEABLE = (
    "Forbidden: pod updates may not change fields other than `spec.containers[*].image`,"
    "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only "
    "additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set "
    "to 1 if it was previously negative)"
)


def _pod_causes(pod: Object, old: Object | None) -> Iterator[Cause]:
    yield from _container_causes(pod["spec"], "spec")
    if old is None:
        return
    if _fixed(pod) != _fixed(old):
        yield cause("Forbidden", "spec", UNCHANGEABLE)
    deadline, before = (spec["spec"].get("activeDeadlineSeconds") for spec in (pod, old))
    if before is not None and (deadline is None or deadline > before):
        text = f"Invalid value: {deadline}: must be less than or equal to previous value"
        yield cause("Invalid", "spec.activeDeadlineSeconds", text)


def _fixed(pod: Object) -> Object:
    spec = {key: value for key, value in pod["spec"].items() if key not in CHANGEABLE}
    for field in ("initContainers", "containers"):
        spec[field] = [{**container, "image": ""} for container in spec.get(field) or ()]
    return spec


def _namespace(namespace: Object, store: Store, stamp: str) -> None:
    meta = namespace["metadata"]
    meta["labels"] = {**(meta.get("labels") or {}), "kubernetes.io/metadata.name": meta["name"]}
    if meta["name"] == SYSTEM:
        # The cluster's uid is that of this namespace, and tells everybody what cluster it is.
        meta["uid"] = DEVCLUSTER_UID_PREFIX + meta["uid"][len(DEVCLUSTER_UID_PREFIX) :]
    namespace["spec"] = {"finalizers": ["kubernetes"]}
    namespace["status"] = {"phase": "Active"}


def _secret_default(secret: Object) -> None:
    for key, value in (secret.pop("stringData", None) or {}).items():
        secret.setdefault("data", {})[key] = b64encode(value.encode()).decode()


def _immutable_causes(obj: Object, old: Object | None) -> Iterator[Cause]:
    if not (old and old.get("immutable")):
        return
    for field in ("data", "binaryData", "type", "immutable"):
        if obj.get(field) != old.get(field):
            text = "Forbidden: field is immutable when `immutable` is set"
            yield cause("Forbidden", field, text)


def _crd(crd: Object, store: Store, stamp: str) -> None:
    spec = crd["spec"]
    names = spec["names"]
    names.setdefault("singular", str(names.get("kind", "")).lower())
    names.setdefault("listKind", f"{names.get('kind', '')}List")
    says = {
        "NamesAccepted": ("NoConflicts", "no conflicts found"),
        "Established": ("InitialNamesAccepted", "the initial names have been accepted"),
    }
    conditions: list[Any] = [
        {
            "lastTransitionTime": stamp,
            "message": message,
            "reason": reason,
            "status": "True",
            "type": kind,
        }
        for kind, (reason, message) in says.items()
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
