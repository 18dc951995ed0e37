import uuid
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from sparktest.cli.plugin.testrun import plain_name
from tests.cli.conftest import Result
from tests.cli.plugin.conftest import World

Plugin = Callable[..., Result]


def made(world: World, out: str) -> dict[str, Any]:
    return world.testrun(plain_name(out.strip()))


def test_an_image_becomes_a_testrun_in_the_current_namespace(world: World, plugin: Plugin) -> None:
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
    testrun = made(world, result.out)
    assert result.out == f"testrun.sparktest.dev/{testrun['metadata']['name']}\n"
    assert testrun["metadata"]["name"].startswith("shop-test-")
    assert testrun["metadata"]["namespace"] == world.namespace
    assert testrun["metadata"]["labels"] == {"team": "x"}
    assert testrun["spec"] == {
        "image": "ghcr.io/team/Shop_Test:1",
        "command": ["printenv", "A B"],
        "env": {"A": "b=c"},
        "timeoutSeconds": 9,
        "ttlSecondsAfterFinished": 0,
        "serviceAccountName": "robot",
    }


def test_a_definition_is_named_by_name_or_by_id(world: World, plugin: Plugin) -> None:
    definition_id = str(uuid.uuid4())

    by_name = made(world, plugin("run", "Shop: check!", "--name", "mine").out)
    by_id = made(world, plugin("run", definition_id).out)

    assert by_name["metadata"]["name"] == "mine"
    assert by_name["spec"] == {"definitionName": "Shop: check!"}
    assert by_id["spec"] == {"definitionId": definition_id}
    assert by_id["metadata"]["name"].startswith("test-")


@pytest.mark.parametrize("name", ["Ünïcode", "-", "x" * 200, "a_b.c"])
def test_whatever_a_definition_is_called_its_testrun_has_a_name(
    world: World, plugin: Plugin, name: str
) -> None:
    assert made(world, plugin("run", name).out)["spec"] == {"definitionName": name}


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
def test_what_is_not_clear_is_wrong_usage(world: World, plugin: Plugin, args: list[str]) -> None:
    result = plugin("run", *args)

    assert (result.code, result.out) == (2, "")
    assert "See: kubectl sparktest run --help" in result.err
    assert world.names() == []


def test_what_the_cluster_refuses_is_one_line_with_the_field(world: World, plugin: Plugin) -> None:
    result = plugin("run", "--image", "i", "--name", "A B")

    assert result.code == 2
    assert result.err.startswith("sparktest: metadata/name: ")
    assert result.err.count("\n") == 1


def test_a_dry_run_prints_a_manifest_and_creates_nothing(world: World, plugin: Plugin) -> None:
    result = plugin("run", "--dry-run", "--image", "busybox", "--command", "true")

    manifest = yaml.safe_load(result.out)
    assert manifest["metadata"] == {"generateName": "busybox-", "namespace": world.namespace}
    assert manifest["spec"] == {"image": "busybox", "commands": ["true"]}
    assert world.names() == []


def test_run_and_wait_ends_with_the_outcome(world: World, plugin: Plugin) -> None:
    def ends() -> None:
        while "mine" not in world.names():
            pass
        failure = {"class": "config", "reason": "ErrImagePull", "message": "no such image"}
        world.says("mine", phase="Failed", failure=failure)

    world.soon(ends)

    result = plugin("run", "--image", "i", "--name", "mine", "--wait")

    assert result.code == 3
    last = result.err.splitlines()[-1]
    assert last == "sparktest: mine failed: config, ErrImagePull: no such image"
