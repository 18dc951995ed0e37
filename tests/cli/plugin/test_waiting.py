from collections.abc import Callable
from datetime import timedelta

import pytest

from sparktest.cli.plugin import waiting
from sparktest.cli.plugin.context import KubeContext
from sparktest.cli.plugin.testrun import TestRun
from sparktest.kube.resources import TESTRUNS
from tests.cli.conftest import Result
from tests.cli.plugin.conftest import Sandbox

Plugin = Callable[..., Result]
BeforeRefresh = Callable[[Callable[[], None]], None]


@pytest.fixture
def before_refresh(monkeypatch: pytest.MonkeyPatch) -> BeforeRefresh:
    """Return a function that registers another one to be called before each refresh."""
    refresh = KubeContext.refresh

    def register(function: Callable[[], None]) -> None:
        def refresh_after(kube: KubeContext, known: TestRun) -> TestRun:
            function()
            return refresh(kube, known)

        monkeypatch.setattr(KubeContext, "refresh", refresh_after)

    return register


def test_wait_returns_when_all_testruns_have_ended(sandbox: Sandbox, plugin: Plugin) -> None:
    for name in ("one", "two"):
        sandbox.apply(name)
    sandbox.set_status("one", phase="Succeeded", startedAt="2026-01-02T03:04:05Z", duration="3s")
    failure = {"class": "timeout", "reason": "DeadlineExceeded"}
    sandbox.in_background(
        lambda: sandbox.set_status("two", phase="Running"),
        lambda: sandbox.set_status("two", phase="TimedOut", failure=failure),
    )

    result = plugin("wait", "one", "testrun.sparktest.dev/two")

    assert result.code == 4
    lines = result.err.splitlines()
    assert lines[0] == "sparktest: one succeeded in 3s"
    assert lines[-1] == "sparktest: two timed out: timeout, DeadlineExceeded"


def test_waiting_for_a_testrun_that_is_replaced_fails(
    sandbox: Sandbox, plugin: Plugin, before_refresh: BeforeRefresh
) -> None:
    sandbox.apply("mine")

    def replaced() -> None:
        sandbox.cluster.delete(TESTRUNS, sandbox.namespace, "mine")
        sandbox.apply("mine")
        sandbox.set_status("mine", phase="Succeeded")

    before_refresh(replaced)
    result = plugin("wait", "mine")

    assert result.code == 3
    assert result.err.endswith("sparktest: mine was deleted before it ended\n")


def test_wait_warns_when_no_controller_handles_the_testrun(
    sandbox: Sandbox, plugin: Plugin, monkeypatch: pytest.MonkeyPatch, before_refresh: BeforeRefresh
) -> None:
    monkeypatch.setattr(waiting, "UNHANDLED_AGE", timedelta(seconds=-60))
    sandbox.apply("mine")

    def cancelled() -> None:
        sandbox.set_status("mine", phase="Cancelled")

    before_refresh(cancelled)
    result = plugin("wait", "mine")

    assert result.code == 5
    assert "mine waits for a controller; see: sparktest doctor" in result.err


def test_cancel_changes_only_spec_cancelled(sandbox: Sandbox, plugin: Plugin) -> None:
    sandbox.apply("mine", image="busybox", timeoutSeconds=7)

    result = plugin("cancel", "mine")

    assert (result.code, result.out) == (0, "")
    assert sandbox.testrun("mine")["spec"] == {
        "image": "busybox",
        "timeoutSeconds": 7,
        "cancelled": True,
    }


def test_nothing_is_cancelled_when_one_testrun_has_ended_or_does_not_exist(
    sandbox: Sandbox, plugin: Plugin
) -> None:
    sandbox.apply("mine")
    sandbox.apply("over")
    sandbox.set_status("over", phase="Failed")

    over = plugin("cancel", "mine", "over")
    unknown = plugin("cancel", "mine", "nope")

    assert (over.code, unknown.code) == (2, 2)
    assert over.err == "sparktest: over has already ended: Failed\n"
    assert "cancelled" not in sandbox.testrun("mine")["spec"]


def test_interrupting_a_wait_names_the_command_to_resume(
    sandbox: Sandbox, plugin: Plugin, before_refresh: BeforeRefresh
) -> None:
    sandbox.apply("mine")

    def interrupted() -> None:
        raise KeyboardInterrupt

    before_refresh(interrupted)
    result = plugin("wait", "mine")

    assert result.code == 130
    assert f"kubectl sparktest wait mine -n {sandbox.namespace}" in result.err
