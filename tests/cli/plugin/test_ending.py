from collections.abc import Callable

import pytest

from sparktest.cli.plugin import ending
from sparktest.kube.cluster import TESTRUNS
from tests.cli.conftest import Result
from tests.cli.plugin.conftest import World

Plugin = Callable[..., Result]


def test_waiting_for_several_ends_when_all_have(world: World, plugin: Plugin) -> None:
    for name in ("one", "two"):
        world.apply(name)
    world.says("one", phase="Succeeded", duration="3s")
    failure = {"class": "timeout", "reason": "DeadlineExceeded"}
    world.soon(
        lambda: world.says("two", phase="Running"),
        lambda: world.says("two", phase="TimedOut", failure=failure),
    )

    result = plugin("wait", "one", "testrun.sparktest.dev/two")

    assert result.code == 4
    lines = result.err.splitlines()
    assert lines[0] == "sparktest: one succeeded in 3s"
    assert lines[-1] == "sparktest: two timed out: timeout, DeadlineExceeded"


def test_a_testrun_that_is_deleted_or_replaced_meanwhile_is_no_success(
    world: World, plugin: Plugin, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.apply("mine")

    def replaced() -> None:
        world.cluster.delete(TESTRUNS, world.namespace, "mine")
        world.apply("mine")
        world.says("mine", phase="Succeeded")

    monkeypatch.setattr(ending, "pause", replaced)
    result = plugin("wait", "mine")

    assert result.code == 3
    assert result.err.endswith("sparktest: mine was deleted before it had ended\n")


def test_where_no_controller_looks_waiting_says_so(
    world: World, plugin: Plugin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ending, "UNSEEN_SECONDS", -1.0)
    world.apply("mine")

    def cancelled() -> None:
        world.says("mine", phase="Cancelled")

    monkeypatch.setattr(ending, "pause", cancelled)
    result = plugin("wait", "mine")

    assert result.code == 5
    assert "mine waits for a controller; see: sparktest doctor" in result.err


def test_cancel_sets_the_one_field_that_may_change(world: World, plugin: Plugin) -> None:
    world.apply("mine", image="busybox", timeoutSeconds=7)

    result = plugin("cancel", "mine")

    assert (result.code, result.out) == (0, "")
    assert world.testrun("mine")["spec"] == {
        "image": "busybox",
        "timeoutSeconds": 7,
        "cancelled": True,
    }


def test_nothing_is_cancelled_where_one_is_over_or_unknown(world: World, plugin: Plugin) -> None:
    world.apply("mine")
    world.apply("over")
    world.says("over", phase="Failed")

    over = plugin("cancel", "mine", "over")
    unknown = plugin("cancel", "mine", "nope")

    assert (over.code, unknown.code) == (2, 2)
    assert over.err == "sparktest: over has already ended: Failed\n"
    assert "cancelled" not in world.testrun("mine")["spec"]


def test_ctrl_c_while_waiting_says_how_to_go_on(
    world: World, plugin: Plugin, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.apply("mine")

    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(ending, "pause", interrupted)
    result = plugin("wait", "mine")

    assert result.code == 130
    assert f"kubectl sparktest wait mine -n {world.namespace}" in result.err
