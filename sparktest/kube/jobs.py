"""Build the Job of a run; encode and decode why a Job is stopped. Pure."""

import hashlib
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from sparktest.domain import Failure, FailureClass, Origin, Run
from sparktest.kube.fields import integer, items, mapping
from sparktest.kube.git import CONTAINER as GIT_CONTAINER
from sparktest.kube.git import add_clone
from sparktest.kube.pod_defaults import with_defaults
from sparktest.kube.pod_template import (
    DEFAULT_CONTAINER,
    container_names,
    merge_templates,
    test_container,
)
from sparktest.kube.script import escape_dollars, shell_command
from sparktest.kube.template_checks import checked_template
from sparktest.settings import GIT_IMAGE

MAX_NAME = 63
RUN_ID = "sparktest.dev/run-id"
STOP = "sparktest.dev/stop"
FINALIZER = "sparktest.dev/testrun-finalizer"
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


def run_containers(template: Mapping[str, Any], git: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the containers of a run with these fields, its test container first."""
    test, *others = container_names(template)
    return (test, GIT_CONTAINER, *others) if git else (test, *others)


def build_job(run: Run, *, restricted: bool = False, git_image: str = GIT_IMAGE) -> dict[str, Any]:
    """Return the manifest of the run's Job; the same run always gives the same manifest.

    It has no TTL: a finished Job must stay until its log is stored, and then the controller
    patches the TTL. A TestRun owns its Job.

    Args:
        run: the run as stored in the API.
        restricted: where the template is silent, the pod conforms to Pod Security `restricted`.
        git_image: the image of the init container that clones the run's git repository.

    Raises:
        InvalidError: template or git repository cannot be used; the message names the fields.
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
    template = _template(run, restricted=restricted, git_image=git_image)
    grace = integer(template["spec"], "terminationGracePeriodSeconds") or 0
    backstop = 2 * run.timeout_seconds + max(grace, 0) + BACKSTOP_SECONDS
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata,
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": min(backstop, MAX_SECONDS),
            "template": template,
        },
    }


def _template(run: Run, *, restricted: bool, git_image: str) -> dict[str, Any]:
    """Return the run's template with the short fields, the defaults, and what SparkTest sets."""
    template = checked_template(run.template)
    metadata, spec = mapping(template, "metadata"), mapping(template, "spec")
    found = test_container(template) or {}
    test = _container(run, found)
    containers = [test if each is found else each for each in items(spec, "containers")]
    pod = _pod(run, {**spec, "containers": containers or [test]})
    if run.git:
        pod = add_clone(pod, run.git, test=test, image=git_image)
    pod = with_defaults(pod, restricted=restricted)
    return {
        "metadata": {
            "labels": {**mapping(metadata, "labels"), **LABELS, RUN_ID: run.id},
            "annotations": {
                **mapping(metadata, "annotations"),
                # Tells the test's container from those that a webhook adds to the pod.
                DEFAULT_CONTAINER: test["name"],
                RUN_ID: run.id,
            },
        },
        "spec": {**pod, "restartPolicy": "Never", "activeDeadlineSeconds": run.timeout_seconds},
    }


def _pod(run: Run, pod: dict[str, Any]) -> dict[str, Any]:
    """Return the pod with the short fields of the run, which take precedence."""
    if run.service_account_name:
        pod = {**pod, "serviceAccountName": run.service_account_name}
    if run.image_pull_secrets:
        pod = merge_templates(pod, {"imagePullSecrets": list(run.image_pull_secrets)})
    return pod


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
