"""The command run with files of manifests, and its dry run."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from sparktest.client import ApiClient
from sparktest.domain import Run, RunReport, Status
from tests.cli.conftest import Cli
from tests.cli.test_start import TESTRUN, started

TWO = f"{TESTRUN}---{TESTRUN.replace('hello', 'again')}"
JOB = """
apiVersion: batch/v1
kind: Job
metadata: {name: unit, labels: {team: shop}}
spec:
  activeDeadlineSeconds: 60
  template:
    spec:
      containers: [{name: t, image: "busybox:1.35", command: [sh, -c, "echo hi"]}]
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "manifests.yaml"


def test_a_file_of_several_manifests_starts_a_run_for_each(cli: Cli, api: ApiClient) -> None:
    result = cli("run", "-f", "-", "-l", "team=b", "-l", "day=1", stdin=TWO)

    first, second = (api.get_run(line) for line in result.out.split())
    assert (first.name, second.name) == ("hello", "again")
    assert first.labels == {"team": "b", "day": "1"}


def test_a_list_of_kubectl_is_read_as_several_manifests(cli: Cli, api: ApiClient) -> None:
    items = list(yaml.safe_load_all(TWO.replace("2026-01-02", "'2026-01-02'")))
    text = yaml.safe_dump({"apiVersion": "v1", "kind": "List", "items": items})

    assert len(cli("run", "-f", "-", stdin=text).out.split()) == 2


def test_a_job_becomes_the_request_of_a_run(cli: Cli, api: ApiClient) -> None:
    result = cli("run", "-f", "-", "-e", "A=b", "--image", "busybox:2", "--dry-run", stdin=JOB)

    container = {"name": "t", "image": "busybox:2", "command": ["sh", "-c", "echo hi"]}
    assert yaml.safe_load(result.out) == {
        "name": "unit",
        "labels": {"team": "shop"},
        "template": {"spec": {"containers": [container]}},
        "timeoutSeconds": 60,
        "env": {"A": "b"},
    }


def test_a_program_option_replaces_the_commands_of_a_manifest(cli: Cli, api: ApiClient) -> None:
    run = started(api, cli("run", "-f", "-", "--", "true", stdin=TESTRUN).out)

    assert (run.commands, run.entrypoint) == ((), ("true",))


def test_an_image_option_replaces_that_of_a_manifest(cli: Cli, api: ApiClient) -> None:
    run = started(api, cli("run", "-f", "-", "--image", "busybox:2", stdin=TESTRUN).out)

    assert (run.name, run.image, run.commands) == ("hello", "busybox:2", ("echo hello",))


@pytest.mark.parametrize(
    ("text", "args", "problem"),
    [
        (TWO, ["--name", "x"], "--name is for one run; the files hold 2"),
        (TESTRUN, ["smoke"], "Give one of: a definition, -f FILE, --image IMAGE"),
        (f"{TESTRUN}  volumes: []", [], "document 1 (TestRun hello): spec.volumes: unknown field"),
        (f"{TWO}---\nkind: Job", [], "document 3 (Job): Job is another kind"),
        (TESTRUN.replace("{DAY: 2026-01-02, WHO: me}", "[a]"), [], "spec.env: must be an object"),
    ],
)
def test_when_a_document_or_an_option_is_wrong_nothing_starts(
    cli: Cli, api: ApiClient, text: str, args: list[str], problem: str
) -> None:
    result = cli("run", "-f", "-", *args, stdin=text)

    assert (result.code, result.out) == (2, "")
    assert problem in result.err
    assert api.list_runs().runs == ()


def test_a_namespace_that_the_api_does_not_use_is_a_warning(cli: Cli, api: ApiClient) -> None:
    elsewhere = TESTRUN.replace("name: hello,", "name: hello, namespace: shop,")
    same = TESTRUN.replace("name: hello,", "name: hello, namespace: tests,")

    result = cli("run", "-f", "-", stdin=elsewhere)

    assert result.code == 0
    assert result.err == (
        "sparktest: -: document 1 (TestRun hello): runs in the API's namespace tests, not in shop\n"
    )
    assert cli("run", "-f", "-", stdin=same).err == ""


def test_a_run_that_the_api_refuses_does_not_stop_the_wait_for_the_others(
    cli: Cli, api: ApiClient, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_text(f"{TESTRUN}---{TESTRUN.replace('hello', 'again').replace('WHO', '1WHO')}")
    create = ApiClient.create_run

    def create_and_end(client: ApiClient, body: dict[str, Any]) -> Run:
        run = create(client, body)
        return api.report_run(run.id, RunReport(status=Status.SUCCEEDED))

    monkeypatch.setattr(ApiClient, "create_run", create_and_end)

    result = cli("run", "-f", str(path), "--wait")

    assert result.code == 2
    assert api.get_run(result.out.strip()).name == "hello"
    first, second = result.err.splitlines()
    assert first.startswith("sparktest: hello succeeded")
    assert second.startswith(f"sparktest: {path}: document 2 (TestRun again): env/1WHO")
    assert second.endswith("; 1 of 2 were started")


@pytest.mark.parametrize(
    ("args", "where", "body"),
    [
        (
            ["--image", "busybox:1", "-e", "A=b", "--", "true"],
            "/test-runs",
            {"image": "busybox:1", "name": "busybox", "command": ["true"], "env": {"A": "b"}},
        ),
        (["smoke", "--timeout", "3"], "/run", {"timeoutSeconds": 3}),
        (["smoke"], "/run", {}),
        (
            ["--image", "i", "--repeat", "3"],
            "/test-runs:batch",
            {"items": [{"name": "i", "image": "i"}], "repeat": 3},
        ),
    ],
)
def test_a_dry_run_prints_the_request_and_sends_nothing(
    cli: Cli, api: ApiClient, args: list[str], where: str, body: dict[str, Any]
) -> None:
    api.definitions.create({"name": "smoke", "image": "i"})

    plain = cli("run", "--dry-run", *args)

    assert plain.code == 0
    assert yaml.safe_load(plain.out) == body
    assert plain.err.strip().endswith(where)
    assert json.loads(cli("run", "--dry-run", "-o", "json", *args).out) == body
    assert api.list_runs().runs == ()
