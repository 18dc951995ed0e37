"""Files that people have: Jobs and Pods run, what is no test of SparkTest is refused."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sparktest.domain import Status
from tests.e2e.stack import Stack
from tests.e2e.test_kubectl_plugin import BIN
from tests.requirements import require_program

pytestmark = pytest.mark.e2e
CASES = Path(__file__).parent / "cases"
CLIS = ("sparktest", "kubectl sparktest")


def run_file(stack: Stack, cli: str, file: str, *args: str) -> "subprocess.CompletedProcess[str]":
    """Call `run -f` with the file as its last argument."""
    command = [sys.executable, "-m", "sparktest", "run"]
    if cli != "sparktest":
        command = [require_program("kubectl"), "sparktest", "run", "-n", stack.namespace]
    return subprocess.run(
        [*command, *args, "-f", str(CASES / file)],
        env=stack.environ | {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize("cli", CLIS)
def test_the_template_of_a_job_runs(stack: Stack, cli: str) -> None:
    ended = run_file(stack, cli, "job.yaml", "--follow")

    assert (ended.returncode, ended.stdout) == (0, "hi\n"), ended.stderr


@pytest.mark.parametrize("cli", CLIS)
def test_the_container_of_a_pod_runs(stack: Stack, cli: str) -> None:
    before = {run.id for run in stack.client.list_runs(limit=1000).runs}

    ended = run_file(stack, cli, "helm-test.yaml", "--wait")

    # There is no host `shop`, so wget ends with an error.
    assert ended.returncode == 1, ended.stderr
    (run,) = (run for run in stack.client.list_runs(limit=1000).runs if run.id not in before)
    assert run.status is Status.FAILED
    assert run.containers == ("wget",)
    assert run.failure is not None
    assert run.failure.class_ == "test"


@pytest.mark.parametrize("cli", CLIS)
@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("k6.yaml", ["k6.yaml", "document 1", "k6.io"]),
        (
            "wrong-place.yaml",
            ["wrong-place.yaml", "document 2", "volumes", "nodeSelector", "backoffLimit"],
        ),
    ],
)
def test_what_is_no_test_is_refused_and_nothing_starts(
    stack: Stack, cli: str, file: str, words: list[str]
) -> None:
    refused = run_file(stack, cli, file)

    assert refused.returncode == 2
    assert [word for word in words if word not in refused.stderr] == [], refused.stderr
    assert refused.stdout == ""
    names = {run.name for run in stack.client.list_runs(limit=1000).runs}
    assert not names & {"must-not-start", "with-volumes", "load"}
