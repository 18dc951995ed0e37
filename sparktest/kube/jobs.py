"""Build the Job of a run; encode and decode why a Job is stopped. Pure."""

import hashlib
import re
from typing import Any

import msgspec

from sparktest.domain import Failure, FailureClass, Origin, Run
from sparktest.errors import InvalidError
from sparktest.kube.fields import items, mapping
from sparktest.kube.git import add_clone
from sparktest.kube.pod_template import (
    AMBIGUOUS_CONTAINER,
    DEFAULT_CONTAINER,
    merge_templates,
    test_container,
)
from sparktest.kube.script import escape_dollars, shell_command
from sparktest.settings import GIT_IMAGE

MAX_NAME = 63
RUN_ID = "sparktest.dev/run-id"
STOP = "sparktest.dev/stop"
FINALIZER = "sparktest.dev/testrun-finalizer"
# A shell as PID 1 ignores TERM, so stopping such a container takes this long.
GRACE_SECONDS = 10
# A Job past its deadline deletes its pod and the log, so its deadline is only a backstop for the
# pod's. It counts from the creation of the Job, and the pod may wait for a node until its timeout.
BACKSTOP_SECONDS = 120
MAX_SECONDS = 2**31 - 1
LABELS = {"app": "sparktest", "component": "test-runner", "managed-by": "sparktest-controller"}
SELECTOR = ",".join(f"{key}={value}" for key, value in LABELS.items())


def job_name_of_testrun(name: str, uid: str) -> str:
    """Return the Job name of a TestRun: `testrun-<name>-<8 characters of the uid>`, at most 63.

    A name that had to be shortened or changed gets a hash of the whole name, so that similar names
    stay distinct.
    """
    tail = re.sub(r"[^a-z0-9]", "", uid.lower())[:8] or "0"
    safe = re.sub(r"[^a-z0-9-]+", "-", name.lower()).strip("-")
    max_length = MAX_NAME - len("testrun-") - len(tail) - 1
    if safe != name or len(safe) > max_length:
        digest = hashlib.sha256(name.encode()).hexdigest()[:6]
        safe = f"{safe[: max_length - 7].rstrip('-')}-{digest}".lstrip("-")
    return f"testrun-{safe}-{tail}"


def job_name_of_api_run(run_id: str) -> str:
    """Return the Job name of an API run: `test-run-<run id>`."""
    return f"test-run-{run_id}"


def build_job(run: Run, *, git_image: str = GIT_IMAGE) -> dict[str, Any]:
    """Return the manifest of the run's Job; the same run always gives the same manifest.

    It has no TTL: a finished Job must stay until its log is stored, and then the controller
    patches the TTL. A TestRun owns its Job.

    Args:
        run: the run as stored in the API.
        git_image: the image of the init container that clones the run's git repository.

    Raises:
        InvalidError: the template does not tell which of its containers runs the test, or the git
            repository cannot be cloned.
    """
    metadata: dict[str, Any] = {
        "name": run.job_name,
        "namespace": run.namespace,
        "labels": {**LABELS, RUN_ID: run.id},
        "annotations": {RUN_ID: run.id},
    }
    if run.origin is Origin.CRD and run.k8s_ref and run.k8s_ref.uid:
        metadata["ownerReferences"] = [
            {
                "apiVersion": "sparktest.dev/v1alpha1",
                "kind": "TestRun",
                "name": run.k8s_ref.name,
                "uid": run.k8s_ref.uid,
                "controller": True,
                # True would need permission to update the TestRun's finalizers.
                "blockOwnerDeletion": False,
            }
        ]
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata,
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": min(
                2 * run.timeout_seconds + GRACE_SECONDS + BACKSTOP_SECONDS, MAX_SECONDS
            ),
            "template": _template(run, git_image),
        },
    }


def _template(run: Run, git_image: str) -> dict[str, Any]:
    """Return the run's template with the short fields, the defaults, and what SparkTest sets."""
    test = test_container(run.template)
    if test is None:
        raise InvalidError(AMBIGUOUS_CONTAINER)
    test = _container(run, test)
    metadata, spec = mapping(run.template, "metadata"), mapping(run.template, "spec")
    containers = [
        test if each.get("name") == test["name"] else each for each in items(spec, "containers")
    ]
    pod = {**spec, "containers": containers or [test]}
    if run.git:
        pod = add_clone(pod, run.git, test=test["name"], image=git_image)
    return {
        "metadata": {
            "labels": {**mapping(metadata, "labels"), **LABELS, RUN_ID: run.id},
            "annotations": {
                DEFAULT_CONTAINER: test["name"],
                **mapping(metadata, "annotations"),
                RUN_ID: run.id,
            },
        },
        "spec": _pod(run, pod),
    }


def _pod(run: Run, pod: dict[str, Any]) -> dict[str, Any]:
    if run.service_account_name:
        pod = {**pod, "serviceAccountName": run.service_account_name}
    if run.image_pull_secrets:
        pod = merge_templates(pod, {"imagePullSecrets": list(run.image_pull_secrets)})
    account = pod.get("serviceAccountName") or pod.get("serviceAccount")
    defaults: dict[str, Any] = {
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
        "automountServiceAccountToken": bool(account),
    }
    pod = merge_templates(defaults, pod)
    for kind in ("initContainers", "containers"):
        if kind in pod:
            pod[kind] = [_without_escalation(each) for each in pod[kind]]
    return {**pod, "restartPolicy": "Never", "activeDeadlineSeconds": run.timeout_seconds}


def _without_escalation(container: dict[str, Any]) -> dict[str, Any]:
    security = mapping(container, "securityContext")
    if security.get("privileged"):
        # Kubernetes allows it only with privilege escalation.
        return container
    return {**container, "securityContext": {"allowPrivilegeEscalation": False, **security}}


def _container(run: Run, container: dict[str, Any]) -> dict[str, Any]:
    """Return the test container with the short fields of the run, which take precedence."""
    if run.commands or run.entrypoint:
        # The args belong to the command that is replaced.
        container = {name: value for name, value in container.items() if name != "args"}
    given = {
        "image": run.image,
        "command": _command(run),
        "args": list(run.args),
        "env": [{"name": name, "value": escape_dollars(value)} for name, value in run.env.items()],
        # Of two sources with the same variable, Kubernetes uses the later one.
        "envFrom": [*container.get("envFrom", ()), *run.env_from] if run.env_from else [],
        "resources": run.resources,
    }
    return merge_templates(container, {name: value for name, value in given.items() if value})


def _command(run: Run) -> list[str]:
    if run.commands:
        return [escape_dollars(part) for part in shell_command(run.commands)]
    return list(run.entrypoint)


def encode_stop_reason(failure: Failure) -> str:
    """Return the value of the annotation `sparktest.dev/stop`."""
    return msgspec.json.encode(failure).decode()


def decode_stop_reason(value: Any) -> Failure | None:
    """Return the failure in the annotation's value; None for None.

    An unreadable value counts as a cancel, since someone wanted the Job to end.
    """
    if value is None:
        return None
    try:
        return msgspec.json.decode(str(value), type=Failure)
    except msgspec.MsgspecError:
        return Failure(FailureClass.CANCELLED, "Cancelled", str(value))
