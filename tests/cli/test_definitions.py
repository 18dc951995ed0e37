import json
from pathlib import Path

import pytest

from sparktest.client import ApiClient
from tests.cli.conftest import Cli


def test_a_definition_is_made_of_options(cli: Cli, api: ApiClient) -> None:
    result = cli(
        "definitions", "create", "--name", "smoke", "--image", "busybox", "--command", "true",
        "--command", "echo hi", "-e", "A=b", "--timeout", "7", "--description", "quick",
        "--label", "web", "--label", "nightly",
    )  # fmt: skip

    assert (result.code, result.err) == (0, "")
    made = api.get_definition(result.out.strip())
    assert (made.name, made.image, made.commands) == ("smoke", "busybox", ("true", "echo hi"))
    assert (made.env, made.timeout_seconds) == ({"A": "b"}, 7)
    assert (made.description, made.labels) == ("quick", ("web", "nightly"))


@pytest.mark.parametrize("form", ["yaml", "json"])
def test_a_definition_is_made_of_a_file_and_options_win(
    cli: Cli, api: ApiClient, tmp_path: Path, form: str
) -> None:
    body = {"name": "smoke", "image": "busybox", "args": ["a"], "serviceAccountName": "robot"}
    path = tmp_path / f"definition.{form}"
    path.write_text(json.dumps(body))

    made = api.get_definition(
        cli("definitions", "create", "-f", str(path), "--name", "mine").out.strip()
    )

    assert (made.name, made.image, made.args) == ("mine", "busybox", ("a",))
    assert made.service_account_name == "robot"


def test_what_is_shown_can_be_created_again(cli: Cli, api: ApiClient) -> None:
    api.create_definition({"name": "smoke", "image": "busybox", "commands": ["true"]})
    document = json.loads(cli("definitions", "get", "smoke", "-o", "json").out)
    text = json.dumps({key: value for key, value in document.items() if value is not None})

    result = cli("definitions", "create", "-f", "-", stdin=text)

    assert result.code == 0
    assert api.get_definition(result.out.strip()).commands == ("true",)


def test_every_wrong_field_is_named(cli: Cli, api: ApiClient) -> None:
    result = cli("definitions", "create", "-e", "1A=b", "--timeout", "5")

    assert (result.code, result.out) == (2, "")
    assert all(f"{field}:" in result.err for field in ("name", "image", "env/1A"))


def test_definitions_are_listed_and_searched(cli: Cli, api: ApiClient) -> None:
    for name in ("checkout", "smoke"):
        api.create_definition({"name": name, "image": "busybox", "command": ["a"], "args": ["b"]})

    assert [line.split()[1] for line in cli("definitions", "list").out.splitlines()] == [
        "NAME", "smoke", "checkout",
    ]  # fmt: skip
    assert len(cli("definitions", "list", "-q", "check", "-o", "name").out.splitlines()) == 1
    assert "a; b" in cli("definitions", "get", "smoke", "-o", "wide").out


def test_definitions_are_deleted(cli: Cli, api: ApiClient) -> None:
    api.create_definition({"name": "smoke", "image": "busybox"})

    assert cli("definitions", "delete", "smoke").code == 0
    assert cli("definitions", "delete", "smoke").code == 2
    assert api.list_definitions() == ()
