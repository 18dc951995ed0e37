import json
import uuid
from datetime import UTC, datetime

import msgspec
import pytest

from sparktest.cli import runs as runs_module
from sparktest.client import ApiClient
from sparktest.domain import Failure, FailureClass, Run, RunReport, Status
from tests.cli.conftest import Cli

ASK = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def made(api: ApiClient, name: str, status: Status = Status.PENDING) -> Run:
    run = api.create_run({"name": name, "image": "busybox"})
    return run if status is Status.PENDING else api.report_run(run.id, RunReport(status=status))


def registered(api: ApiClient, name: str) -> Run:
    return api.create_run(
        {
            "name": name,
            "image": "busybox",
            "origin": "crd",
            "cluster": "c",
            "k8sRef": {"namespace": "team", "name": name, "uid": str(uuid.uuid4())},
        }
    )


def names(out: str) -> list[str]:
    return [run["name"] for run in json.loads(out)]


def test_runs_are_listed_newest_first(cli: Cli, api: ApiClient) -> None:
    made(api, "one")
    made(api, "two", Status.RUNNING)

    result = cli("runs")

    assert (result.code, result.err) == (0, "")
    title, *lines = result.out.splitlines()
    assert title.split() == [
        "ID",
        "STATUS",
        "REASON",
        "ORIGIN",
        "NAMESPACE",
        "NAME",
        "DURATION",
        "AGE",
    ]
    assert [line.split()[5] for line in lines] == ["two", "one"]
    assert lines[0].split()[1] == "running"
    assert lines[1].split()[2] == "WaitingForController"


def test_filters_reach_the_api(cli: Cli, api: ApiClient) -> None:
    made(api, "one")
    made(api, "two words", Status.RUNNING)
    made(api, "three", Status.SUCCEEDED)
    registered(api, "four")

    assert names(cli("runs", "--status", "running", "--status", "succeeded", "-o", "json").out) == [
        "three",
        "two words",
    ]
    assert names(cli("runs", "--origin", "crd", "-o", "json").out) == ["four"]
    assert names(cli("runs", "-n", "team", "-o", "json").out) == ["four"]
    assert names(cli("runs", "-q", "wor", "-o", "json").out) == ["two words"]


def test_more_than_a_page_is_read_until_the_limit(
    cli: Cli, api: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs_module, "PAGE_SIZE", 2)
    ids = [made(api, f"r{n}").id for n in range(5)][::-1]

    everything = cli("runs", "-o", "name")
    some = cli("runs", "-o", "name", "--limit", "3")
    one = cli("runs", "-o", "name", "--limit", "1")

    assert everything.out.split() == ids
    assert everything.err == ""
    assert some.out.split() == ids[:3]
    assert some.err == "sparktest: only the newest 3 runs are shown; see --limit\n"
    assert one.err == "sparktest: only the newest run is shown; see --limit\n"


def test_named_runs_are_shown_in_the_order_given(cli: Cli, api: ApiClient) -> None:
    first, second = made(api, "one"), made(api, "two")

    assert cli("runs", "one", second.id[:8], "-o", "name").out.split() == [first.id, second.id]
    assert json.loads(cli("runs", "two", "-o", "json").out)["id"] == second.id
    assert names(cli("runs", "two", "one", "-o", "json").out) == ["two", "one"]


def test_the_reason_of_a_failure_is_in_the_table(cli: Cli, api: ApiClient) -> None:
    failure = Failure(class_=FailureClass.CONFIG, reason="ImagePullBackOff")
    run = made(api, "broken")
    api.report_run(run.id, RunReport(status=Status.FAILED, failure=failure))

    assert cli("runs").out.splitlines()[1].split()[1:3] == ["failed", "ImagePullBackOff"]


def test_cancel_asks_for_every_run_to_stop(cli: Cli, api: ApiClient) -> None:
    runs = [made(api, "one"), made(api, "two")]

    result = cli("cancel", "one", "two")

    assert (result.code, result.out) == (0, "")
    assert result.err.count("is being cancelled") == 2
    assert all(api.get_run(run.id).cancel_requested_at for run in runs)


def test_an_ended_run_cannot_be_cancelled(cli: Cli, api: ApiClient) -> None:
    made(api, "over", Status.SUCCEEDED)

    result = cli("cancel", "over")

    assert (result.code, result.out) == (2, "")
    assert "already ended" in result.err


