import subprocess
import sys
from pathlib import Path

import pytest

from sparktest.cli.plugin.completion import main
from tests.cli.plugin.conftest import World
from tests.need import need_program


@pytest.fixture
def offered(capsys: pytest.CaptureFixture[str]):
    """`offered("logs", "")`: the candidates with their words, and the number at the end."""

    def call(*words: str) -> tuple[list[str], str]:
        assert main(words) == 0
        said = capsys.readouterr()
        assert said.err == ""
        *lines, directive = said.out.splitlines()
        return lines, directive

    return call


def test_commands_and_options_are_offered(offered) -> None:
    assert offered("wa") == (["wait\tWait until TestRuns have ended."], ":4")
    assert offered("list", "-o", "na") == (["name"], ":4")
    assert offered("run", "--im")[0] == ["--image\tRun an image, without a definition."]
    assert offered("list", "--kubeconfig", "") == ([], ":0")


def test_testruns_are_offered_where_they_can_be_used(world: World, offered) -> None:
    world.apply("busy", definitionName="checkout")
    world.apply("over", definitionName="not $(safe)")
    world.says("over", phase="Failed")

    assert sorted(offered("logs", "")[0]) == ["busy\tPending", "over\tFailed"]
    assert offered("cancel", "")[0] == ["busy\tPending"]
    assert offered("wait", "busy", "")[0] == ["over\tFailed"]
    assert offered("logs", "o")[0] == ["over\tFailed"]
    assert offered("run", "")[0] == ["checkout\tdefinition"]
    assert world.namespace in offered("list", "-n", "")[0]
    assert offered("list", "--context", "")[0] == ["sparktest-devcluster"]


def test_another_namespace_on_the_line_counts(world: World, offered) -> None:
    world.apply("here")

    assert offered("logs", "-n", "nowhere", "") == ([], ":4")


def test_without_a_cluster_nothing_is_offered_or_said(
    offered, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", "/nope")

    assert offered("logs", "") == ([], ":4")
    assert offered("list", "--context", "") == ([], ":4")


def test_kubectl_finds_the_plugin_and_asks_for_completion(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    kubectl = need_program("kubectl")
    world.apply("mine")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{Path(kubectl).parent}")

    def says(*args: str) -> str:
        answer = subprocess.run([kubectl, *args], capture_output=True, text=True, check=True)
        return answer.stdout

    assert says("sparktest", "list", "-o", "name") == "testrun.sparktest.dev/mine\n"
    assert says("__complete", "sparktest", "logs", "").splitlines() == ["mine\tPending", ":4"]
