from collections.abc import Callable
from typing import Any

import pytest

from sparktest.cli.plugin.context import KubeContext
from sparktest.cli.plugin.logs import PodLog
from sparktest.cli.plugin.testrun import parse_testrun
from sparktest.kube.resources import JOBS
from tests.cli.conftest import Result
from tests.cli.plugin.conftest import Sandbox
from tests.e2e.program import until

Plugin = Callable[..., Result]
Complete = Callable[..., tuple[list[str], str]]


def test_the_log_of_the_pod_is_printed(sandbox: Sandbox, plugin: Plugin) -> None:
    sandbox.apply("mine")
    sandbox.wait_for_pod(sandbox.start_pod("mine", "echo one; echo two"))

    assert plugin("logs", "mine") == (0, "one\ntwo\n", "")
    assert plugin("logs", "mine", "--tail", "1") == (0, "two\n", "")


def test_following_waits_for_the_start_and_reads_to_the_end(
    sandbox: Sandbox, plugin: Plugin
) -> None:
    sandbox.apply("mine")

    def runs() -> None:
        sandbox.wait_for_pod(sandbox.start_pod("mine", "echo one; sleep 0.3; echo two"))
        sandbox.set_status("mine", phase="Succeeded")

    sandbox.in_background(runs)

    result = plugin("logs", "-f", "mine")

    assert (result.code, result.out) == (0, "one\ntwo\n")


def test_a_follower_resumes_at_a_byte_offset(sandbox: Sandbox) -> None:
    sandbox.apply("mine")
    sandbox.wait_for_pod(sandbox.start_pod("mine", "echo one; echo two"))
    log = PodLog(
        KubeContext(sandbox.cluster, sandbox.namespace),
        parse_testrun(sandbox.testrun("mine")),
        None,
    )

    assert b"".join(log.follow(5)) == b"wo\n"
    assert b"".join(log.follow(8)) == b""


@pytest.mark.parametrize("follow", [(), ("-f",)], ids=["", "follow"])
def test_without_a_pod_the_stored_log_is_named(
    sandbox: Sandbox, plugin: Plugin, follow: tuple[str, ...]
) -> None:
    sandbox.apply("mine")
    run_id = sandbox.start_pod("mine", "echo one")
    sandbox.set_status("mine", phase="Succeeded")
    sandbox.cluster.delete(JOBS, sandbox.namespace, "testrun-mine")
    until("the pod is gone", lambda: sandbox._phase(run_id) == "")

    result = plugin("logs", *follow, "mine")

    assert (result.code, result.out) == (3, "")
    assert result.err.endswith(f"the stored one: sparktest logs {run_id}\n")


def test_without_a_job_the_error_says_what_the_testrun_waits_for(
    sandbox: Sandbox, plugin: Plugin
) -> None:
    sandbox.apply("mine")
    sandbox.set_status("mine", phase="Pending", reason="BackendUnavailable", message="no API")

    result = plugin("logs", "mine")

    assert result.code == 3
    assert "mine pending: BackendUnavailable: no API" in result.err


def test_before_the_container_starts_the_error_says_what_it_waits_for(
    sandbox: Sandbox, plugin: Plugin
) -> None:
    sandbox.apply("mine")
    sandbox.set_status(
        "mine", phase="Pending", runId="17", jobName="testrun-mine", reason="ErrImagePull"
    )

    result = plugin("logs", "mine")

    assert (result.code, result.out) == (3, "")
    assert "no log yet: mine pending: ErrImagePull; --follow waits for it" in result.err


def test_without_a_job_a_failed_testrun_has_no_log(sandbox: Sandbox, plugin: Plugin) -> None:
    sandbox.apply("mine")
    failure = {"class": "config", "reason": "DefinitionNotFound"}
    sandbox.set_status("mine", phase="Failed", failure=failure)

    result = plugin("logs", "mine")

    assert (result.code, result.out) == (3, "")
    assert result.err == "sparktest: no pod of mine has a log of the test\n"


