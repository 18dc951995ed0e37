"""Objects as a Kubernetes cluster has them, for bench.stub_kubernetes."""

import copy
from datetime import UTC, datetime
from typing import Any

Object = dict[str, Any]
KINDS = {"testruns": "TestRun", "jobs": "Job", "pods": "Pod", "events": "Event"}
VERSIONS = {"testruns": "sparktest.dev/v1alpha1", "jobs": "batch/v1"}
GROUPS = {
    "sparktest.dev": ("v1alpha1", ["testruns"]),
    "batch": ("v1", ["jobs"]),
    "coordination.k8s.io": ("v1", ["leases"]),
}
VERBS = ["create", "delete", "get", "list", "patch", "update", "watch"]
# About as long as in a real cluster.
MANAGED_FIELDS: list[Object] = [
    {
        "manager": manager,
        "operation": "Update",
        "apiVersion": "batch/v1",
        "time": "2026-01-01T00:00:00Z",
        "fieldsType": "FieldsV1",
        "fieldsV1": {f"f:field{number}": {".": {}, "f:value": {}} for number in range(16)},
    }
    for manager in ("kube-controller-manager", "python")
]


def now() -> str:
    """Return the time as Kubernetes writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def resource_lists(parts: list[str]) -> Object | None:
    """Return the answer to a request of discovery, else None."""
    if parts == ["api"]:
        return {"kind": "APIVersions", "versions": ["v1"]}
    if parts == ["apis"]:
        groups = [
            {
                "name": group,
                "versions": [{"groupVersion": f"{group}/{version}", "version": version}],
                "preferredVersion": {"groupVersion": f"{group}/{version}", "version": version},
            }
            for group, (version, _) in GROUPS.items()
        ]
        return {"kind": "APIGroupList", "groups": groups}
    if parts == ["api", "v1"]:
        return _resources(["pods", "namespaces", "events"])
    if parts[0] == "apis" and len(parts) == 3 and parts[1] in GROUPS:
        return _resources(GROUPS[parts[1]][1])
    return None


def _resources(plurals: list[str]) -> Object:
    found = [
        {
            "name": name,
            "singularName": plural[:-1],
            "kind": KINDS.get(plural, plural[:-1].capitalize()),
            "namespaced": plural != "namespaces",
            "verbs": VERBS,
        }
        for plural in plurals
        for name in (plural, f"{plural}/status")
    ]
    return {"kind": "APIResourceList", "resources": found}


def list_of(kind: str, items: list[Object], version: int) -> Object:
    """Return a whole list."""
    api_version = VERSIONS.get(kind, "v1")
    return {
        "apiVersion": api_version,
        "kind": f"{KINDS.get(kind, 'Object')}List",
        "metadata": {"resourceVersion": str(version)},
        "items": items,
    }


def new_testrun(name: str) -> Object:
    """Return a TestRun to create."""
    return {
        "apiVersion": "sparktest.dev/v1alpha1",
        "kind": "TestRun",
        "metadata": {"name": name},
        "spec": {
            "image": "busybox:1.35",
            "commands": ["npm ci", "npm test"],
            "env": {"LEVEL": "full", "BASE_URL": "https://shop.example.org"},
        },
    }


def json_patch(old: Object, patch: list[Object]) -> Object:
    """Return the patched object.

    Raises:
        ValueError: a test of the patch failed.
    """
    obj = copy.deepcopy(old)
    for step in patch:
        *path, last = step["path"].strip("/").replace("~1", "/").split("/")
        target: Any = obj
        for part in path:
            target = target[int(part)] if isinstance(target, list) else target[part]
        _apply(target, last, step)
    return obj


def _apply(target: Any, last: str, step: Object) -> None:
    at: Any = last
    if isinstance(target, list):
        at = len(target) if last == "-" else int(last)
    if step["op"] == "remove":
        del target[at]
    elif step["op"] == "test":
        found = target[at] if isinstance(target, list) and at < len(target) else None
        found = target.get(at) if isinstance(target, dict) else found
        if found != step["value"]:
            raise ValueError(step["path"])
    elif isinstance(target, list) and step["op"] == "add":
        target.insert(at, step["value"])
    else:
        target[at] = step["value"]


def job_status(state: str) -> Object:
    """Return what the Job controller changes in a Job's status."""
    at = now()
    complete = {"status": "True", "lastTransitionTime": at, "reason": "CompletionsReached"}
    criteria = {**complete, "type": "SuccessCriteriaMet"}
    changes: dict[str, Object] = {
        "started": {"startTime": at, "active": 1, "ready": 0, "terminating": 0},
        "ready": {"ready": 1},
        "uncounted": {"active": 0, "ready": 0, "uncountedTerminatedPods": {"succeeded": ["x"]}},
        "criteria": {"succeeded": 1, "uncountedTerminatedPods": {}, "conditions": [criteria]},
        "complete": {
            "completionTime": at,
            "conditions": [criteria, {**complete, "type": "Complete"}],
        },
    }
    return changes[state]


def new_pod(job: Object) -> Object:
    """Return the pod of a Job, as the Job controller creates it."""
    metadata, template = job["metadata"], job["spec"]["template"]
    labels = {**template["metadata"]["labels"], "job-name": metadata["name"]}
    owner = {"apiVersion": "batch/v1", "kind": "Job", "controller": True}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            **template["metadata"],
            "name": f"{metadata['name']}-x7k2p",
            "labels": {**labels, "batch.kubernetes.io/job-name": metadata["name"]},
            "finalizers": ["batch.kubernetes.io/job-tracking"],
            "ownerReferences": [{**owner, "name": metadata["name"], "uid": metadata["uid"]}],
        },
        "spec": template["spec"],
        "status": {"phase": "Pending"},
    }


def pod_status(pod: Object, state: str) -> Object:
    """Return what scheduler and kubelet change in a pod."""
    at = now()
    if state == "scheduled":
        status = {"phase": "Pending", "conditions": _conditions("PodScheduled")}
        return {"spec": {**pod["spec"], "nodeName": "node-1"}, "status": status}
    if state == "succeeded":
        return {"status": {**pod["status"], "phase": "Succeeded"}}
    conditions = ["PodScheduled", "Initialized"]
    container: Object = {"waiting": {"reason": "ContainerCreating"}}
    if state == "running":
        conditions += ["ContainersReady", "Ready"]
        container = {"running": {"startedAt": at}}
    elif state == "terminated":
        running = pod["status"]["containerStatuses"][0]["state"]["running"]
        container = {
            "terminated": {"exitCode": 0, "reason": "Completed", **running, "finishedAt": at}
        }
    test = {
        "name": pod["spec"]["containers"][0]["name"],
        "image": "busybox:1.35",
        "imageID": f"sha256:{'0' * 64}",
        "ready": state == "running",
        "restartCount": 0,
        "state": container,
        "lastState": {},
    }
    status = {
        "phase": "Pending" if state == "creating" else "Running",
        "conditions": _conditions(*conditions),
        "hostIP": "10.0.0.1",
        "qosClass": "BestEffort",
        "startTime": at,
        "containerStatuses": [test],
    }
    return {"status": status}


def _conditions(*kinds: str) -> list[Object]:
    at = now()
    return [
        {"type": kind, "status": "True", "lastProbeTime": None, "lastTransitionTime": at}
        for kind in kinds
    ]
