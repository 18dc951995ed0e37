"""Outcomes and waits of pods with init containers, on a real cluster."""

from typing import Any

import pytest

from sparktest.domain import FailureClass, Run, RunReport, Status
from sparktest.kube import outcome, wait_policy
from sparktest.kube.cluster import Cluster
from sparktest.kube.jobs import build_job
from sparktest.kube.resources import JOBS, PODS
from sparktest.kube.views import PodView, parse_job, parse_pod
from sparktest.kube.wait_policy import Wait
from tests.e2e.program import until
from tests.kube.real_runs import a_run

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
        report = outcome.observe(run, job, pods(real, run), run.created_at)
        return report if report.status.final else None

    return until("the run has ended", final)


def wait_of(real: Cluster, run: Run) -> Wait:
    """Wait until something blocks the run."""

    def waits() -> Wait | None:
        job = parse_job(real.get(JOBS, run.namespace, run.job_name))
        for pod in pods(real, run):
            return wait_policy.pod_wait(
                run, job, pod, since=run.created_at, image_pull_timeout_seconds=90
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
    assert report.failure.exit_code == 2
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
    assert wait.message == "init container migrate: last exit code 7"
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
