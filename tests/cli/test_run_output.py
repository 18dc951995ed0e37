import json
import os
import uuid

import pytest

from sparktest import kubectl
from sparktest.client import ApiClient
from sparktest.domain import Failure, FailureClass, Log, LogState, RunReport, Status
from sparktest.kubectl import Target
from sparktest.user_files import Session, session_file
from tests.cli.conftest import Cli


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
    assert f"ID           {made.id}" in lines
    assert "Why          test, Error: no shop" in lines
    assert "Source       TestRun team/nightly-7" in lines
    assert "Labels       team=shop" in lines
    at = lines.index("Commands     echo a")
    assert lines[at + 1].strip() == "echo b"
    assert f"stored log   sparktest logs {made.id}" in lines
    assert "describe     kubectl describe testruns.sparktest.dev nightly-7 -n team" in lines
    assert (
        "note         cluster c is not known here; "
        "these commands act on the current context of kubectl"
    ) in lines
    assert "hidden" not in result.out


def test_the_commands_of_a_run_and_of_its_delete_name_the_cluster_of_up(
    cli: Cli, api: ApiClient
) -> None:
    ref = {"namespace": "team", "name": "nightly-7", "uid": str(uuid.uuid4())}
    made = api.create_run({"image": "i", "origin": "crd", "cluster": "facade00-1", "k8sRef": ref})
    api.report_run(made.id, RunReport(status=Status.FAILED))
    session = Session(backend_url=api.url, cluster="facade00-1", kubeconfig="/data/kubeconfig")

    with session_file(os.environ, session):
        shown = cli("show", made.id)
        deleted = cli("delete", made.id)

    command = kubectl.delete(made, target=Target("/data/kubeconfig"))
    assert command.endswith(" nightly-7 -n team --kubeconfig /data/kubeconfig")
    assert f"delete       {command}\n" in shown.out
    assert "not known" not in shown.out
    assert deleted.err.endswith(f"to delete it: {command}\n")


def test_several_runs_are_separated_and_json_has_all_fields(cli: Cli, api: ApiClient) -> None:
    for name in ("one", "two"):
        api.create_run({"name": name, "image": "i", "env": {"A": "b"}})

    assert "\n\nName         two\n" in cli("show", "one", "two").out
    assert json.loads(cli("show", "one", "-o", "json").out)["env"] == {"A": "b"}
    assert cli("show", "three").code == 2


def test_the_last_line_of_the_log_is_shown_where_the_message_is_only_the_exit_code(
    cli: Cli, api: ApiClient
) -> None:
    made = api.create_run({"name": "e2e", "image": "i"})
    log = b"FAILED test_shop.py\n3 failed, 2 passed in 1.22s\n\n"
    api.append_log(made.id, "test", 0, log)
    failure = Failure(class_=FailureClass.TEST, reason="Error", message="exit code 1", exit_code=1)
    stored = Log(state=LogState.COMPLETE, bytes=len(log))
    api.report_run(made.id, RunReport(status=Status.FAILED, failure=failure, log=stored))

    assert (
        'Why          test, Error: exit code 1; last line of the log: "3 failed, 2 passed in 1.22s"'
        in cli("show", "e2e").out.splitlines()
    )


def test_only_the_status_field_is_coloured(
    cli: Cli, api: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = api.create_run({"name": "has failed", "image": "i"})
    api.report_run(made.id, RunReport(status=Status.FAILED))
    monkeypatch.setenv("CLICOLOR_FORCE", "1")

    out = cli("show", made.id).out

    assert "Name         has failed\n" in out
    assert "Status       \x1b[31mfailed\x1b[0m" in out
