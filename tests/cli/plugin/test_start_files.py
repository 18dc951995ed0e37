"""The command run with files of manifests."""

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from sparktest.kube.resources import TESTRUNS
from tests.cli.conftest import Result
from tests.cli.plugin.conftest import Sandbox

Plugin = Callable[..., Result]

TESTRUN = """
apiVersion: sparktest.dev/v1alpha1
kind: TestRun
metadata: {name: hello, labels: {team: a}}
spec: {image: busybox, commands: [echo hello]}
"""
JOB = """
apiVersion: batch/v1
kind: Job
metadata: {name: unit}
spec: {template: {spec: {containers: [{name: t, image: busybox}]}}}
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "manifests.yaml"


def test_every_document_becomes_a_testrun(sandbox: Sandbox, plugin: Plugin, path: Path) -> None:
    path.write_text(f"{TESTRUN}---{JOB}")

    result = plugin("run", "-f", str(path), "-e", "A=b", "-l", "day=1")

    assert (result.code, result.err) == (0, "")
    first, second = (line.partition("/")[2] for line in result.out.splitlines())
    assert first == "hello"
    assert sandbox.testrun(first)["metadata"]["labels"] == {"team": "a", "day": "1"}
    assert second.startswith("unit-")
    assert sandbox.testrun(second)["spec"] == {
        "template": {"spec": {"containers": [{"name": "t", "image": "busybox"}]}},
        "env": {"A": "b"},
    }


@pytest.mark.parametrize(
    ("text", "args", "problem"),
    [
        (f"{TESTRUN}---{JOB}", ["--name", "x"], "--name is for one TestRun; the files hold 2"),
        (JOB, ["smoke"], "Give one of: a definition, -f FILE, --image IMAGE"),
        (
            f"{TESTRUN}---{JOB.replace('containers', 'container')}",
            [],
            "document 2 (Job unit): spec.template.spec.container: unknown field; did you mean "
            "containers?",
        ),
        (
            f"{JOB}---{TESTRUN.replace('name: hello', 'name: Hello')}",
            [],
            "document 2 (TestRun Hello): metadata/name: ",
        ),
        (
            TESTRUN.replace("name: hello", "name: hello, namespace: other"),
            ["-n", "mine"],
            "metadata.namespace: is other, but --namespace mine",
        ),
    ],
)
def test_when_a_document_or_an_option_is_wrong_nothing_starts(
    sandbox: Sandbox, plugin: Plugin, path: Path, text: str, args: list[str], problem: str
) -> None:
    path.write_text(text)

    result = plugin("run", "-f", str(path), *args)

    assert (result.code, result.out) == (2, "")
    assert problem in result.err
    assert sandbox.names() == []


def test_a_document_chooses_its_namespace(sandbox: Sandbox, plugin: Plugin, path: Path) -> None:
    path.write_text(TESTRUN.replace("name: hello", "name: hello, namespace: default"))

    result = plugin("run", "-f", str(path), "--name", sandbox.namespace)

    assert (result.code, sandbox.names()) == (0, [])
    # Raises unless it is there.
    sandbox.cluster.delete(TESTRUNS, "default", sandbox.namespace)


def test_a_dry_run_of_several_prints_a_list(sandbox: Sandbox, plugin: Plugin, path: Path) -> None:
    path.write_text(f"{TESTRUN}---{JOB}")

    listed = yaml.safe_load(plugin("run", "-f", str(path), "--dry-run").out)

    assert listed["kind"] == "List"
    assert [each["metadata"] for each in listed["items"]] == [
        {"name": "hello", "labels": {"team": "a"}, "namespace": sandbox.namespace},
        {"generateName": "unit-", "namespace": sandbox.namespace},
    ]
    assert sandbox.names() == []


def test_a_wait_ends_with_the_first_that_did_not_pass(
    sandbox: Sandbox, plugin: Plugin, path: Path
) -> None:
    path.write_text(f"{TESTRUN}---{TESTRUN.replace('hello', 'again')}")

    def end() -> None:
        while len(sandbox.names()) < 2:
            pass
        failure = {"class": "infra", "reason": "NodeLost"}
        sandbox.set_status("again", phase="Failed", failure=failure)
        sandbox.set_status("hello", phase="Succeeded")

    sandbox.in_background(end)

    result = plugin("run", "-f", str(path), "--wait")

    assert result.code == 3
    outcomes = [line for line in result.err.splitlines() if "pending" not in line]
    assert outcomes == ["sparktest: hello succeeded", "sparktest: again failed: infra, NodeLost"]
