from collections.abc import Callable

import pytest

from sparktest.cli.plugin.logs import PodLog
from sparktest.cli.plugin.place import Place
from sparktest.cli.plugin.testrun import TestRun
from sparktest.kube.cluster import JOBS
from tests.cli.conftest import Result
from tests.cli.plugin.conftest import World
from tests.e2e.program import until

Plugin = Callable[..., Result]


def test_the_log_of_the_pod_is_printed(world: World, plugin: Plugin) -> None:
    world.apply("mine")
    world.pod_ended(world.starts("mine", "echo one; echo two"))

    assert plugin("logs", "mine") == (0, "one\ntwo\n", "")
    assert plugin("logs", "mine", "--tail", "1") == (0, "two\n", "")


def test_a_follower_waits_for_the_start_and_reads_to_the_end(world: World, plugin: Plugin) -> None:
    world.apply("mine")

    def runs() -> None:
        world.pod_ended(world.starts("mine", "echo one; sleep 0.3; echo two"))
        world.says("mine", phase="Succeeded")

    world.soon(runs)

    result = plugin("logs", "-f", "mine")

    assert (result.code, result.out) == (0, "one\ntwo\n")


def test_a_follower_that_was_cut_goes_on_where_it_was(world: World) -> None:
    world.apply("mine")
    world.pod_ended(world.starts("mine", "echo one; echo two"))
    log = PodLog(Place(world.cluster, world.namespace), TestRun(world.testrun("mine")), None)

    assert b"".join(log.follow_log("", offset=5)) == b"wo\n"
    assert b"".join(log.follow_log("", offset=8)) == b""


@pytest.mark.parametrize("follow", [(), ("-f",)], ids=["", "follow"])
def test_when_the_pod_is_gone_it_says_where_the_stored_log_is(
    world: World, plugin: Plugin, follow: tuple[str, ...]
) -> None:
    world.apply("mine")
    run_id = world.starts("mine", "echo one")
    world.says("mine", phase="Succeeded")
    world.cluster.delete(JOBS, world.namespace, "testrun-mine")
    until("the pod is gone", lambda: world._phase(run_id) == "")

    result = plugin("logs", *follow, "mine")

    assert (result.code, result.out) == (3, "")
    assert result.err.endswith(f"the stored one: sparktest logs {run_id}\n")


def test_before_there_is_a_job_it_says_what_it_waits_for(world: World, plugin: Plugin) -> None:
    world.apply("mine")
    world.says("mine", phase="Pending", reason="BackendUnavailable", message="no API")

    result = plugin("logs", "mine")

    assert result.code == 3
    assert "mine pending: BackendUnavailable: no API" in result.err


def test_before_its_container_started_it_says_what_it_waits_for(
    world: World, plugin: Plugin
) -> None:
    world.apply("mine")
    world.says("mine", phase="Pending", runId="17", jobName="testrun-mine", reason="ErrImagePull")

    result = plugin("logs", "mine")

    assert (result.code, result.out) == (3, "")
    assert "no log yet: mine pending: ErrImagePull; with --follow" in result.err


def test_a_container_that_is_not_there_is_named(world: World, plugin: Plugin) -> None:
    world.apply("mine")
    world.pod_ended(world.starts("mine", "true"))
    world.says("mine", phase="Succeeded")

    result = plugin("logs", "mine", "-c", "nope")

    assert result.code == 3
    assert "container nope" in result.err


def test_following_what_never_started_ends_with_its_outcome(world: World, plugin: Plugin) -> None:
    def fails() -> None:
        while "mine" not in world.names():
            pass
        failure = {"class": "config", "reason": "DefinitionNotFound"}
        world.says("mine", phase="Failed", runId="17", failure=failure)

    world.soon(fails)

    result = plugin("run", "nope", "--name", "mine", "--follow")

    assert (result.code, result.out) == (3, "")
    assert "mine has no log in the cluster; the stored one: sparktest logs 17" in result.err
