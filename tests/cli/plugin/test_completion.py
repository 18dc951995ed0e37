import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.plugin.conftest import Sandbox
from tests.requirements import require_program


def test_commands_and_options_are_offered(complete) -> None:
    assert complete("wa") == (["wait\tWait until TestRuns have ended."], ":4")
    assert complete("list", "-o", "na") == (["name"], ":4")
    assert complete("run", "--im")[0] == [
        "--image\tThe image to run; with a manifest, instead of its image."
    ]
    assert complete("list", "--kubeconfig", "") == ([], ":0")


def test_only_usable_testruns_are_offered(sandbox: Sandbox, complete) -> None:
    sandbox.apply("busy", definitionName="checkout")
    sandbox.apply("over", definitionName="not $(safe)")
    sandbox.set_status("over", phase="Failed")

    assert sorted(complete("logs", "")[0]) == ["busy\tPending", "over\tFailed"]
    assert complete("cancel", "")[0] == ["busy\tPending"]
    assert complete("wait", "busy", "")[0] == ["over\tFailed"]
    assert complete("logs", "o")[0] == ["over\tFailed"]
    assert complete("run", "")[0] == ["checkout\tdefinition"]
    assert sandbox.namespace in complete("list", "-n", "")[0]
    assert complete("list", "--context", "")[0] == ["sparktest-devcluster"]


def test_the_namespace_option_is_used(sandbox: Sandbox, complete) -> None:
    sandbox.apply("here")

    assert complete("logs", "-n", "nowhere", "") == ([], ":4")


def test_without_a_cluster_there_are_no_completions_and_no_message(
    complete, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", "/nope")

    assert complete("logs", "") == ([], ":4")
    assert complete("list", "--context", "") == ([], ":4")


def test_kubectl_finds_the_plugin_and_its_completions(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    kubectl = require_program("kubectl")
    sandbox.apply("mine")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{Path(kubectl).parent}")

    def output_of(*args: str) -> str:
        answer = subprocess.run([kubectl, *args], capture_output=True, text=True, check=True)
        return answer.stdout

    assert output_of("sparktest", "list", "-o", "name") == "testrun.sparktest.dev/mine\n"
    assert output_of("__complete", "sparktest", "logs", "").splitlines() == ["mine\tPending", ":4"]
