"""What each built-in kind gets on top of its schema's defaults, and what it is refused for."""

from base64 import b64encode
from collections.abc import Callable, Iterator
from typing import Any

from sparktest.devcluster.entries import Object
from sparktest.devcluster.kinds import ACCOUNTS, Kind, crd_causes
from sparktest.devcluster.objects import label_causes
from sparktest.devcluster.status import Cause, cause, forbidden
from sparktest.devcluster.store import Store

TRACKING = "batch.kubernetes.io/job-tracking"
CRD_CLEANUP = "customresourcecleanup.apiextensions.k8s.io"
JOB_NAME, JOB_UID = "batch.kubernetes.io/job-name", "batch.kubernetes.io/controller-uid"


def complete(kind: Kind, obj: Object, store: Store, stamp: str) -> None:
    """Fill in what a new object of a built-in kind gets from the server.

    Raises:
        StatusError: 403, it may not be created.
    """
    if not kind.custom and kind.kind in COMPLETE:
        COMPLETE[kind.kind](obj, store, stamp)


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
    for container in _containers(spec):
        _pull_policy(container)
    pod["status"] = {"phase": "Pending", "qosClass": _quality(spec)}


def _containers(spec: Object) -> Iterator[Object]:
    yield from spec.get("initContainers") or ()
    yield from spec.get("containers") or ()


def _pull_policy(container: Object) -> None:
    image = str(container.get("image", ""))
    latest = ":" not in image.rpartition("/")[2] or image.endswith(":latest")
    container.setdefault("imagePullPolicy", "Always" if latest else "IfNotPresent")


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


def _job(job: Object, store: Store, stamp: str) -> None:
    spec, meta = job["spec"], job["metadata"]
    if "parallelism" not in spec:
        spec["parallelism"] = 1
        spec.setdefault("completions", 1)
    labels = {
        JOB_UID: meta["uid"], JOB_NAME: meta["name"],
        "controller-uid": meta["uid"], "job-name": meta["name"],
    }  # fmt: skip
    if not spec.get("manualSelector"):
        spec["selector"] = {"matchLabels": {JOB_UID: meta["uid"]}}
        template = spec["template"].setdefault("metadata", {})
        template["labels"] = {**(template.get("labels") or {}), **labels}
        if "labels" not in meta:  # without any of its own a Job gets those of its template
            meta["labels"] = dict(template["labels"])
    for container in _containers(spec["template"].get("spec") or {}):
        _pull_policy(container)
    job["status"] = {}


def _job_causes(job: Object, old: Object | None) -> Iterator[Cause]:
    template = job["spec"]["template"]
    path = "spec.template.spec"
    yield from label_causes("spec.template.labels", (template.get("metadata") or {})["labels"])
    pod = template.get("spec")
    if not pod:
        yield cause("Required", path, "Required value")
        return
    if pod.get("restartPolicy") not in ("OnFailure", "Never"):
        text = 'Required value: valid values: "OnFailure", "Never"'
        yield cause("Required", f"{path}.restartPolicy", text)
    yield from _image_causes(pod, path)


def _image_causes(spec: Object, path: str) -> Iterator[Cause]:
    for field in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(field) or ()):
            if not container.get("image"):
                yield cause("Required", f"{path}.{field}[{index}].image", "Required value")


CHANGEABLE = ("activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds")


def _pod_causes(pod: Object, old: Object | None) -> Iterator[Cause]:
    yield from _image_causes(pod["spec"], "spec")
    if old is None:
        return
    if _fixed(pod) != _fixed(old):
        text = "Forbidden: pod updates may not change fields other than "
        text += f"`spec.containers[*].image`, `spec.{'`, `spec.'.join(CHANGEABLE)}`"
        yield cause("Forbidden", "spec", text)
    deadline, before = (spec["spec"].get("activeDeadlineSeconds") for spec in (pod, old))
    if before is not None and (deadline is None or deadline > before):
        text = f"Invalid value: {deadline}: must be less than or equal to previous value"
        yield cause("Invalid", "spec.activeDeadlineSeconds", text)


def _fixed(pod: Object) -> Object:
    spec = {key: value for key, value in pod["spec"].items() if key not in CHANGEABLE}
    spec["containers"] = [{**container, "image": ""} for container in spec["containers"]]
    return spec


def _namespace(namespace: Object, store: Store, stamp: str) -> None:
    meta = namespace["metadata"]
    meta["labels"] = {**(meta.get("labels") or {}), "kubernetes.io/metadata.name": meta["name"]}
    namespace["spec"] = {"finalizers": ["kubernetes"]}
    namespace["status"] = {"phase": "Active"}


def _secret(secret: Object, store: Store, stamp: str) -> None:
    plain_text(secret)


def plain_text(secret: Object) -> None:
    """Move what a client gave as plain text to where a Secret keeps it."""
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
    spec, meta = crd["spec"], crd["metadata"]
    names = spec["names"]
    names.setdefault("singular", str(names.get("kind", "")).lower())
    names.setdefault("listKind", f"{names.get('kind', '')}List")
    meta["finalizers"] = [*(meta.get("finalizers") or ()), CRD_CLEANUP]
    says = {
        "NamesAccepted": ("NoConflicts", "no conflicts found"),
        "Established": ("InitialNamesAccepted", "the initial names have been accepted"),
    }
    conditions: list[Any] = [
        {"lastTransitionTime": stamp, "message": message, "observedGeneration": 1,
         "reason": reason, "status": "True", "type": kind}
        for kind, (reason, message) in says.items()
    ]  # fmt: skip
    stored = [version["name"] for version in spec["versions"] if version.get("storage")]
    crd["status"] = {"acceptedNames": names, "conditions": conditions, "storedVersions": stored}


def _crd_causes(crd: Object, old: Object | None) -> Iterator[Cause]:
    yield from crd_causes(crd)
    if old and old["spec"]["scope"] != crd["spec"]["scope"]:
        yield cause("Invalid", "spec.scope", "Invalid value: field is immutable")


COMPLETE: dict[str, Callable[[Object, Store, str], None]] = {
    "Pod": _pod,
    "Job": _job,
    "Namespace": _namespace,
    "Secret": _secret,
    "CustomResourceDefinition": _crd,
}
CAUSES: dict[str, Callable[[Object, Object | None], Iterator[Cause]]] = {
    "Pod": _pod_causes,
    "Job": _job_causes,
    "Secret": _immutable_causes,
    "ConfigMap": _immutable_causes,
    "CustomResourceDefinition": _crd_causes,
}
