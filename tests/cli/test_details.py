import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sparktest.cli.details import facts
from sparktest.client import ApiClient
from sparktest.domain import Failure, FailureClass, Log, LogState, Origin, Run, RunReport, Status
from tests.cli.conftest import Cli

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def run(**fields: Any) -> Run:
    known: dict[str, Any] = {
        "id": "17",
        "name": "smoke",
        "status": Status.RUNNING,
        "origin": Origin.API,
        "created_at": NOW - timedelta(minutes=5),
        "job_name": "test-run-17",
    }
    return Run(**{**known, **fields})


def told(**fields: Any) -> dict[str, str | None]:
    return dict(facts(run(**fields), NOW))


def test_the_image_of_a_run_on_a_dev_cluster_is_only_a_name() -> None:
    uid = "facade00-1111-4222-8333-444444444444"
    assert told(image="busybox", cluster=uid)["Image"] == "busybox (named, not pulled)"
    assert told(image="busybox", cluster=str(uuid.uuid4()))["Image"] == "busybox"


def test_a_run_of_a_testrun_is_shown_with_its_source_and_commands(cli: Cli, api: ApiClient) -> None:
    made = api.create_run(
        {
            "name": "nightly",
            "image": "busybox:1.35",
            "commands": ["echo a", "echo b"],
            "env": {"SECRET": "hidden"},
            "labels": {"team": "shop"},
            "origin": "crd",
            "cluster": "c",
            "k8sRef": {"namespace": "team", "name": "nightly-7", "uid": str(uuid.uuid4())},
        }
    )
    failure = Failure(class_=FailureClass.TEST, reason="Error", message="no shop", exit_code=7)
    api.report_run(made.id, RunReport(status=Status.FAILED, failure=failure))

    result = cli("show", "nightly")

    assert (result.code, result.err) == (0, "")
    lines = result.out.splitlines()
    assert f"Id           {made.id}" in lines
    assert "Why          test, Error: no shop" in lines
    assert "Source       TestRun team/nightly-7" in lines
    assert "Labels       team=shop" in lines
    at = lines.index("Commands     echo a")
    assert lines[at + 1].strip() == "echo b"
    assert f"stored log   sparktest logs {made.id}" in lines
    assert "describe     kubectl describe testruns.sparktest.dev nightly-7 -n team" in lines
    assert "hidden" not in result.out


def test_several_runs_are_shown_apart_and_json_has_all(cli: Cli, api: ApiClient) -> None:
    for name in ("one", "two"):
        api.create_run({"name": name, "image": "i", "env": {"A": "b"}})

    assert "\n\nName         two\n" in cli("show", "one", "two").out
    assert json.loads(cli("show", "one", "-o", "json").out)["env"] == {"A": "b"}
    assert cli("show", "three").code == 2


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"started_at": NOW - timedelta(seconds=12)}, "running for 12s"),
        ({"status": Status.TIMED_OUT, "duration": 3.2}, "timed out after 3s"),
        ({"status": Status.PENDING, "cancel_requested_at": NOW}, "pending, asked to stop"),
        ({"status": Status.CANCELLED, "cancel_requested_at": NOW}, "cancelled"),
    ],
)
def test_the_status_says_for_how_long_and_what_was_asked(
    fields: dict[str, Any], status: str
) -> None:
    assert told(**fields)["Status"] == status


def test_what_a_run_waits_for_is_why_it_is_not_over() -> None:
    waiting = told(status_reason="Unschedulable", status_message="0/1 nodes")

    assert waiting["Why"] == "Unschedulable: 0/1 nodes"
    assert told()["Why"] == ""


def test_a_log_that_is_not_whole_says_why() -> None:
    log = Log(state=LogState.PARTIAL, reason="NodeLost", bytes=12345)

    assert told(log=log)["Log"] == "partial (NodeLost), 12,345 bytes"


def test_a_program_is_shown_as_a_shell_would_take_it() -> None:
    assert told(entrypoint=("echo", "a b"), args=("$x",))["Program"] == "echo 'a b' '$x'"


def test_a_status_in_a_name_is_not_painted(
    cli: Cli, api: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = api.create_run({"name": "has failed", "image": "i"})
    api.report_run(made.id, RunReport(status=Status.FAILED))
    monkeypatch.setenv("CLICOLOR_FORCE", "1")

    out = cli("show", made.id).out

    assert "Name         has failed\n" in out
    assert "Status       \x1b[31mfailed\x1b[0m" in out
