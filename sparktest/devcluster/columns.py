"""The printer columns of the built-in kinds, and kubectl's format of durations. Pure."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple

from sparktest.devcluster.kinds import Column
from sparktest.devcluster.objects import ended, is_true
from sparktest.devcluster.stored_objects import Object
from sparktest.times import parse_time

NONE = "<none>"
NAME = Column(
    name="Name",
    type="string",
    format="name",
    json_path=".metadata.name",
    description="The name of the object; unique in its namespace among objects of its kind.",
)
Cells = Callable[[Object, datetime], list[Any]]


class Printer(NamedTuple):
    """The columns of a kind, and the function that returns the cells of an object."""

    columns: tuple[Column, ...]
    cells: Cells


def _printer(names: str, cells: Cells) -> Printer:
    """Return the printer with the columns of these names; `+` marks one that is for -o wide."""
    columns = [
        NAME
        if name == "Name"
        else Column(name=name.removeprefix("+"), type="string", priority=int(name[0] == "+"))
        for name in names.split(", ")
    ]
    return Printer(tuple(columns), cells)


def _age_of(obj: Object, now: datetime) -> str:
    return timestamp_since(obj["metadata"].get("creationTimestamp"), now)


def _pod_cells(pod: Object, now: datetime) -> list[Any]:
    spec, status = pod["spec"], pod.get("status") or {}
    sidecars = _sidecars(spec)
    states = [s for s in status.get("initContainerStatuses") or () if s["name"] in sidecars]
    states += status.get("containerStatuses") or []
    ready = sum(bool(state.get("ready")) for state in states)
    restarts = sum(int(state.get("restartCount", 0)) for state in states)
    return [
        pod["metadata"]["name"],
        f"{ready}/{len(sidecars) + len(spec['containers'])}",
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
    sidecars = _sidecars(pod["spec"])
    for index, state in enumerate(status.get("initContainerStatuses") or ()):
        reason = _reason(state["state"])
        if reason == "Completed" or (not reason and state.get("name") in sidecars):
            continue
        if reason in ("", "PodInitializing"):
            reason = f"{index}/{len(pod['spec']['initContainers'])}"
        text = f"Init:{reason}"
        if not is_true(pod, "Initialized"):
            return _or_terminating(pod, text)
        break
    for state in reversed(status.get("containerStatuses") or ()):
        text = _reason(state["state"]) or text
    return _or_terminating(pod, text)


def _sidecars(spec: Object) -> list[str]:
    init = spec.get("initContainers") or ()
    return [container["name"] for container in init if container.get("restartPolicy") == "Always"]


def _reason(state: Object) -> str:
    for part in ("waiting", "terminated"):
        if part in state:
            return str(state[part].get("reason") or f"ExitCode:{state[part].get('exitCode')}")
    return ""


def _or_terminating(pod: Object, text: str) -> str:
    deleted = pod["metadata"].get("deletionTimestamp")
    return "Terminating" if deleted and not ended(pod) else text


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
        job["metadata"]["name"],
        _job_status_text(job),
        completions,
        _job_duration(status, now),
        _age_of(job, now),
        ",".join(container["name"] for container in containers),
        ",".join(container.get("image", "") for container in containers),
        ",".join(f"{key}={value}" for key, value in labels.items()) or NONE,
    ]


def _job_status_text(job: Object) -> str:
    is_deleted = "deletionTimestamp" in job["metadata"]
    for text in ("Complete", "Failed", "Terminating", "Suspended", "FailureTarget"):
        if is_true(job, text) or (text == "Terminating" and is_deleted):
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
        node["metadata"]["name"],
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


def _short(names: str, *cells: Callable[[Object], Any]) -> Printer:
    """Return the printer of a kind with a few columns between Name and Age."""
    return _printer(
        f"Name, {names}, Age",
        lambda obj, now: [
            obj["metadata"]["name"],
            *(cell(obj) for cell in cells),
            _age_of(obj, now),
        ],
    )


PRINTERS = {
    "Pod": _printer(
        "Name, Ready, Status, Restarts, Age, +IP, +Node, +Nominated Node, +Readiness Gates",
        _pod_cells,
    ),
    "Job": _printer(
        "Name, Status, Completions, Duration, Age, +Containers, +Images, +Selector", _job_cells
    ),
    "Event": _printer(
        "Last Seen, Type, Reason, Object, +Subobject, +Source, Message, +First Seen, +Count, +Name",
        _event_cells,
    ),
    "Node": _printer(
        "Name, Status, Roles, Age, Version, +Internal-IP, +External-IP, +OS-Image, "
        "+Kernel-Version, +Container-Runtime",
        _node_cells,
    ),
    "Namespace": _short("Status", lambda obj: obj["status"]["phase"]),
    "Secret": _short("Type, Data", lambda obj: obj.get("type", ""), _data_count),
    "ConfigMap": _short("Data", _data_count),
    "ServiceAccount": _short("Secrets", lambda obj: len(obj.get("secrets") or ())),
    "Lease": _short("Holder", lambda obj: (obj.get("spec") or {}).get("holderIdentity", "")),
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
