import uuid
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from sparktest.cli.plugin.testrun import plain_name
from tests.cli.conftest import Result
from tests.cli.plugin.conftest import Sandbox

Plugin = Callable[..., Result]


def created(sandbox: Sandbox, out: str) -> dict[str, Any]:
    return sandbox.testrun(plain_name(out.strip()))


def test_an_image_becomes_a_testrun_in_the_current_namespace(
    sandbox: Sandbox, plugin: Plugin
) -> None:
    result = plugin(
        "run",
        "--image",
        "ghcr.io/team/Shop_Test:1",
        "-e",
        "A=b=c",
        "-l",
        "team=x",
        "--timeout",
        "9",
        "--ttl",
        "0",
        "--service-account",
        "robot",
        "--",
        "printenv",
        "A B",
    )

    assert (result.code, result.err) == (0, "")
    testrun = created(sandbox, result.out)
    assert result.out == f"testrun.sparktest.dev/{testrun['metadata']['name']}\n"
    assert testrun["metadata"]["name"].startswith("shop-test-")
    assert testrun["metadata"]["namespace"] == sandbox.namespace
    assert testrun["metadata"]["labels"] == {"team": "x"}
    assert testrun["spec"] == {
        "image": "ghcr.io/team/Shop_Test:1",
        "command": ["printenv", "A B"],
        "env": {"A": "b=c"},
        "timeoutSeconds": 9,
        "ttlSecondsAfterFinished": 0,
        "serviceAccountName": "robot",
    }


def test_dollars_after_the_double_dash_are_escaped_for_kubernetes(
    sandbox: Sandbox, plugin: Plugin
) -> None:
    result = plugin("run", "--image", "i", "--", "sh", "-c", "echo $(date) $$ $HOME")

    command = created(sandbox, result.out)["spec"]["command"]
    assert command == ["sh", "-c", "echo $$(date) $$$$ $$HOME"]


def test_a_definition_is_named_by_name_or_by_id(sandbox: Sandbox, plugin: Plugin) -> None:
    definition_id = str(uuid.uuid4())

    by_name = created(sandbox, plugin("run", "Shop: check!", "--name", "mine").out)
    by_id = created(sandbox, plugin("run", definition_id).out)

    assert by_name["metadata"]["name"] == "mine"
    assert by_name["spec"] == {"definitionName": "Shop: check!"}
    assert by_id["spec"] == {"definitionId": definition_id}
    assert by_id["metadata"]["name"].startswith("test-")


@pytest.mark.parametrize("name", ["Ünïcode", "-", "x" * 200, "a_b.c"])
def test_any_definition_name_gives_a_valid_testrun_name(
    sandbox: Sandbox, plugin: Plugin, name: str
) -> None:
    assert created(sandbox, plugin("run", name).out)["spec"] == {"definitionName": name}


@pytest.mark.parametrize(
    "args",
    [
        [],
        ["--image", "i", "--command", "a", "--", "b"],
        ["--image", "i", "-e", "A"],
        ["smoke", "--image", "i"],
        ["--", "smoke"],
        ["--image", "i", "echo", "hi"],
    ],
    ids=" ".join,
)
def test_ambiguous_arguments_are_a_usage_error(
    sandbox: Sandbox, plugin: Plugin, args: list[str]
) -> None:
    result = plugin("run", *args)

    assert (result.code, result.out) == (2, "")
    assert "See: kubectl sparktest run --help" in result.err
    assert sandbox.names() == []


def test_a_rejected_testrun_is_one_line_with_the_field(sandbox: Sandbox, plugin: Plugin) -> None:
    result = plugin("run", "--image", "i", "--name", "A B")

    assert result.code == 2
    assert result.err.startswith("sparktest: metadata/name: ")
    assert result.err.count("\n") == 1


def test_a_dry_run_prints_a_manifest_and_creates_nothing(sandbox: Sandbox, plugin: Plugin) -> None:
    result = plugin("run", "--dry-run", "--image", "busybox", "--command", "true")

    manifest = yaml.safe_load(result.out)
    assert manifest["metadata"] == {"generateName": "busybox-", "namespace": sandbox.namespace}
    assert manifest["spec"] == {"image": "busybox", "commands": ["true"]}
    assert sandbox.names() == []


def test_run_with_wait_returns_the_outcome(sandbox: Sandbox, plugin: Plugin) -> None:
    def ends() -> None:
        while "mine" not in sandbox.names():
            pass
        failure = {"class": "config", "reason": "ErrImagePull", "message": "no such image"}
        sandbox.set_status("mine", phase="Failed", failure=failure)

    sandbox.in_background(ends)

    result = plugin("run", "--image", "i", "--name", "mine", "--wait")

    assert result.code == 3
    last = result.err.splitlines()[-1]
    assert last == "sparktest: mine failed: config, ErrImagePull: no such image"
