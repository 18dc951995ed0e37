"""The columns of the built-in kinds, where a path is not enough to say what is there. Pure."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from sparktest.devcluster.ages import age, duration
from sparktest.devcluster.clock import moment
from sparktest.devcluster.entries import Object
from sparktest.devcluster.kinds import Column
from sparktest.devcluster.objects import is_true

NONE = "<none>"
# Events have names that nobody wants to read.
NAMELESS = ("Event",)


def _described(
    *names: str, wide: Iterable[str] = (), dates: Iterable[str] = ()
) -> tuple[Column, ...]:
    return tuple(
        Column(
            name=name,
            type="date" if name in dates else "string",
            json_path="",
            description=f"{name} of the object.",
            priority=int(name in wide),
        )
        for name in names
    )


WIDE_POD = ("IP", "Node", "Nominated Node", "Readiness Gates")
WIDE_JOB = ("Containers", "Images", "Selector")
WIDE_EVENT = ("Subobject", "Source", "First Seen", "Count", "Name")
WIDE_NODE = ("Internal-IP", "External-IP", "OS-Image", "Kernel-Version", "Container-Runtime")
USUAL = (Column(name="Age", type="date", json_path=".metadata.creationTimestamp"),)
COLUMNS: dict[str, tuple[Column, ...]] = {
    "Pod": _described("Ready", "Status", "Restarts", "Age", *WIDE_POD, wide=WIDE_POD),
    "Job": _described("Status", "Completions", "Duration", "Age", *WIDE_JOB, wide=WIDE_JOB),
    "Event": _described(
        "Last Seen",
        "Type",
        "Reason",
        "Object",
        "Subobject",
        "Source",
        "Message",
        "First Seen",
        "Count",
        "Name",
        wide=WIDE_EVENT,
    ),
    "Namespace": _described("Status", "Age"),
    "Secret": _described("Type", "Data", "Age"),
    "ConfigMap": _described("Data", "Age"),
    "ServiceAccount": _described("Secrets", "Age"),
    "Lease": _described("Holder", "Age"),
    "Node": _described("Status", "Roles", "Age", "Version", *WIDE_NODE, wide=WIDE_NODE),
    "CustomResourceDefinition": _described("Created At", dates=["Created At"]),
}


def _created(obj: Object, now: datetime) -> str:
    return age(obj["metadata"].get("creationTimestamp"), now)


def _pod(pod: Object, now: datetime) -> list[Any]:
    spec, status = pod["spec"], pod.get("status") or {}
    states = status.get("containerStatuses") or []
    ready = sum(bool(state.get("ready")) for state in states)
    restarts = sum(int(state.get("restartCount", 0)) for state in states)
    return [
        f"{ready}/{len(spec['containers'])}",
        pod_word(pod),
        str(restarts),
        _created(pod, now),
        status.get("podIP") or NONE,
        spec.get("nodeName") or NONE,
        NONE,
        NONE,
    ]


def pod_word(pod: Object) -> str:
    """The one word that says how a pod is: its reason, or that of the container that counts."""
    status = pod.get("status") or {}
    word = str(status.get("reason") or status.get("phase") or "Unknown")
    for index, state in enumerate(status.get("initContainerStatuses") or ()):
        reason = _reason(state["state"])
        if reason and reason != "Completed":
            return _terminating(pod, f"Init:{reason}")
        if not reason:
            return _terminating(pod, f"Init:{index}/{len(pod['spec']['initContainers'])}")
    for state in reversed(status.get("containerStatuses") or ()):
        word = _reason(state["state"]) or word
    return _terminating(pod, word)


def _reason(state: Object) -> str:
    for part in ("waiting", "terminated"):
        if part in state:
            return str(state[part].get("reason") or f"ExitCode:{state[part].get('exitCode')}")
    return ""


def _terminating(pod: Object, word: str) -> str:
    over = (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")
    return "Terminating" if pod["metadata"].get("deletionTimestamp") and not over else word


def _job(job: Object, now: datetime) -> list[Any]:
    spec, status = job["spec"], job.get("status") or {}
    wanted = spec.get("completions")
    done = status.get("succeeded", 0)
    if wanted is None:
        parallel = spec.get("parallelism", 1)
        completions = f"{done}/1 of {parallel}" if parallel > 1 else f"{done}/1"
    else:
        completions = f"{done}/{wanted}"
    containers = spec["template"]["spec"]["containers"]
    labels = (spec.get("selector") or {}).get("matchLabels") or {}
    return [
        _job_word(job),
        completions,
        _job_duration(status, now),
        _created(job, now),
        ",".join(container["name"] for container in containers),
        ",".join(container.get("image", "") for container in containers),
        ",".join(f"{key}={value}" for key, value in labels.items()) or NONE,
    ]


def _job_word(job: Object) -> str:
    for kind in ("Complete", "Failed"):
        if is_true(job, kind):
            return kind
    if job["metadata"].get("deletionTimestamp"):
        return "Terminating"
    for kind, word in (("Suspended", "Suspended"), ("FailureTarget", "FailureTarget")):
        if is_true(job, kind):
            return word
    return "SuccessCriteriaMet" if is_true(job, "SuccessCriteriaMet") else "Running"


def _job_duration(status: Object, now: datetime) -> str:
    if not status.get("startTime"):
        return ""
    end = moment(status["completionTime"]) if status.get("completionTime") else now
    return duration((end - moment(status["startTime"])).total_seconds())


def _event(event: Object, now: datetime) -> list[Any]:
    about, source = event["involvedObject"], event.get("source") or {}
    first = event.get("firstTimestamp") or event.get("eventTime")
    last = event.get("lastTimestamp") or first
    component = source.get("component") or event.get("reportingComponent") or ""
    where = source.get("host") or event.get("reportingInstance") or ""
    return [
        age(last, now),
        event.get("type"),
        event.get("reason"),
        f"{about.get('kind', '').lower()}/{about.get('name', '')}",
        about.get("fieldPath", ""),
        ", ".join(filter(None, (component, where))),
        str(event.get("message", "")).strip(),
        age(first, now),
        event.get("count", 1),
        event["metadata"]["name"],
    ]


def _node(node: Object, now: datetime) -> list[Any]:
    status = node["status"]
    info = status["nodeInfo"]
    address = status["addresses"][0]["address"]
    return [
        "Ready" if is_true(node, "Ready") else "NotReady",
        NONE,
        _created(node, now),
        info["kubeletVersion"],
        address,
        NONE,
        info["osImage"],
        info["kernelVersion"],
        info["containerRuntimeVersion"],
    ]


def _data(obj: Object) -> int:
    return len(obj.get("data") or ()) + len(obj.get("binaryData") or ())


CELLS: dict[str, Callable[[Object, datetime], list[Any]]] = {
    "Pod": _pod,
    "Job": _job,
    "Event": _event,
    "Node": _node,
    "Namespace": lambda obj, now: [obj["status"]["phase"], _created(obj, now)],
    "Secret": lambda obj, now: [obj.get("type", ""), _data(obj), _created(obj, now)],
    "ConfigMap": lambda obj, now: [_data(obj), _created(obj, now)],
    "ServiceAccount": lambda obj, now: [len(obj.get("secrets") or ()), _created(obj, now)],
    "Lease": lambda obj, now: [
        (obj.get("spec") or {}).get("holderIdentity", ""),
        _created(obj, now),
    ],
    "CustomResourceDefinition": lambda obj, now: [obj["metadata"]["creationTimestamp"]],
}
