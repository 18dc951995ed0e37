import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sparktest.client import ApiClient
from sparktest.domain import Failure, FailureClass, Run, RunReport, Status
from tests.cli.conftest import Cli

TESTRUN = """
apiVersion: sparktest.dev/v1alpha1
kind: TestRun
metadata: {name: hello, labels: {team: a}}
spec:
  image: busybox:1.35
  commands: [echo hello]
  env: {DAY: 2026-01-02, WHO: me}
  timeoutSeconds: 30
"""


@pytest.fixture
def controller(api: ApiClient) -> Iterator[Callable[..., None]]:
    """`controller(report, log=b"…")`: what the controller reports for the next run."""
    threads: list[threading.Thread] = []

    def act(report: RunReport, log: bytes) -> None:
        while not (runs := api.list_runs(status=["pending"]).runs):
            pass
        api.report_run(runs[0].id, RunReport(status=Status.RUNNING))
        if log:
            api.append_log(runs[0].id, "test", 0, log)
        api.report_run(runs[0].id, report)

    def start(report: RunReport, log: bytes = b"") -> None:
        threads.append(threading.Thread(target=act, args=(report, log)))
        threads[-1].start()

    yield start
    for thread in threads:
        thread.join()


def failed(kind: FailureClass, status: Status = Status.FAILED) -> RunReport:
    return RunReport(status=status, failure=Failure(class_=kind, reason="Because", message="of it"))


def started(api: ApiClient, out: str) -> Run:
    return api.get_run(out.strip())


# --- what is run ----------------------------------------------------------------------------------


def test_an_image_runs_a_program_without_a_shell(cli: Cli, api: ApiClient) -> None:
    result = cli(
        "run",
        "--image",
        "ghcr.io/team/busybox:1.35",
        "-e",
        "A=b=c",
        "-e",
        "D=",
        "--timeout",
        "9",
        "--",
        "printenv",
        "-0",
        "A B",
    )

    assert (result.code, result.err) == (0, "")
    run = started(api, result.out)
    assert (run.name, run.image) == ("busybox", "ghcr.io/team/busybox:1.35")
    assert run.entrypoint == ("printenv", "-0", "A B")
    assert run.env == {"A": "b=c", "D": ""}
    assert run.timeout_seconds == 9


def test_dollars_after_two_dashes_are_escaped_for_kubernetes(cli: Cli, api: ApiClient) -> None:
    program = ["sh", "-c", "echo $$ $(date) $HOME"]

    by_image = started(api, cli("run", "--image", "busybox", "--", *program).out)
    by_file = started(api, cli("run", "-f", "-", "--", *program, stdin=TESTRUN).out)

    assert by_image.entrypoint == ("sh", "-c", "echo $$$$ $$(date) $$HOME")
    assert by_file.entrypoint == by_image.entrypoint


def test_dollars_of_a_manifest_are_sent_as_written(cli: Cli, api: ApiClient) -> None:
    text = TESTRUN.replace("commands: [echo hello]", "command: [echo, $(WHO), $$]")

    assert started(api, cli("run", "-f", "-", stdin=text).out).entrypoint == (
        "echo",
        "$(WHO)",
        "$$",
    )


def test_an_image_runs_shell_commands(cli: Cli, api: ApiClient) -> None:
    result = cli(
        "run",
        "--image",
        "busybox",
        "--command",
        "echo 'a b' | wc",
        "--command",
        "true",
        "--name",
        "shell lines",
    )

    run = started(api, result.out)
    assert run.commands == ("echo 'a b' | wc", "true")
    assert run.name == "shell lines"


@pytest.mark.parametrize(
    ("image", "name"),
    [("r:5000/a/b", "b"), ("a@sha256:0123", "a"), ("r:5000/a/b:1@sha256:01", "b")],
)
def test_the_name_of_an_image_is_the_name_of_the_run(
    cli: Cli, api: ApiClient, image: str, name: str
) -> None:
    assert started(api, cli("run", "--image", image).out).name == name


def test_a_definition_runs_by_its_name_with_overrides(cli: Cli, api: ApiClient) -> None:
    definition = api.definitions.create(
        {"name": "smoke", "image": "busybox", "commands": ["true"], "env": {"A": "1", "B": "2"}}
    )

    plain = started(api, cli("run", "smoke").out)
    other = started(api, cli("run", "smoke", "-e", "A=3", "--name", "mine", "--", "false").out)

    assert plain.test_definition_id == other.test_definition_id == definition.id
    assert plain.commands == ("true",)
    assert (other.commands, other.entrypoint) == ((), ("false",))
    assert other.env == {"A": "3", "B": "2"}
    assert other.name == "mine"


def test_the_image_of_a_definition_can_be_overridden(cli: Cli, api: ApiClient) -> None:
    api.definitions.create({"name": "smoke", "image": "busybox", "commands": ["true"]})

    run = started(api, cli("run", "smoke", "--image", "busybox:2", "--", "echo", "--", "-x").out)

    assert (run.image, run.definition_name) == ("busybox:2", "smoke")
    assert run.entrypoint == ("echo", "--", "-x")