def test_delete_removes_ended_runs_only(cli: Cli, api: ApiClient) -> None:
    made(api, "over", Status.SUCCEEDED)
    made(api, "busy", Status.RUNNING)

    assert cli("delete", "over").code == 0
    assert cli("delete", "over").code == 2
    refused = cli("delete", "busy")

    assert refused.code == 2
    assert "cancel" in refused.err
    assert names(cli("runs", "-o", "json").out) == ["busy"]


def test_deleting_the_run_of_a_testrun_prints_how_to_delete_the_testrun(
    cli: Cli, api: ApiClient
) -> None:
    run = registered(api, "smoke")
    api.report_run(run.id, RunReport(status=Status.SUCCEEDED))

    result = cli("delete", "smoke")

    assert result.code == 0
    assert "kubectl delete testruns.sparktest.dev smoke -n team" in result.err


def _with(run: Run, **fields: object) -> Run:
    return msgspec.structs.replace(run, **fields)


def test_runs_are_found_by_definition_label_and_time(cli: Cli, api: ApiClient) -> None:
    definition = api.definitions.create({"name": "smoke", "image": "i"})
    ran = api.run_definition(definition.id, {"labels": {"team": "a"}})
    made(api, "other")

    assert cli("runs", "--definition", "smoke", "-o", "name").out.split() == [ran.id]
    assert cli("runs", "-l", "team=a", "-o", "name").out.split() == [ran.id]
    assert cli("runs", "-l", "team", "--since", "1h", "-o", "name").out.split() == [ran.id]
    assert cli("runs", "--since", "2126-01-31T08:00Z", "-o", "name").out == ""
    assert cli("runs", "--definition", "nope").code == 2


@pytest.mark.parametrize("selector", ["=shop", "", "team in shop", "a,,b"])
def test_what_is_no_label_selector_is_wrong_usage(cli: Cli, selector: str) -> None:
    result = cli("runs", "-l", selector)

    assert result.code == 2
    assert f"{selector!r} is not a label selector" in result.err
    assert "examples: a=b, a!=b" in result.err


def test_selectors_of_kubectl_select_runs(api: ApiClient, cli: Cli) -> None:
    for team in ("a", "b", "c"):
        api.create_run({"name": team, "image": "busybox", "labels": {"team": team}})
    made(api, "none")

    def selected(*selectors: str) -> list[str]:
        options = [word for selector in selectors for word in ("-l", selector)]
        return names(cli("runs", "-o", "json", *options).out)

    assert selected("team in (a, b)") == ["b", "a"]
    assert selected("team!=a") == ["none", "c", "b"]
    assert selected("team", "team notin (a,b)") == ["c"]
    assert selected("!team") == ["none"]


def test_runs_are_found_by_the_class_of_their_failure_and_by_time(api: ApiClient, cli: Cli) -> None:
    run = made(api, "broken")
    failure = Failure(class_=FailureClass.INFRA, reason="OOMKilled")
    api.report_run(run.id, RunReport(status=Status.FAILED, failure=failure))

    assert "broken" in cli("runs", "--class", "infra").out
    assert "broken" not in cli("runs", "--class", "test").out
    assert "broken" in cli("runs", "--until", "2999-01-01T00:00Z", "-q", "oomk").out
    assert "broken" not in cli("runs", "--until", "1h").out
    other = "00000000-0000-4000-8000-000000000000"
    assert "broken" not in cli("runs", "--suite-run", other).out
    assert "broken" not in cli("runs", "--schedule", other).out


@pytest.mark.parametrize("text", ["soon", "5", "-1h", "2026-01-31T08:00", "1w", "", "999999d"])
def test_an_invalid_time_is_wrong_usage(cli: Cli, text: str) -> None:
    result = cli("runs", "--since", text)

    assert result.code == 2
    assert "15m, 2h, 7d" in result.err


def test_run_references_and_filters_exclude_each_other(cli: Cli, api: ApiClient) -> None:
    assert cli("runs", "one", "--status", "failed").code == 2
    assert cli("runs", "one", "--watch").code == 2


def test_one_wrong_name_cancels_and_deletes_nothing(cli: Cli, api: ApiClient) -> None:
    run = made(api, "one")
    over = made(api, "over", Status.SUCCEEDED)

    assert cli("cancel", "one", "nope").code == 2
    assert cli("delete", "over", "nope").code == 2

    assert api.get_run(run.id).cancel_requested_at is None
    assert api.get_run(over.id) == over
