"""Runs that once got a wrong or empty verdict, from the manifests in `cases/`."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from sparktest.domain import FailureClass, Run, Status
from sparktest.kube.resources import PODS
from tests.e2e.images import require_wrong_arch_image
from tests.e2e.stack import Stack

pytestmark = pytest.mark.e2e
CASES = Path(__file__).parent / "cases"


def apply(stack: Stack, file: str) -> None:
    """Apply the TestRuns of a file."""
    for manifest in yaml.safe_load_all((CASES / file).read_text()):
        stack.target.apply(stack.namespace, manifest)


@pytest.fixture(scope="session", autouse=True)
def testruns(stack: Stack) -> None:
    """Start the TestRuns that every target can run together."""
    for file in ("testruns.yaml", "not-executable.yaml"):
        apply(stack, file)


def sparktest(stack: Stack, *args: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "sparktest", *args],
        env=stack.environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def ended(stack: Stack, name: str) -> Run:
    stack.wait_until_finished(name)
    return stack.run_of(name)


def pod_of(stack: Stack, run: Run) -> dict[str, Any]:
    selector = f"job-name={run.job_name}"
    (pod,) = stack.cluster.list(PODS, stack.namespace, label_selector=selector).items
    return pod


def test_two_dollars_and_substitutions_reach_the_shell_as_written(stack: Stack) -> None:
    run = ended(stack, "dollar")

    assert run.status is Status.SUCCEEDED
    assert "env: Hello$$World$(HOME)\n" in stack.log_of(run)


def test_a_variable_whose_name_has_dots_is_in_the_container_as_written(stack: Stack) -> None:
    run = ended(stack, "spring-env")

    assert run.status is Status.SUCCEEDED
    assert stack.log_of(run) == "spring.datasource.url=jdbc:postgresql://db/shop\n"


def test_a_failing_init_container_is_named_with_its_code_and_last_line(stack: Stack) -> None:
    run = ended(stack, "failing-init")

    assert run.failure is not None
    assert (run.failure.class_, run.failure.reason) == (FailureClass.CONFIG, "Init:Error")
    assert (run.failure.container, run.failure.exit_code) == ("fixtures", 2)
    assert "no such bucket" in run.failure.message
    log = sparktest(stack, "logs", run.id, "-c", "fixtures")
    assert (log.returncode, log.stdout) == (0, "no such bucket\n")


def test_labels_of_a_testrun_are_labels_of_its_run_and_those_of_the_template_of_its_pod(
    stack: Stack,
) -> None:
    run = ended(stack, "labelled")

    found = sparktest(stack, "runs", "-l", "team=shop", "-o", "name")
    assert found.stdout.split() == [run.id]
    metadata = pod_of(stack, run)["metadata"]
    assert metadata["labels"]["tier"] == "e2e"
    assert metadata["annotations"]["sidecar.istio.io/inject"] == "false"
    assert "team" not in metadata["labels"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("wrong-arch", "exec format error"),
        ("no-shebang", "exec format error"),
        ("not-there", "no such file or directory"),
        # Where the image says that root may execute it, the kernel does not know its format.
        ("not-executable", "permission denied|exec format error"),
    ],
)
def test_a_program_that_cannot_be_executed_is_a_configuration_failure(
    stack: Stack, name: str, words: str, tmp_path: Path
) -> None:
    if name in ("wrong-arch", "no-shebang"):
        if not stack.target.real:
            pytest.skip("a dev cluster has no images")
        require_wrong_arch_image(stack.cluster, tmp_path)
        (manifest,) = (
            each
            for each in yaml.safe_load_all((CASES / "wrong-arch.yaml").read_text())
            if each["metadata"]["name"] == name
        )
        stack.target.apply(stack.namespace, manifest)

    run = ended(stack, name)

    assert run.status is Status.FAILED
    assert run.failure is not None
    assert run.failure.class_ is FailureClass.CONFIG
    assert run.failure.reason
    assert re.search(words, run.failure.message.lower())
    assert sparktest(stack, "wait", run.id).returncode == 3


def test_a_program_that_a_shell_does_not_find_is_a_failed_test(stack: Stack) -> None:
    run = ended(stack, "cmd-not-found")

    assert run.failure is not None
    assert (run.failure.class_, run.failure.exit_code) == (FailureClass.TEST, 127)
    assert sparktest(stack, "wait", run.id).returncode == 1
