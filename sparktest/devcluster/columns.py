"""The printer columns of the built-in kinds, and kubectl's format of durations. Pure."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from sparktest.devcluster.kinds import Column
from sparktest.devcluster.objects import is_true
from sparktest.devcluster.stored_objects import Object
from sparktest.times import parse_time

NONE = "<none>"
# Names of events are random, so their Name column is a wide one at the end.
WITHOUT_NAME = ("Event",)


def _define(*names: str, wide: Iterable[str] = (), dates: Iterable[str] = ()) -> tuple[Column, ...]:
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
DEFAULT_COLUMNS = (Column(name="Age", type="date", json_path=".metadata.creationTimestamp"),)
COLUMNS: dict[str, tuple[Column, ...]] = {
    "Pod": _define("Ready", "Status", "Restarts", "Age", *WIDE_POD, wide=WIDE_POD),
    "Job": _define("Status", "Completions", "Duration", "Age", *WIDE_JOB, wide=WIDE_JOB),
    "Event": _define(
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
    "Namespace": _define("Status", "Age"),
    "Secret": _define("Type", "Data", "Age"),
    "ConfigMap": _define("Data", "Age"),
    "ServiceAccount": _define("Secrets", "Age"),
    "Lease": _define("Holder", "Age"),
    "Node": _define("Status", "Roles", "Age", "Version", *WIDE_NODE, wide=WIDE_NODE),
    "CustomResourceDefinition": _define("Created At", dates=["Created At"]),
}


def _age_of(obj: Object, now: datetime) -> str:
    return timestamp_since(obj["metadata"].get("creationTimestamp"), now)


def _pod_cells(pod: Object, now: datetime) -> list[Any]:
    spec, status = pod["spec"], pod.get("status") or {}
    states = status.get("containerStatuses") or []
    ready = sum(bool(state.get("ready")) for state in states)
    restarts = sum(int(state.get("restartCount", 0)) for state in states)
    return [
        f"{ready}/{len(spec['containers'])}",
        pod_status_text(pod),
        str(restarts),
        _age_of(pod, now),
        status.get("podIP") or NONE,
        spec.get("nodeName") or NONE,
        NONE,
        NONE,
    ]


def pod_status_text(pod: Object) -> str:
    """Return the STATUS cell of a pod: a container's reason, else the pod's reason or phase."""
    status = pod.get("status") or {}
    text = str(status.get("reason") or status.get("phase") or "Unknown")
    for index, state in enumerate(status.get("initContainerStatuses") or ()):
        reason = _reason(state["state"])
        if reason and reason != "Completed":
            return _or_terminating(pod, f"Init:{reason}")
        if not reason:
            return _or_terminating(pod, f"Init:{index}/{len(pod['spec']['initContainers'])}")
    for state in reversed(status.get("containerStatuses") or ()):
        text = _reason(state["state"]) or text
    return _or_terminating(pod, text)


def _reason(state: Object) -> str:
    for part in ("waiting", "terminated"):
        if part in state:
            return str(state[part].get("reason") or f"ExitCode:{state[part].get('exitCode')}")
    return ""


def _or_terminating(pod: Object, text: str) -> str:
    ended = (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")
    return "Terminating" if pod["metadata"].get("deletionTimestamp") and not ended else text


def _job_cells(job: Object, now: datetime) -> list[Any]:
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
        _job_status_text(job),
        completions,
        _job_duration(status, now),
        _age_of(job, now),
        ",".join(container["name"] for container in containers),
        ",".join(container.get("image", "") for container in containers),
        ",".join(f"{key}={value}" for key, value in labels.items()) or NONE,
    ]


def _job_status_text(job: Object) -> str:
    for kind in ("Complete", "Failed"):
        if is_true(job, kind):
            return kind
    if job["metadata"].get("deletionTimestamp"):
        return "Terminating"
    for kind, text in (("Suspended", "Suspended"), ("FailureTarget", "FailureTarget")):
        if is_true(job, kind):
            return text
    return "SuccessCriteriaMet" if is_true(job, "SuccessCriteriaMet") else "Running"


def _job_duration(status: Object, now: datetime) -> str:
    if not status.get("startTime"):
        return ""
    start = parse_time(status["startTime"]) or now
    end = parse_time(status.get("completionTime")) or now
    return human_duration((end - start).total_seconds())


def _event_cells(event: Object, now: datetime) -> list[Any]:
    about, source = event["involvedObject"], event.get("source") or {}
    first = event.get("firstTimestamp") or event.get("eventTime")
    last = event.get("lastTimestamp") or first
    component = source.get("component") or event.get("reportingComponent") or ""
    where = source.get("host") or event.get("reportingInstance") or ""
    return [
        timestamp_since(last, now),
        event.get("type"),
        event.get("reason"),
        f"{about.get('kind', '').lower()}/{about.get('name', '')}",
        about.get("fieldPath", ""),
        ", ".join(filter(None, (component, where))),
        str(event.get("message", "")).strip(),
        timestamp_since(first, now),
        event.get("count", 1),
        event["metadata"]["name"],
    ]


def _node_cells(node: Object, now: datetime) -> list[Any]:
    status = node["status"]
    info = status["nodeInfo"]
    address = status["addresses"][0]["address"]
    return [
        "Ready" if is_true(node, "Ready") else "NotReady",
        NONE,
        _age_of(node, now),
        info["kubeletVersion"],
        address,
        NONE,
        info["osImage"],
        info["kernelVersion"],
        info["containerRuntimeVersion"],
    ]


def _data_count(obj: Object) -> int:
    return len(obj.get("data") or ()) + len(obj.get("binaryData") or ())


CELLS: dict[str, Callable[[Object, datetime], list[Any]]] = {
    "Pod": _pod_cells,
    "Job": _job_cells,
    "Event": _event_cells,
    "Node": _node_cells,
    "Namespace": lambda obj, now: [obj["status"]["phase"], _age_of(obj, now)],
    "Secret": lambda obj, now: [obj.get("type", ""), _data_count(obj), _age_of(obj, now)],
    "ConfigMap": lambda obj, now: [_data_count(obj), _age_of(obj, now)],
    "ServiceAccount": lambda obj, now: [len(obj.get("secrets") or ()), _age_of(obj, now)],
    "Lease": lambda obj, now: [
        (obj.get("spec") or {}).get("holderIdentity", ""),
        _age_of(obj, now),
    ],
    "CustomResourceDefinition": lambda obj, now: [obj["metadata"]["creationTimestamp"]],
}


MINUTE, HOUR, DAY = 60, 3600, 86400
YEAR = 365 * DAY


def timestamp_since(since: object, now: datetime) -> str:
    """Return how long ago an RFC 3339 time was, in kubectl's format.

    `<unknown>` for no time, `<invalid>` for anything that is not a time.
    """
    if not since:
        return "<unknown>"
    time = parse_time(since)
    return human_duration((now - time).total_seconds()) if time else "<invalid>"


def human_duration(seconds: float) -> str:
    """Return `119s`, `9m59s`, `2h59m`, `47h`, `7d23h` or `1y`, as client-go's HumanDuration does.

    Two units while the first is small.
    """
    total = int(seconds)
    if total < -1:
        return "<invalid>"
    if total < 2 * MINUTE:
        return f"{max(total, 0)}s"
    for unit, limit, letter, smaller_unit, smaller_letter in STEPS:
        if total < unit * limit:
            whole, rest = divmod(total, unit)
            part = rest // smaller_unit if smaller_unit else 0
            return f"{whole}{letter}" + (f"{part}{smaller_letter}" if part else "")
    return f"{total // YEAR}y"


# Unit, its limit (exclusive) and letter; the smaller unit that is added (0: none) and its letter.
STEPS = (
    (MINUTE, 10, "m", 1, "s"),
    (MINUTE, 180, "m", 0, ""),
    (HOUR, 8, "h", MINUTE, "m"),
    (HOUR, 48, "h", 0, ""),
    (DAY, 8, "d", HOUR, "h"),
    (DAY, 730, "d", 0, ""),
    (YEAR, 8, "y", DAY, "d"),
)
