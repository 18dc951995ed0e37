"""A fake of Kubernetes' own controllers: Job controller, garbage collector, kubelet."""

from datetime import datetime
from typing import Any

from sparktest.kube.pod_view import parse_pod
from sparktest.kube.resources import EVENTS, JOBS, PODS
from sparktest.kube.views import parse_conditions, parse_job
from tests.controller.fake_cluster import FakeCluster

Object = dict[str, Any]
NAMESPACE = "tests"


class FakeKubernetes:
    """Advances Jobs and pods; a part of FakeEnvironment, which has `cluster` and `now`."""

    cluster: FakeCluster
    now: datetime

    def job_controller(self) -> None:
        """Sync all Jobs with their pods, and delete the objects whose owner is gone."""
        owners = {obj["metadata"]["uid"] for obj in self.cluster.objects.values()}
        for job in self.cluster.all(JOBS):
            owner = job["metadata"].get("ownerReferences", [{}])[0].get("uid")
            if owner is not None and owner not in owners:
                self.cluster.remove(JOBS, NAMESPACE, job["metadata"]["name"])
            else:
                self._sync(job)
        jobs = {job["metadata"]["uid"] for job in self.cluster.all(JOBS)}
        for pod in self.cluster.all(PODS):
            if pod["metadata"]["ownerReferences"][0]["uid"] not in jobs:
                self.cluster.remove(PODS, NAMESPACE, pod["metadata"]["name"])

    def _sync(self, job: Object) -> None:
        name = job["metadata"]["name"]
        pods = [pod for pod in self.cluster.all(PODS) if job_of(pod) == name]
        if parse_job(job).is_finished:
            return
        if job["spec"].get("suspend"):
            for pod in pods:
                if not parse_pod(pod).is_terminal:
                    self.cluster.remove(PODS, NAMESPACE, pod["metadata"]["name"])
            self._condition(job, "Suspended", "JobSuspended")
        elif pods and pods[0]["status"]["phase"] == "Succeeded":
            self._condition(job, "Complete", "CompletionsReached")
        elif pods and pods[0]["status"]["phase"] == "Failed":
            self._condition(job, "Failed", "BackoffLimitExceeded")
        elif not pods:
            self._without_pod(job)

    def _without_pod(self, job: Object) -> None:
        if job.get("status", {}).get("startTime"):
            # Its pod is gone: backoffLimit is 0.
            self._condition(job, "Failed", "BackoffLimitExceeded")
        elif PODS in self.cluster.create_errors:
            self._creation_failed(job, self.cluster.create_errors[PODS])
        else:
            job["status"] = {"startTime": _text(self.now)}
            self.cluster.put(PODS, pod_of(self.cluster.put(JOBS, job)))

    def _condition(self, job: Object, kind: str, reason: str) -> None:
        if kind in parse_conditions(job.get("status", {})):
            return
        found = {"type": kind, "status": "True", "reason": reason}
        found["lastTransitionTime"] = _text(self.now)
        conditions = job.get("status", {}).get("conditions", [])
        job["status"] = job.get("status", {}) | {"conditions": [*conditions, found]}
        self.cluster.put(JOBS, job)

    def _creation_failed(self, job: Object, error: Exception) -> None:
        uid = job["metadata"]["uid"]
        event = {
            "metadata": {"name": f"failed-create-{uid}", "namespace": NAMESPACE},
            "involvedObject": {"kind": "Job", "uid": uid},
            "reason": "FailedCreate",
            "message": str(error),
            "lastTimestamp": _text(self.now),
        }
        if (EVENTS, NAMESPACE, event["metadata"]["name"]) not in self.cluster.objects:  # type: ignore[index]
            self.cluster.put(EVENTS, event)

    # --- the kubelet -----------------------------------------------------------------------------

    def pods(self) -> list[Object]:
        return self.cluster.all(PODS)

    def schedule(self, pod: Object) -> None:
        """Give the pod a node."""
        pod["spec"]["nodeName"] = "node1"
        self.cluster.put(PODS, pod)

    def container(self, pod: Object, state: Object, phase: str, **status: Any) -> None:
        """Set the state of the test's container."""
        pod["spec"]["nodeName"] = "node1"
        pod["status"] |= {"phase": phase, **status}
        pod["status"]["containerStatuses"] = [{"name": "test", "state": state}]
        self.cluster.put(PODS, pod)

    def start_container(self, pod: Object) -> None:
        self.container(pod, {"running": {"startedAt": _text(self.now)}}, "Running")

    def end_container(self, pod: Object, code: int = 0, **status: Any) -> None:
        """End the container with this exit code, if it runs."""
        if parse_pod(pod).container.kind != "running":
            return
        (status_of_test,) = pod["status"]["containerStatuses"]
        ended = {
            "exitCode": code,
            "reason": "Completed" if code == 0 else "Error",
            "startedAt": status_of_test["state"]["running"]["startedAt"],
            "finishedAt": _text(self.now),
        }
        phase = "Succeeded" if code == 0 and not status else "Failed"
        self.container(pod, {"terminated": ended}, phase, **status)

    def enforce_deadlines(self) -> None:
        """End the pods whose deadline was set to one second, as a stop does."""
        for pod in self.pods():
            if pod["spec"]["activeDeadlineSeconds"] != 1 or parse_pod(pod).is_terminal:
                continue
            if parse_pod(pod).has_log:
                self.end_container(pod, 137, reason="DeadlineExceeded")
            else:
                lost = {"exitCode": 137, "reason": "ContainerStatusUnknown"}
                self.container(pod, {"terminated": lost}, "Failed", reason="DeadlineExceeded")


def pod_of(job: Object) -> Object:
    metadata, template = job["metadata"], job["spec"]["template"]
    return {
        "metadata": {
            "name": f"{metadata['name']}-x",
            "namespace": metadata["namespace"],
            "labels": template["metadata"]["labels"] | {"job-name": metadata["name"]},
            "ownerReferences": [{"uid": metadata["uid"], "controller": True}],
        },
        "spec": {
            name: template["spec"][name]
            for name in ("activeDeadlineSeconds", "initContainers", "containers")
            if name in template["spec"]
        },
        "status": {"phase": "Pending"},
    }


def job_of(pod: Object) -> str:
    return str(pod["metadata"]["labels"]["job-name"])


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
