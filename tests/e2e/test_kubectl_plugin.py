"""`kubectl sparktest`, called through kubectl, on a cluster with API and controller."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.stack import IMAGE, Stack
from tests.requirements import require_program

pytestmark = pytest.mark.e2e
BIN = Path(sys.executable).parent


def kubectl(stack: Stack, *args: str) -> "subprocess.CompletedProcess[str]":
    """Run `kubectl sparktest …` in the namespace of the stack."""
    environ = stack.environ | {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    command = [require_program("kubectl"), "sparktest", args[0], "-n", stack.namespace, *args[1:]]
    return subprocess.run(
        command, env=environ, capture_output=True, text=True, check=False, timeout=120
    )


@pytest.mark.parametrize(
    ("line", "code", "outcome"),
    [("echo one; sleep 1; echo two", 0, "succeeded"), ("echo one; echo two; exit 3", 1, "failed")],
)
def test_run_with_follow_prints_the_log_and_exits_with_the_code_of_the_outcome(
    stack: Stack, line: str, code: int, outcome: str
) -> None:
    ended = kubectl(stack, "run", "--image", IMAGE, "--follow", "--command", line)

    assert ended.stdout == "one\ntwo\n"
    assert ended.returncode == code
    assert outcome in ended.stderr.splitlines()[-1]


def test_a_program_gets_its_words_as_they_were_typed(stack: Stack) -> None:
    script = 'NAME=two; echo $(echo one) ${NAME} "$1" $(test $$ -gt 0 && echo four)'
    words = ["--", "sh", "-c", script, "sh", "$$three $(NAME)"]

    ended = kubectl(stack, "run", "--image", IMAGE, "-e", "NAME=no", "--follow", *words)

    assert (ended.returncode, ended.stdout) == (0, "one two $$three $(NAME) four\n")


def test_a_timeout_and_a_missing_definition_have_their_exit_codes(stack: Stack) -> None:
    slow = ["--image", IMAGE, "--timeout", "2", "--wait", "--", "sleep", "60"]

    assert kubectl(stack, "run", *slow).returncode == 4
    missing = kubectl(stack, "run", "no such definition", "--wait")
    assert missing.returncode == 3
    assert "DefinitionNotFound" in missing.stderr


def test_a_testrun_is_cancelled(stack: Stack) -> None:
    name = kubectl(stack, "run", "--image", IMAGE, "--", "sleep", "600").stdout.strip()

    assert kubectl(stack, "cancel", name).returncode == 0
    assert kubectl(stack, "wait", name).returncode == 5
    assert kubectl(stack, "cancel", name).returncode == 2


def test_logs_names_the_stored_log_when_the_pod_is_gone(stack: Stack) -> None:
    line = ["--ttl", "0", "--name", "gone", "--wait", "--", "echo", "kept"]
    assert kubectl(stack, "run", "--image", IMAGE, *line).returncode == 0
    run = stack.run_of("gone")
    stack.kubectl("wait", "--for=delete", f"job/{run.job_name}", "--timeout=60s")
    stack.kubectl("wait", "--for=delete", "pod", "-l", f"sparktest.dev/run-id={run.id}")

    ended = kubectl(stack, "logs", "gone")

    assert (ended.returncode, ended.stdout) == (3, "")
    assert f"sparktest logs {run.id}" in ended.stderr
    assert stack.log_of(run) == "kept\n"


def test_describe_and_list_show_a_testrun(stack: Stack) -> None:
    made = kubectl(stack, "run", "--image", IMAGE, "--name", "shown", "--wait", "--", "true")
    run = stack.run_of("shown")

    assert made.stdout == "testrun.sparktest.dev/shown\n"
    assert run.id in kubectl(stack, "list", "shown", "-o", "wide").stdout
    described = kubectl(stack, "describe", "shown").stdout
    assert f"sparktest logs {run.id}" in described
    assert "Finished" in described


def test_a_pod_of_several_containers_runs_and_each_log_can_be_read(
    stack: Stack, tmp_path: Path
) -> None:
    shell = {"image": IMAGE, "command": ["sh", "-c"]}
    spec = {
        "restartPolicy": "Never",
        "initContainers": [{"name": "fixtures", **shell, "args": ["echo prepared"]}],
        "containers": [{"name": "unit", **shell, "args": ["echo tested; exit 3"]}],
    }
    path = tmp_path / "pod.json"
    metadata = {"name": "several", "labels": {"case": "several"}}
    path.write_text(
        json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
    )

    ended = kubectl(stack, "run", "-f", str(path), "--follow")

    assert (ended.returncode, ended.stdout) == (1, "tested\n"), ended.stderr
    (run,) = stack.client.list_runs(label=["case=several"]).runs
    assert run.k8s_ref is not None
    assert kubectl(stack, "logs", run.k8s_ref.name, "-c", "fixtures").stdout == "prepared\n"
    assert kubectl(stack, "logs", run.k8s_ref.name, "-c", "nope").returncode == 2


def test_a_testrun_that_the_cluster_has_is_created_again_under_another_name(
    stack: Stack, tmp_path: Path
) -> None:
    first = kubectl(stack, "run", "--image", IMAGE, "--name", "first", "--wait", "--", "true")
    path = tmp_path / "first.yaml"
    path.write_text(stack.kubectl("get", "testruns.sparktest.dev", "first", "-o", "yaml"))

    again = kubectl(stack, "run", "-f", str(path), "--wait")

    assert (first.returncode, again.returncode) == (0, 0), again.stderr
    assert again.stdout.startswith("testrun.sparktest.dev/first-")
