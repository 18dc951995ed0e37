"""Objects of runs as a cluster has them, with managed fields: TestRuns, Jobs, pods, API runs."""

import json
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

from sparktest.domain import K8sRef, Origin, Run, Status
from sparktest.kube.jobs import FINALIZER, build_job, job_name_of_testrun

Object = dict[str, Any]
NAMESPACE = "team-checkout"
AT = "2026-01-01T00:00:00Z"
SPEC: Object = {
    "image": "registry.example.com/team-checkout/e2e:1.42.0",
    "commands": ["npm ci", "npm test -- --reporter=dot --retries=0"],
    "env": {"BASE_URL": "https://checkout.staging.example.com", "LEVEL": "full"},
}


class Objects(NamedTuple):
    """The objects of one run; `run` is its document in the API."""

    testrun: Object
    job: Object
    pod: Object
    run: Object


def make_objects(number: int, *, finished: bool, version: int = 1) -> Objects:
    """Return the objects of a run that has succeeded or is running."""
    name = f"checkout-smoke-{number:07d}"
    uid = f"{number:08x}-1111-4111-8111-{number:012x}"
    run = Run(
        id=f"{number:08x}-0000-4000-8000-{number:012x}",
        name=name,
        status=Status.SUCCEEDED if finished else Status.RUNNING,
        origin=Origin.CRD,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        updated_at=datetime(2026, 1, 1, tzinfo=UTC),
        started_at=datetime(2026, 1, 1, tzinfo=UTC),
        image=SPEC["image"],
        commands=tuple(SPEC["commands"]),
        command=tuple(SPEC["commands"]),
        env=SPEC["env"],
        cluster="stub",
        namespace=NAMESPACE,
        k8s_ref=K8sRef(namespace=NAMESPACE, name=name, uid=uid),
        job_name=job_name_of_testrun(name, uid),
        job_uid=f"{number:08x}-2222-4222-8222-{number:012x}",
        job_created=True,
        labels={"team": "checkout", "branch": f"feature-{number % 50}"},
        version=4,
    )
    testrun = _testrun(run, finished, version)
    return Objects(
        testrun, _job(run, finished, version), _pod(run, finished, version), _document(run)
    )


def new_testrun(number: int) -> Objects:
    """Return a TestRun that was just applied, and the run that the API registers for it."""
    objects = make_objects(number, finished=False)
    del objects.testrun["status"], objects.testrun["metadata"]["finalizers"]
    objects.run.update(status="pending", jobCreated=False)
    del objects.run["jobUid"], objects.run["startedAt"]
    return objects


def _document(run: Run) -> Object:
    document: Object = msgspec.to_builtins(run)
    return document


def _testrun(run: Run, finished: bool, version: int) -> Object:
    assert run.k8s_ref is not None
    spec = {**SPEC, "timeoutSeconds": 3600}
    applied = {"apiVersion": "sparktest.dev/v1alpha1", "kind": "TestRun", "spec": spec}
    ended = {"finishedAt": AT, "duration": "12s"} if finished else {}
    status = {
        "phase": run.status.phase,
        "runId": run.id,
        "jobName": run.job_name,
        "observedGeneration": 1,
        "startedAt": AT,
        "conditions": [
            _condition("Registered", "Registered", f"run {run.id}"),
            _condition("Finished", run.status.phase, status="True" if finished else "False"),
            *([_condition("Succeeded", "Succeeded")] if finished else []),
        ],
        **ended,
    }
    metadata: Object = {
        "name": run.name,
        "namespace": NAMESPACE,
        "uid": run.k8s_ref.uid,
        "resourceVersion": str(version),
        "generation": 1,
        "creationTimestamp": AT,
        "labels": run.labels,
        "annotations": {
            "kubectl.kubernetes.io/last-applied-configuration": json.dumps(applied) + "\n"
        },
        "managedFields": _managed({"f:spec": spec, "f:status": status}),
    }
    if not finished:
        metadata["finalizers"] = [FINALIZER]
    return {**applied, "metadata": metadata, "status": status}


