"""The Jobs that are built, on a real cluster: accepted as they are, and literal to the letter."""

import threading
import time
import uuid
from contextlib import closing
from typing import Any

import pytest

from sparktest.domain import K8sRef, Origin, Run
from sparktest.errors import InvalidError, MalformedError
from sparktest.kube.cluster import Cluster
from sparktest.kube.jobs import RUN_ID, build_job, job_name_of_testrun
from sparktest.kube.resources import JOBS, PODS, TESTRUNS
from tests.e2e.program import until
from tests.kube.pod_specs import lost
from tests.kube.real_runs import a_run, exists, named
from tests.kube.valid_specs import named_specs
from tests.real_cluster import dry_create

pytestmark = pytest.mark.e2e
LONG = "n" * 236 + ".1.2"

VARIETY: list[dict[str, Any]] = [
    {},
    {"commands": ("echo a",)},
    {"commands": ("echo a # b", "x" * 10_000, "ünï\ncode")},
    {"entrypoint": ("sh", "-c"), "args": ("echo $(A)",)},
    {"args": ("-v",)},
    {"env": {"A": "$(B) $$", "_b": " ", "LONG": "v" * 30_000}},
    {"env_from": ({"secretRef": {"name": "s", "optional": True}}, {"configMapRef": {"name": "c"}})},
    {"resources": {"requests": {"cpu": "50m"}, "limits": {"memory": "64Mi", "cpu": 1}}},
    {"service_account_name": "default", "image_pull_secrets": ({"name": "pull"},)},
    {"timeout_seconds": 1},
    {"timeout_seconds": 2**31 - 1},
    {
        "origin": Origin.CRD,
        "k8s_ref": K8sRef(namespace="x", name=LONG, uid=str(uuid.uuid4())),
        "job_name": job_name_of_testrun(LONG, str(uuid.uuid4())),
    },
]


@pytest.mark.parametrize("fields", VARIETY)
def test_the_api_server_takes_the_manifest_of_any_run_as_it_is(
    real: Cluster, namespace: str, fields: dict[str, Any]
) -> None:
    manifest = build_job(a_run(namespace, **fields))
    made = dry_create(real, JOBS, namespace, manifest)
    pod, wanted = made["spec"]["template"]["spec"], manifest["spec"]["template"]["spec"]
    for field in ("activeDeadlineSeconds", "automountServiceAccountToken", "securityContext"):
        assert pod[field] == wanted[field]
    for field in ("command", "args", "env", "envFrom", "image"):
        assert pod["containers"][0].get(field) == wanted["containers"][0].get(field)
    assert made["metadata"].get("ownerReferences") == manifest["metadata"].get("ownerReferences")


# The API server ignores a volume of kind image unless a feature gate is on.
@pytest.mark.parametrize("name", sorted(named_specs().keys() - {"volume-image"}))
def test_the_api_server_takes_any_template_and_keeps_every_field(
    real: Cluster, namespace: str, name: str
) -> None:
    if int(real._transport.call("GET", "/version")["minor"].rstrip("+")) < 34:
        pytest.skip("the specs have fields that came with Kubernetes 1.34")
    spec = named_specs()[name]
    manifest = build_job(a_run(namespace, image="", template={"spec": spec}))
    made = dry_create(real, JOBS, namespace, manifest)
    assert list(lost(spec, made["spec"]["template"]["spec"])) == []


def test_a_field_of_resources_that_kubernetes_does_not_know_is_refused(
    real: Cluster, namespace: str
) -> None:
    run = a_run(namespace, resources={"limit": {"memory": "1Gi"}})
    with pytest.raises(InvalidError, match=r"unknown field .*limit"):
        real.create(JOBS, namespace, build_job(run))


def log_of(real: Cluster, run: Run) -> str:
    """Create the run's Job and answer its log, whole."""
    real.create(JOBS, run.namespace, build_job(run))

    def pod() -> str:
        listing = real.list(PODS, run.namespace, label_selector=f"{RUN_ID}={run.id}")
        for item in listing.items:
            statuses = item["status"].get("containerStatuses") or [{"state": {}}]
            if {"running", "terminated"} & statuses[0]["state"].keys():
                return str(item["metadata"]["name"])
        return ""

    name = until("the container has started", pod)
    with real.pod_log(run.namespace, name, "test", follow=True) as log:
        return b"".join(log).decode()


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            {
                "commands": (
                    'test $$ = 1 && echo "I am $$" # a comment $(X)',
                    "test $(hostname) = $HOSTNAME && echo same # and another",
                    "echo '$(A) $$(A) $$$ $' \"$A\"",
                ),
                "env": {"A": "$(B) $$ $(HOSTNAME) $ ünï"},
            },
            "$(A) $$(A) $$$ $ $(B) $$ $(HOSTNAME) $ ünï\n",
        ),
        ({"commands": ('echo "日本 $A"',), "env": {"A": "two\nlines"}}, "日本 two\nlines\n"),
        ({"entrypoint": ("echo", "$(A)"), "args": ("b c",), "env": {"A": "a"}}, "a b c\n"),
        ({"commands": ("cat <<E\n$(echo in)\nE", "exit 0", "echo never")}, "in\n"),
    ],
)
def test_what_a_run_says_reaches_the_container_as_it_was_written(
    real: Cluster, namespace: str, fields: dict[str, Any], expected: str
) -> None:
    log = log_of(real, a_run(namespace, **fields))
    assert log.endswith(expected), log


def test_the_job_of_a_testrun_with_a_name_of_240_characters_runs(
    real: Cluster, namespace: str
) -> None:
    uid = real.create(TESTRUNS, namespace, named(LONG))["metadata"]["uid"]
    run = a_run(
        namespace,
        origin=Origin.CRD,
        commands=("hostname",),
        k8s_ref=K8sRef(namespace=namespace, name=LONG, uid=uid),
        job_name=job_name_of_testrun(LONG, uid),
    )
    assert log_of(real, run).startswith(run.job_name[:50])
    real.delete(TESTRUNS, namespace, LONG)
    until(
        "the Job goes with its owner", lambda: not exists(real, JOBS.path(namespace, run.job_name))
    )


def test_a_container_that_waits_has_no_log_yet(real: Cluster, namespace: str) -> None:
    run = a_run(namespace, image="registry.invalid/none:1")
    real.create(JOBS, namespace, build_job(run))
    selector = f"{RUN_ID}={run.id}"

    def pulling() -> str:
        # Before that the kubelet may not know the pod, and says 404.
        for pod in real.list(PODS, namespace, label_selector=selector).items:
            if pod["status"].get("containerStatuses"):
                return str(pod["metadata"]["name"])
        return ""

    pod = until("the kubelet tries to pull", pulling)
    with pytest.raises(MalformedError):
        real.pod_log(namespace, pod, "test")


def test_a_follower_of_a_silent_log_can_be_ended(real: Cluster, namespace: str) -> None:
    run = a_run(namespace, commands=("echo here", "sleep 100"))
    real.create(JOBS, namespace, build_job(run))
    selector = f"{RUN_ID}={run.id}"

    def running() -> str:
        for pod in real.list(PODS, namespace, label_selector=selector).items:
            if pod["status"]["phase"] == "Running":
                return str(pod["metadata"]["name"])
        return ""

    with real.pod_log(namespace, until("it runs", running), "test", follow=True) as log:
        assert next(log) == b"here\n"
        with closing(log):
            closer = threading.Timer(0.2, log.close)
            closer.start()
            began = time.monotonic()
            assert list(log) == []
            assert time.monotonic() - began < 10
            closer.join()
    real.delete(JOBS, namespace, run.job_name)
