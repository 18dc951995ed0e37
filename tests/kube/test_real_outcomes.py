"""Outcomes and waits of pods with init containers or beyond a quota, on a real cluster."""

from typing import Any

import pytest

from sparktest.domain import FailureClass, Run, RunReport, Status
from sparktest.errors import ForbiddenError
from sparktest.kube import outcome, wait_policy
from sparktest.kube.cluster import Cluster
from sparktest.kube.jobs import build_job
from sparktest.kube.pod_view import PodView, parse_pod
from sparktest.kube.resources import EVENTS, JOBS, PODS
from sparktest.kube.views import parse_event, parse_job
from sparktest.kube.wait_policy import Wait
from tests.e2e.program import until
from tests.kube.real_runs import a_run
from tests.real_cluster import dry_create, namespace_in

pytestmark = pytest.mark.e2e


def create(real: Cluster, run: Run, script: str, **init: Any) -> None:
    """Create the Job of the run with an init container that runs this script."""
    job = build_job(run)
    container = {"name": "migrate", "image": run.image, "command": ["sh", "-c", script], **init}
    job["spec"]["template"]["spec"]["initContainers"] = [container]
    real.create(JOBS, run.namespace, job)


def pods(real: Cluster, run: Run) -> list[PodView]:
    listing = real.list(PODS, run.namespace, label_selector=f"job-name={run.job_name}")
    return [parse_pod(pod) for pod in listing.items]


def ended(real: Cluster, run: Run) -> RunReport:
    """Wait for the end of the run."""

    def final() -> RunReport | None:
        job = parse_job(real.get(JOBS, run.namespace, run.job_name))
        report = outcome.compute_report(run, job, pods(real, run), run.created_at)
        return report if report.status.final else None

    return until("the run has ended", final)


def wait_of(real: Cluster, run: Run) -> Wait:
    """Wait until something blocks the run."""

    def waits() -> Wait | None:
        job = parse_job(real.get(JOBS, run.namespace, run.job_name))
        for pod in pods(real, run):
            return wait_policy.pod_wait(
                run, job, pod, run.created_at, since=run.created_at, image_pull_timeout_seconds=90
            )
        return None

    return until("the run waits", waits)


def test_a_failing_init_container_is_named_with_its_exit_code(
    real: Cluster, namespace: str
) -> None:
    run = a_run(namespace)
    create(real, run, "echo no such table > /dev/termination-log; exit 2")
    report = ended(real, run)
    assert report.failure is not None
    assert (report.failure.class_, report.failure.reason) == (FailureClass.CONFIG, "Init:Error")
    assert (report.failure.exit_code, report.failure.container) == (2, "migrate")
    assert report.failure.message == "init container migrate: exit code 2: no such table"
    assert report.started_at is None


def test_an_init_container_that_hangs_until_the_timeout_is_named(
    real: Cluster, namespace: str
) -> None:
    run = a_run(namespace, timeout_seconds=3)
    create(real, run, "exec sleep 300")
    report = ended(real, run)
    assert report.status is Status.TIMED_OUT
    assert report.failure is not None
    assert report.failure.message.endswith("init container migrate did not finish")


def test_a_crashing_sidecar_says_so_while_the_run_waits(real: Cluster, namespace: str) -> None:
    run = a_run(namespace)
    probe = {"exec": {"command": ["false"]}}
    create(real, run, "exit 7", restartPolicy="Always", startupProbe=probe)
    wait = wait_of(real, run)
    assert wait.reason == "Init:CrashLoopBackOff"
    assert wait.message == "init container migrate: exit code 7"
    real.delete(JOBS, namespace, run.job_name)


def test_an_image_of_an_init_container_that_cannot_be_pulled_says_so(
    real: Cluster, namespace: str
) -> None:
    run = a_run(namespace)
    create(real, run, "true", image="localhost:1/not/there:1")
    wait = wait_of(real, run)
    assert wait.reason == "Init:ImagePullBackOff"
    assert wait.message.startswith("init container migrate: ")
    real.delete(JOBS, namespace, run.job_name)


QUOTA = {"hard": {"limits.memory": "1Gi"}}
LIMIT_RANGE = {"limits": [{"type": "Container", "max": {"memory": "64Mi"}}]}


@pytest.mark.parametrize(
    ("plural", "spec", "resources", "message"),
    [
        ("resourcequotas", QUOTA, {}, "must specify limits.memory"),
        ("limitranges", LIMIT_RANGE, {"limits": {"memory": "1Gi"}}, "maximum memory usage"),
    ],
)
def test_a_pod_that_a_quota_or_limit_range_never_admits_is_a_configuration_error(
    real: Cluster, plural: str, spec: Any, resources: Any, message: str
) -> None:
    with namespace_in(real, "quota") as namespace:
        path = f"/api/v1/namespaces/{namespace}/{plural}"
        real._transport.call("POST", path, body={"metadata": {"name": "limits"}, "spec": spec})
        run = a_run(namespace, resources=resources)
        until("it takes effect", lambda: message in rejection(real, run))
        job = parse_job(real.create(JOBS, namespace, build_job(run)))
        selector = f"involvedObject.uid={job.uid}"

        def waits() -> Wait | None:
            found = real.list(EVENTS, namespace, field_selector=selector).items
            events = [parse_event(event) for event in found]
            return wait_policy.missing_pod_wait(run, job, events, run.created_at)

        failure = until("the pod is rejected", waits).expired(run.created_at)
        assert failure is not None
        assert (failure.class_, failure.reason) == (FailureClass.CONFIG, "FailedCreate")
        assert message in failure.message


def rejection(real: Cluster, run: Run) -> str:
    """Return why the API server rejects a pod of the run; empty if it does not."""
    template = build_job(run)["spec"]["template"]
    template["metadata"]["generateName"] = "pod-"
    try:
        dry_create(real, PODS, run.namespace, template)
    except ForbiddenError as error:
        return error.detail
    return ""
