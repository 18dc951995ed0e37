"""Cancelling and deleting runs with kubectl and over HTTP."""

import pytest

from sparktest.domain import FailureClass, Run, Status
from sparktest.errors import GoneError, NotFoundError
from sparktest.kube.resources import TESTRUNS
from tests.e2e.program import until
from tests.e2e.stack import Stack

pytestmark = pytest.mark.e2e
SLEEP = ["echo up; sleep 600"]


def started(stack: Stack, name: str) -> Run:
    """Wait until the test has printed its first line; return the run."""
    until("it runs", lambda: stack.testrun(name).get("status", {}).get("phase") == "Running")
    run = stack.run_of(name)
    until("its log has begun", lambda: stack.log_of(run) == "up\n")
    return run


def assert_cancelled(stack: Stack, run: Run) -> None:
    ended = stack.wait_until_final(run.id)
    assert ended.status is Status.CANCELLED
    assert ended.failure is not None
    assert ended.failure.class_ is FailureClass.CANCELLED
    assert stack.log_of(ended) == "up\n"


def test_a_cancel_with_kubectl_stops_the_test_and_keeps_its_log(stack: Stack) -> None:
    stack.apply("cancel-kubectl", commands=SLEEP)
    run = started(stack, "cancel-kubectl")

    stack.target.cancel(stack.namespace, "cancel-kubectl")

    assert_cancelled(stack, run)
    assert stack.wait_until_finished("cancel-kubectl")["status"]["phase"] == "Cancelled"


def test_a_cancel_over_http_stops_a_testrun(stack: Stack) -> None:
    stack.apply("cancel-http", commands=SLEEP)
    run = started(stack, "cancel-http")

    stack.client.cancel_run(run.id)

    assert_cancelled(stack, run)
    assert stack.wait_until_finished("cancel-http")["status"]["phase"] == "Cancelled"


def test_a_cancel_over_http_stops_an_api_run(stack: Stack) -> None:
    run = stack.client.create_run({"name": "c", "image": "busybox:1.35", "commands": SLEEP})
    until("its log has begun", lambda: stack.log_of(run) == "up\n")

    stack.client.cancel_run(run.id)

    assert_cancelled(stack, run)


def test_a_testrun_deleted_while_it_runs_leaves_a_cancelled_run_and_no_job(stack: Stack) -> None:
    stack.apply("deleted", commands=SLEEP)
    run = started(stack, "deleted")

    stack.target.delete(stack.namespace, "deleted")

    assert_cancelled(stack, run)
    until("its Job is gone", lambda: not stack.jobs_of(run))


def test_a_new_testrun_of_the_same_name_is_a_new_run_with_a_new_job(stack: Stack) -> None:
    first = stack.apply("again", commands=["echo first"])
    stack.wait_until_finished("again")
    stack.cluster.delete(TESTRUNS, stack.namespace, "again")
    until("it is gone", lambda: stack.is_deleted("again"))
    second = stack.apply("again", commands=["echo second"])
    stack.wait_until_finished("again")

    runs = [stack.run_of("again", made["metadata"]["uid"]) for made in (first, second)]

    assert [stack.log_of(run) for run in runs] == ["first\n", "second\n"]
    assert len({run.job_name for run in runs}) == 2
    assert len({run.job_uid for run in runs}) == 2


def test_a_deleted_run_is_not_found_again_and_its_testrun_is_kept(stack: Stack) -> None:
    stack.apply("forgotten", commands=["true"])
    stack.wait_until_finished("forgotten")
    run = stack.run_of("forgotten")

    left = stack.client.delete_run(run.id)

    assert left is not None
    assert left.startswith("kubectl delete testruns.sparktest.dev")
    with pytest.raises((NotFoundError, GoneError)):
        stack.client.get_run(run.id)
    assert stack.testrun("forgotten")["status"]["phase"] == "Succeeded"
