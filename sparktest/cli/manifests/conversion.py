"""Convert TestRuns, Jobs, CronJobs and Pods to what a TestRun has: metadata and spec. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sparktest.cli.manifests.fields import path_text
from sparktest.kube.fields import Object, integer, items, mapping, text
from sparktest.kube.pod_template import (
    AMBIGUOUS_CONTAINER,
    JOB_LABELS,
    normalize_template,
    test_container,
)
from sparktest.kube.template_checks import template_errors

KINDS = {"TestRun": "sparktest.dev/v1alpha1", "Job": "batch/v1", "CronJob": "batch/v1", "Pod": "v1"}
TAKEN = "a TestRun (sparktest.dev/v1alpha1), Job or CronJob (batch/v1) or Pod (v1)"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
SOURCES = ("definitionId", "definitionName", "image")
# What becomes of the fields of a Job: converted, or without effect if they have these values.
JOB_FIELDS = ("template", "activeDeadlineSeconds", "ttlSecondsAfterFinished")
USUAL_VALUES: Mapping[str, tuple[Any, ...]] = {
    "backoffLimit": (0,),
    "completions": (1,),
    "parallelism": (1,),
    "completionMode": ("NonIndexed",),
    "manualSelector": (False,),
    "podReplacementPolicy": ("TerminatingOrFailed", "Failed"),
    "suspend": (False,),
}
# Set by Kubernetes in a pod that runs: they tie a copy of it to the same node or account.
SET_IN_PODS = ("nodeName", "ephemeralContainers", "priority", "preemptionPolicy")
# Begins the name of the volume with the pod's token.
TOKEN_VOLUME = "kube-api-access-"  # noqa: S105 - the name of a volume


class Manifest(NamedTuple):
    """A run that a document describes.

    Attributes:
        place: file and object, for messages.
        keeps_name: it is a TestRun that is in no cluster yet; all others need another name.
        metadata: of a TestRun: name or generateName, and what it has of namespace, labels,
            annotations.
        spec: of a TestRun.
        warnings: what of the document has no effect.
        problems: why it cannot be run, with the paths of the fields.
    """

    place: str
    keeps_name: bool
    metadata: Object
    spec: Object
    warnings: Sequence[str] = ()
    problems: Sequence[str] = ()

    @property
    def name(self) -> str:
        """The name, or what a generated one begins with."""
        return text(self.metadata, "name") or text(self.metadata, "generateName").rstrip("-")


def kind_problem(content: Any) -> str:
    """Return why a document is of no kind that can be run, "" if it is of one."""
    if not isinstance(content, dict):
        return "must be an object"
    version, kind = (str(content.get(field) or "") for field in ("apiVersion", "kind"))
    if KINDS.get(kind) == version:
        return ""
    if kind in KINDS:
        return f"{version} {kind} is another kind; give {TAKEN}"
    if not (version and kind):
        return f"an object without apiVersion and kind cannot be run; give {TAKEN}"
    return f"{version} {kind} cannot be run (kubectl apply creates it); give {TAKEN}"


def convert(place: str, content: Object) -> Manifest:
    """Return the run that an object of one of `KINDS` describes.

    Fields that Kubernetes sets in an object that it stores are dropped.
    """
    metadata = _metadata(content)
    kind = content["kind"]
    if kind == "TestRun":
        spec, warnings, problems = _convert_testrun(mapping(content, "spec"))
    elif kind == "Job":
        spec, warnings, problems = _convert_job(content, "spec")
    elif kind == "CronJob":
        spec, warnings, problems = _convert_cronjob(content)
        more = mapping(_metadata(mapping(mapping(content, "spec"), "jobTemplate")), "labels")
        metadata = metadata | ({"labels": mapping(metadata, "labels") | more} if more else {})
    else:
        spec, warnings, problems = _convert_pod(content, metadata)
    if not (text(metadata, "name") or text(metadata, "generateName")):
        problems = ["metadata.name: is required", *problems]
    keeps_name = kind == "TestRun" and not is_live(content)
    return Manifest(place, keeps_name, metadata, spec, warnings, problems)


Converted = tuple[Object, list[str], list[str]]


def _convert_testrun(spec: Object) -> Converted:
    converted = {name: value for name, value in spec.items() if name != "cancelled"}
    warnings = ["spec.cancelled has no effect on a new run"] if spec.get("cancelled") else []
    given = [name for name in SOURCES if spec.get(name)]
    problems = []
    if len(given) > 1:
        problems.append(f"spec: give only one of {', '.join(given)}")
    elif not given and not spec.get("template"):
        problems.append(f"spec: give one of {', '.join(SOURCES)}, template")
    template = mapping(spec, "template")
    if template:
        converted["template"] = normalize_template(template)
        problems += _template_problems(converted["template"], "spec.template")
    return converted, warnings, problems


def _convert_job(job: Object, path: str) -> Converted:
    """Convert a Job, or a CronJob's template of one; `path` is that of its spec."""
    fields = without_null(mapping(job, "spec"))
    live = is_live(job)
    problems = [
        f"{path}.{name}: must be 1: a run has one pod"
        for name in ("completions", "parallelism")
        if fields.get(name, 1) != 1
    ]
    if not mapping(fields, "template"):
        return {}, [], [*problems, f"{path}.template: is required"]
    without_effect = [
        f"{path}.{name}"
        for name, value in fields.items()
        if name not in JOB_FIELDS
        and value not in USUAL_VALUES.get(name, ())
        and not (name == "selector" and live)
    ]
    spec, warnings, more = _convert_template(fields["template"], f"{path}.template", live)
    limits = [integer(fields, "activeDeadlineSeconds"), spec.pop("timeoutSeconds", None)]
    if given := [limit for limit in limits if limit is not None]:
        spec["timeoutSeconds"] = min(given)
    if "ttlSecondsAfterFinished" in fields:
        spec["ttlSecondsAfterFinished"] = fields["ttlSecondsAfterFinished"]
    if f"{path}.backoffLimit" in without_effect:
        without_effect.remove(f"{path}.backoffLimit")
        warnings.append(f"{path}.backoffLimit has no effect: a run that failed is not repeated")
    return spec, warnings + _ignored(without_effect), problems + more