def _job(run: Run, finished: bool, version: int) -> Object:
    job = build_job(run)
    conditions = [
        _condition(kind, "CompletionsReached") for kind in ("SuccessCriteriaMet", "Complete")
    ]
    ended: Object = {"conditions": conditions, "succeeded": 1, "completionTime": AT, "ready": 0}
    job["status"] = {"startTime": AT, **(ended if finished else {"active": 1, "ready": 1})}
    job["metadata"] |= {
        "uid": run.job_uid,
        "resourceVersion": str(version),
        "creationTimestamp": AT,
        "generation": 1,
        "managedFields": _managed({"f:spec": job["spec"], "f:status": job["status"]}),
    }
    return job


def _pod(run: Run, finished: bool, version: int) -> Object:
    template = build_job(run)["spec"]["template"]
    name = f"{run.job_name}-x7k2p"
    state: Object = {"running": {"startedAt": AT}}
    if finished:
        ended: Object = {"exitCode": 0, "reason": "Completed", "startedAt": AT, "finishedAt": AT}
        state = {"terminated": {**ended, "containerID": f"containerd://{run.id}"}}
    status = {
        "phase": "Succeeded" if finished else "Running",
        "conditions": [
            _condition(kind, "")
            for kind in (
                "PodReadyToStartContainers",
                "Initialized",
                "Ready",
                "ContainersReady",
                "PodScheduled",
            )
        ],
        "containerStatuses": [
            {
                "name": "test",
                "state": state,
                "lastState": {},
                "ready": not finished,
                "restartCount": 0,
                "image": run.image,
                "imageID": f"{run.image}@sha256:{run.id.replace('-', '') * 2}",
                "containerID": f"containerd://{run.id}",
                "started": not finished,
            }
        ],
        "hostIP": "10.0.0.7",
        "podIP": "10.244.3.17",
        "podIPs": [{"ip": "10.244.3.17"}],
        "startTime": AT,
        "qosClass": "BestEffort",
    }
    metadata: Object = {
        **template["metadata"],
        "name": name,
        "generateName": f"{run.job_name}-",
        "namespace": NAMESPACE,
        "uid": f"{run.job_uid}"[:-1] + "f",
        "resourceVersion": str(version),
        "creationTimestamp": AT,
        "labels": {
            **template["metadata"]["labels"],
            "job-name": run.job_name,
            "batch.kubernetes.io/job-name": run.job_name,
            "controller-uid": run.job_uid,
        },
        "ownerReferences": [
            {
                "apiVersion": "batch/v1",
                "kind": "Job",
                "name": run.job_name,
                "uid": run.job_uid,
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ],
        "managedFields": _managed({"f:spec": template["spec"], "f:status": status}),
    }
    spec = {
        **template["spec"],
        "nodeName": f"node-{run.version % 7}",
        "serviceAccountName": "default",
        "schedulerName": "default-scheduler",
        "priority": 0,
        "tolerations": [
            {
                "key": f"node.kubernetes.io/{key}",
                "operator": "Exists",
                "effect": "NoExecute",
                "tolerationSeconds": 300,
            }
            for key in ("not-ready", "unreachable")
        ],
        "volumes": [
            {
                "name": "kube-api-access-x",
                "projected": {
                    "sources": [
                        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
                        {"configMap": {"name": "kube-root-ca.crt"}},
                    ]
                },
            }
        ],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": status}


def _condition(kind: str, reason: str, message: str = "", *, status: str = "True") -> Object:
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": AT,
    }


def _managed(parts: Object) -> list[Object]:
    """Return managed fields with every field of the parts."""
    return [
        {
            "manager": manager,
            "operation": "Update",
            "apiVersion": "v1",
            "time": AT,
            "fieldsType": "FieldsV1",
            "fieldsV1": {name: _fields(value)},
        }
        for manager, (name, value) in zip(
            ("kubectl", "kube-controller-manager"), parts.items(), strict=True
        )
    ]


def _fields(value: Any) -> Object:
    if isinstance(value, dict):
        return {f"f:{name}": _fields(each) for name, each in value.items()}
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return {f'k:{{"name":"{n}"}}': _fields(each) for n, each in enumerate(value)}
    return {}