def test_a_manifest_runs_without_a_testrun_object(cli: Cli, api: ApiClient, tmp_path: Path) -> None:
    path = tmp_path / "testrun.yaml"
    path.write_text(TESTRUN)

    by_file = started(api, cli("run", "-f", str(path)).out)
    by_stdin = started(
        api, cli("run", "-f", "-", "-e", "WHO=you", "--timeout", "5", stdin=TESTRUN).out
    )

    assert (by_file.name, by_file.labels, by_file.origin) == ("hello", {"team": "a"}, "api")
    assert by_file.commands == ("echo hello",)
    assert by_file.env == {"DAY": "2026-01-02", "WHO": "me"}
    assert by_file.timeout_seconds == 30
    assert by_stdin.env == {"DAY": "2026-01-02", "WHO": "you"}
    assert by_stdin.timeout_seconds == 5


@pytest.mark.parametrize(
    "args",
    [
        [],
        ["smoke", "--image", "i", "-f", "x"],
        ["smoke", "-f", "x"],
        ["--", "smoke"],
        ["--image", "i", "echo", "hi"],
        ["--image", "i", "--command", "a", "--", "b"],
        ["--image", "i", "-e", "A"],
        ["--image", "i", "-e", "=b"],
        ["--image", ""],
        ["--image", "i", "--timeout", "0"],
    ],
    ids=" ".join,
)
def test_ambiguous_arguments_are_wrong_usage(cli: Cli, api: ApiClient, args: list[str]) -> None:
    result = cli("run", *args)

    assert (result.code, result.out) == (2, "")
    assert result.err.count("\n") == 1
    assert api.list_runs().runs == ()


def test_a_missing_definition_is_wrong_usage(cli: Cli, api: ApiClient) -> None:
    result = cli("run", "nope", "--wait")

    assert (result.code, result.out) == (2, "")
    assert "no definition has the id or name 'nope'" in result.err


# --- how it ends ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("report", "code", "text"),
    [
        (RunReport(status=Status.SUCCEEDED), 0, "busybox succeeded"),
        (failed(FailureClass.TEST), 1, "busybox failed: test, Because: of it"),
        (failed(FailureClass.CONFIG), 3, "busybox failed: config, Because: of it"),
        (failed(FailureClass.TIMEOUT, Status.TIMED_OUT), 4, "busybox timed out: timeout"),
        (failed(FailureClass.CANCELLED, Status.CANCELLED), 5, "busybox cancelled: cancelled"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_wait_prints_the_outcome_and_returns_its_exit_code(
    cli: Cli, controller: Callable[..., None], report: RunReport, code: int, text: str
) -> None:
    controller(report)

    result = cli("run", "--image", "busybox", "--wait")

    assert result.code == code
    assert len(result.out.strip()) == 36
    assert result.err.splitlines()[-1].startswith(f"sparktest: {text}")


def test_following_prints_only_the_log_on_stdout(cli: Cli, controller: Callable[..., None]) -> None:
    controller(failed(FailureClass.TEST), log=b"one\ntwo \x1b[31mred\n")

    result = cli("run", "--image", "busybox", "--follow")

    assert result.code == 1
    assert result.out == "one\ntwo \x1b[31mred\n"
    first, *_, last = result.err.splitlines()
    assert len(first) == 36
    assert last == "sparktest: busybox failed: test, Because: of it"


def test_ctrl_c_while_following_prints_how_to_continue(
    cli: Cli, api: ApiClient, monkeypatch: pytest.MonkeyPatch, controller: Callable[..., None]
) -> None:
    def interrupted(*args: Any, **kw: Any) -> Iterator[bytes]:
        raise KeyboardInterrupt

    monkeypatch.setattr(ApiClient, "follow_log", interrupted)
    controller(RunReport(status=Status.SUCCEEDED))

    result = cli("run", "--image", "busybox", "--follow")

    assert result.code == 130
    (run,) = api.list_runs().runs
    assert f"busybox continues; see: sparktest logs -f {run.id}" in result.err


def test_of_several_runs_the_first_that_did_not_pass_decides(cli: Cli, api: ApiClient) -> None:
    reports = [
        RunReport(status=Status.SUCCEEDED),
        failed(FailureClass.INFRA),
        failed(FailureClass.TEST),
    ]
    runs = [api.create_run({"name": f"r{n}", "image": "i"}) for n in range(3)]
    for run, report in zip(runs, reports, strict=True):
        api.report_run(run.id, report)

    assert cli("wait", *(run.id for run in runs)).code == 3
    assert cli("wait", runs[0].id).code == 0


def test_a_started_run_can_be_printed_as_json(cli: Cli, api: ApiClient) -> None:
    document = json.loads(cli("run", "--image", "busybox", "-o", "json").out)

    assert api.get_run(document["id"]).image == "busybox"