def template(setup: str) -> dict[str, Any]:
    init = {"name": "fixtures", "image": "busybox", "command": ["sh", "-c", setup]}
    unit = {"name": "unit", "image": "busybox", "command": ["echo", "tested"]}
    return {"spec": {"initContainers": [init], "containers": [unit]}}


def test_the_log_of_each_container_can_be_chosen(
    sandbox: Sandbox, plugin: Plugin, complete: Complete
) -> None:
    sandbox.apply("mine")
    sandbox.wait_for_pod(sandbox.start_pod("mine", template=template("echo prepared")))

    assert plugin("logs", "mine").out == "tested\n"
    assert plugin("logs", "mine", "-c", "unit").out == "tested\n"
    assert plugin("logs", "mine", "-c", "fixtures").out == "prepared\n"
    assert complete("logs", "mine", "-c", "") == (["unit", "fixtures"], ":4")


@pytest.mark.parametrize("follow", [(), ("-f",)], ids=["", "follow"])
def test_an_unknown_container_lists_those_of_the_run(
    sandbox: Sandbox, plugin: Plugin, follow: tuple[str, ...]
) -> None:
    sandbox.apply("mine")
    sandbox.wait_for_pod(sandbox.start_pod("mine", template=template("true")))

    result = plugin("logs", *follow, "mine", "-c", "test")

    assert (result.code, result.out) == (2, "")
    assert "mine has no container 'test'; its containers are: unit, fixtures" in result.err


def test_an_init_container_is_followed_while_the_testrun_is_pending(
    sandbox: Sandbox, plugin: Plugin
) -> None:
    sandbox.apply("mine")
    sandbox.create_job("mine", template=template("echo one; sleep 0.3; echo two; exit 1"))

    result = plugin("logs", "-f", "mine", "-c", "fixtures")

    assert (result.code, result.out) == (0, "one\ntwo\n")


def test_following_a_testrun_that_never_starts_ends_with_its_outcome(
    sandbox: Sandbox, plugin: Plugin
) -> None:
    def fails() -> None:
        while "mine" not in sandbox.names():
            pass
        failure = {"class": "config", "reason": "DefinitionNotFound"}
        sandbox.set_status("mine", phase="Failed", runId="17", failure=failure)

    sandbox.in_background(fails)

    result = plugin("run", "nope", "--name", "mine", "--follow")

    assert (result.code, result.out) == (3, "")
    assert "mine has no log in the cluster; the stored one: sparktest logs 17" in result.err


@pytest.mark.parametrize("follow", [(), ("-f",)], ids=["", "follow"])
def test_where_the_test_never_started_the_log_of_what_failed_is_named(
    sandbox: Sandbox, plugin: Plugin, follow: tuple[str, ...]
) -> None:
    sandbox.apply("mine")
    run_id = sandbox.create_job("mine", template=template("echo no database; exit 1"))
    sandbox.wait_for_pod(run_id)
    failure = {"class": "config", "reason": "Init:Error", "container": "fixtures"}
    sandbox.set_status("mine", phase="Failed", runId=run_id, failure=failure)

    result = plugin("logs", *follow, "mine")

    command = f"kubectl sparktest logs -c fixtures mine -n {sandbox.namespace}"
    assert (result.code, result.out) == (3, "")
    assert f"it never started; see: {command}" in result.err
    assert plugin("logs", "mine", "-c", "fixtures").out == "no database\n"
    described = plugin("describe", "mine").out
    assert f"Log          {command}" in described
    assert f"Stored log   sparktest logs -c fixtures {run_id}\n" in described


def test_without_a_pod_the_stored_log_of_the_chosen_container_is_named(
    sandbox: Sandbox, plugin: Plugin
) -> None:
    sandbox.apply("mine")
    sandbox.set_status("mine", phase="Failed", runId="17")

    assert "sparktest logs -c fixtures 17\n" in plugin("logs", "mine", "-c", "fixtures").err
