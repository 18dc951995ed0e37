import json
import os
import uuid

import pytest

from sparktest.client import ApiClient
from sparktest.domain import Run, RunReport, Status
from sparktest.user_files import Session, session_file
from tests.cli.conftest import Cli


@pytest.fixture
def run(api: ApiClient) -> Run:
    made = api.create_run(
        {
            "name": "again",
            "image": "busybox:1",
            "commands": ["make test"],
            "env": {"A": "1", "B": "2"},
            "labels": {"team": "shop"},
        }
    )
    return api.report_run(made.id, RunReport(status=Status.FAILED))


def test_rerun_prints_the_id_of_the_new_run(cli: Cli, api: ApiClient, run: Run) -> None:
    result = cli("rerun", "again")

    assert (result.code, result.err) == (0, "")
    repeated = api.get_run(result.out.strip())
    assert (repeated.rerun_of, repeated.commands) == (run.id, ("make test",))
    assert json.loads(cli("rerun", run.id, "-o", "json").out)["rerunOf"] == run.id


def test_options_override_fields_of_the_run(cli: Cli, api: ApiClient, run: Run) -> None:
    options = ["--image", "busybox:2", "-e", "B=3", "-l", "day=1", "--timeout", "9", "--name", "x"]

    result = cli("rerun", *options, "again", "--", "echo", "$HOME")

    repeated = api.get_run(result.out.strip())
    assert (repeated.name, repeated.image, repeated.timeout_seconds) == ("x", "busybox:2", 9)
    assert (repeated.commands, repeated.entrypoint) == ((), ("echo", "$$HOME"))
    assert repeated.env == {"A": "1", "B": "3"}
    assert repeated.labels == {"team": "shop", "day": "1"}


def test_commands_override_those_of_the_run(cli: Cli, api: ApiClient, run: Run) -> None:
    result = cli("rerun", "again", "--command", "one", "--command", "two")

    assert api.get_run(result.out.strip()).commands == ("one", "two")


def test_an_image_overrides_that_of_a_template(cli: Cli, api: ApiClient) -> None:
    template = {"spec": {"containers": [{"name": "unit", "image": "busybox:1"}]}}
    run = api.create_run({"name": "pod", "template": template})

    result = cli("rerun", run.id, "--image", "busybox:2")

    repeated = api.get_run(result.out.strip())
    assert (repeated.image, repeated.containers) == ("busybox:2", ("unit",))


@pytest.mark.parametrize("args", [["--", "true"], ["again", "--command", "a", "--", "b"]])
def test_ambiguous_arguments_are_wrong_usage(
    cli: Cli, api: ApiClient, run: Run, args: list[str]
) -> None:
    result = cli("rerun", *args)

    assert (result.code, result.out) == (2, "")
    assert [each.id for each in api.list_runs().runs] == [run.id]


def test_where_the_api_refuses_the_command_that_creates_the_testrun_again_is_named(
    cli: Cli, api: ApiClient
) -> None:
    ref = {"namespace": "team", "name": "nightly", "uid": str(uuid.uuid4())}
    run = api.create_run(
        {"definitionName": "gone", "origin": "crd", "cluster": "facade00-1", "k8sRef": ref}
    )
    session = Session(backend_url=api.url, cluster="facade00-1", kubeconfig="/data/kubeconfig")

    unknown = cli("rerun", run.id)
    with session_file(os.environ, session):
        result = cli("rerun", run.id)

    assert (result.code, result.out) == (2, "")
    assert result.err == (
        "sparktest: this run has no image; run its definition instead; to create its TestRun "
        "again: kubectl get testruns.sparktest.dev nightly -o yaml -n team --kubeconfig "
        "/data/kubeconfig | kubectl sparktest run -f - --kubeconfig /data/kubeconfig\n"
    )
    assert "cluster facade00-1 is not known here" in unknown.err.splitlines()[0]


def test_a_refused_rerun_of_an_api_run_names_no_command(cli: Cli, api: ApiClient, run: Run) -> None:
    result = cli("rerun", "again", "--timeout", "99999999999")

    assert result.code == 2
    assert "kubectl" not in result.err


def test_a_rerun_is_shown_with_what_it_repeats(cli: Cli, api: ApiClient, run: Run) -> None:
    repeated = cli("rerun", "again").out.strip()

    assert f"Rerun of     {run.id[:8]} (again)" in cli("show", repeated).out.splitlines()

    api.delete_run(run.id)

    assert f"Rerun of     {run.id}" in cli("show", repeated).out.splitlines()