def _convert_cronjob(cronjob: Object) -> Converted:
    fields = without_null(mapping(cronjob, "spec"))
    template = mapping(fields, "jobTemplate")
    if not template:
        return {}, [], ["spec.jobTemplate: is required"]
    spec, warnings, problems = _convert_job(template, "spec.jobTemplate.spec")
    ignored = [f"spec.{name}" for name in fields if name != "jobTemplate"]
    return spec, ["it runs once, now", *_ignored(ignored), *warnings], problems


def _convert_pod(pod: Object, metadata: Object) -> Converted:
    return _convert_template({"metadata": metadata, "spec": pod.get("spec")}, "", is_live(pod))


def _convert_template(template: Object, path: str, live: bool) -> Converted:
    """Convert the template of a pod; `path` is the template's, "" for that of a Pod itself."""
    template = without_null(template)
    metadata, pod = mapping(template, "metadata"), mapping(template, "spec")
    where = f"{path}.spec".lstrip(".")
    if not items(pod, "containers"):
        return {}, [], [f"{where}.containers: needs a container"]
    spec: Object = {}
    warnings = []
    if pod.get("restartPolicy", "Never") != "Never":
        warnings.append(f"{where}.restartPolicy has no effect: a run that failed is not repeated")
    if (limit := integer(pod, "activeDeadlineSeconds")) is not None:
        spec["timeoutSeconds"] = limit
    dropped = ("restartPolicy", "activeDeadlineSeconds", *(SET_IN_PODS if live else ()))
    pod = {name: value for name, value in pod.items() if name not in dropped}
    kept = {name: metadata[name] for name in ("labels", "annotations") if metadata.get(name)}
    spec["template"] = normalize_template(
        {"metadata": kept, "spec": _without_token(pod) if live else pod}
    )
    return spec, warnings, _template_problems(spec["template"], path)


def _template_problems(template: Object, path: str) -> list[str]:
    problems = [
        f"{path}{_pointer_text(error['pointer'])}".lstrip(".") + f": {error['detail']}"
        for error in template_errors(template)
    ]
    if not problems and test_container(template) is None:
        problems.append(f"{path}.spec.containers: {AMBIGUOUS_CONTAINER}".lstrip("."))
    return problems


def _pointer_text(pointer: str) -> str:
    """Return a JSON pointer as a path that begins with a dot, "" for that of the root."""
    parts = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
    path = path_text(tuple(int(part) if part.isdecimal() else part for part in parts))
    return f".{path}" if path else ""


def _without_token(pod: Object) -> Object:
    """Return a live pod's spec without the ServiceAccount that it got by default."""
    by_default = ("serviceAccountName", "serviceAccount")
    pod = {
        name: value
        for name, value in pod.items()
        if not (name in by_default and value == "default")
    }
    for kind in ("containers", "initContainers"):
        for container in items(pod, kind):
            mounts = items(container, "volumeMounts")
            container["volumeMounts"] = [each for each in mounts if not _is_token(each)]
    volumes = [each for each in items(pod, "volumes") if not _is_token(each)]
    return {**pod, "volumes": volumes} if "volumes" in pod else pod


def _is_token(entry: Object) -> bool:
    return text(entry, "name").startswith(TOKEN_VOLUME)


def _ignored(names: list[str]) -> list[str]:
    if not names:
        return []
    return [f"{', '.join(names)} {'have' if len(names) > 1 else 'has'} no effect on a run"]


def is_live(content: Object) -> bool:
    """Return True if the object was read from a cluster."""
    return "uid" in mapping(content, "metadata")


def _metadata(content: Object) -> Object:
    """Return the metadata that a new object can have, without null."""
    found = mapping(content, "metadata")
    is_generated = found.get("generateName") and (is_live(content) or not found.get("name"))
    kept = ("generateName" if is_generated else "name", "namespace", "labels", "annotations")
    metadata: Object = without_null({name: found[name] for name in kept if found.get(name)})
    dropped = (*JOB_LABELS, LAST_APPLIED)
    for field in ("labels", "annotations"):
        values = mapping(metadata, field).items()
        metadata[field] = {key: value for key, value in values if key not in dropped}
    return {name: value for name, value in metadata.items() if value}


def without_null(value: Any) -> Any:
    """Return a copy without the fields that are null, which Kubernetes takes as not given."""
    if isinstance(value, dict):
        return {name: without_null(item) for name, item in value.items() if item is not None}
    if isinstance(value, list):
        return [without_null(item) for item in value if item is not None]
    return value
