import json
from pathlib import Path

import pytest

from sparktest.client import ApiClient
from tests.cli.conftest import Cli


def test_a_definition_is_created_from_options(cli: Cli, api: ApiClient) -> None:
    result = cli(
        "definitions",
        "create",
        "--name",
        "smoke",
        "--image",
        "busybox",
        "--command",
        "true",
        "--command",
        "echo hi",
        "-e",
        "A=b",
        "--timeout",
        "7",
        "--description",
        "quick",
        "--label",
        "web",
        "--label",
        "nightly",
    )

    assert (result.code, result.err) == (0, "")
    made = api.definitions.get(result.out.strip())
    assert (made.name, made.image, made.commands) == ("smoke", "busybox", ("true", "echo hi"))
    assert (made.env, made.timeout_seconds) == ({"A": "b"}, 7)
    assert (made.description, made.labels) == ("quick", ("web", "nightly"))


@pytest.mark.parametrize("command", [("create", "--name", "new"), ("update", "smoke")])
def test_a_template_with_an_unknown_field_is_refused(
    cli: Cli, api: ApiClient, tmp_path: Path, command: tuple[str, ...]
) -> None:
    before = api.definitions.create({"name": "smoke", "image": "busybox"})
    path = tmp_path / "definition.yaml"
    path.write_text(
        "template: {spec: {volume: [], containers: [{name: test, comand: [x], args: null}]}}"
    )

    result = cli("definitions", *command, "-f", str(path))

    assert (result.code, result.out) == (2, "")
    assert "template.spec.volume: unknown field; did you mean volumes?" in result.err
    assert "template.spec.containers[0].comand: unknown field; did you mean command?" in result.err
    assert list(api.definitions.list()) == [before]


@pytest.mark.parametrize("form", ["yaml", "json"])
def test_options_override_the_file_of_a_new_definition(
    cli: Cli, api: ApiClient, tmp_path: Path, form: str
) -> None:
    body = {"name": "smoke", "image": "busybox", "args": ["a"], "serviceAccountName": "robot"}
    path = tmp_path / f"definition.{form}"
    path.write_text(json.dumps(body))

    made = api.definitions.get(
        cli("definitions", "create", "-f", str(path), "--name", "mine").out.strip()
    )

    assert (made.name, made.image, made.args) == ("mine", "busybox", ("a",))
    assert made.service_account_name == "robot"


def test_the_output_of_show_can_be_created_again(cli: Cli, api: ApiClient) -> None:
    api.definitions.create({"name": "smoke", "image": "busybox", "commands": ["true"]})
    document = json.loads(cli("definitions", "get", "smoke", "-o", "json").out)
    text = json.dumps({key: value for key, value in document.items() if value is not None})

    result = cli("definitions", "create", "-f", "-", "--name", "copy", stdin=text)

    assert result.code == 0
    assert api.definitions.get(result.out.strip()).commands == ("true",)


def test_every_wrong_field_is_named(cli: Cli, api: ApiClient) -> None:
    result = cli("definitions", "create", "--image", "i", "-e", "1A=b", "--timeout", "5")

    assert (result.code, result.out) == (2, "")
    assert all(f"{field}:" in result.err for field in ("name", "env/1A"))


def test_definitions_are_listed_and_searched(cli: Cli, api: ApiClient) -> None:
    for name in ("checkout", "smoke"):
        api.definitions.create({"name": name, "image": "busybox", "command": ["a"], "args": ["b"]})

    assert [line.split()[1] for line in cli("definitions", "list").out.splitlines()] == [
        "NAME",
        "smoke",
        "checkout",
    ]
    assert len(cli("definitions", "list", "-q", "check", "-o", "name").out.splitlines()) == 1
    assert "a; b" in cli("definitions", "get", "smoke", "-o", "wide").out


def test_definitions_are_deleted(cli: Cli, api: ApiClient) -> None:
    api.definitions.create({"name": "smoke", "image": "busybox"})

    assert cli("definitions", "delete", "smoke").code == 0
    assert cli("definitions", "delete", "smoke").code == 2
    assert api.definitions.list() == ()


def made(api: ApiClient, **fields: object) -> str:
    body = {"name": "smoke", "image": "busybox", "commands": ["true"], "env": {"A": "1"}}
    return api.definitions.create(body | fields).id


def test_update_changes_only_the_given_fields(cli: Cli, api: ApiClient) -> None:
    made(api, labels=["a", "b"], timeoutSeconds=5)

    result = cli("definitions", "update", "smoke", "--image", "alpine", "-e", "B=2", "--label", "c")

    changed = api.definitions.get(result.out.strip())
    assert (changed.image, changed.commands, changed.timeout_seconds) == ("alpine", ("true",), 5)
    assert changed.env == {"A": "1", "B": "2"}
    assert changed.labels == ("c",)


def test_update_takes_a_file_in_which_null_removes(cli: Cli, api: ApiClient) -> None:
    made(api, timeoutSeconds=5, description="old")

    cli("definitions", "update", "smoke", "-f", "-", stdin="timeoutSeconds: null\nenv: {A: null}")

    (changed,) = api.definitions.list()
    assert (changed.timeout_seconds, changed.env) == (None, {})
    assert changed.description == "old"


def test_new_shell_commands_replace_a_program(cli: Cli, api: ApiClient) -> None:
    made(api, commands=[], command=["sleep"], args=["1"])

    assert cli("definitions", "update", "smoke", "--command", "echo hi").code == 0

    (changed,) = api.definitions.list()
    assert (changed.commands, changed.command, changed.args) == (("echo hi",), (), ())


def test_a_new_definition_needs_an_image_or_an_executor(cli: Cli, api: ApiClient) -> None:
    result = cli("definitions", "create", "--name", "x")
    (error,) = result.err.splitlines()
    executor = cli("definitions", "create", "-f", "-", stdin="name: x\nexecutorId: e\n")

    assert result.code == 2
    assert error.startswith("sparktest: Give --image IMAGE, --executor EXECUTOR, or a file with")
    assert "--image" not in executor.err


def test_an_update_without_fields_is_wrong_usage(cli: Cli, api: ApiClient) -> None:
    made(api)

    assert cli("definitions", "update", "smoke").code == 2


@pytest.fixture
def editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """`editor("s/busybox/alpine/")`: edit the file with a sed script."""

    def use(script: str, then: str = "true") -> None:
        path = tmp_path / "editor"
        path.write_text(f'#!/bin/sh\nsed -i "{script}" "$1" && {then}\n')
        path.chmod(0o755)
        monkeypatch.setenv("VISUAL", str(path))

    return use


def test_edit_replaces_the_definition_with_the_edited_text(
    cli: Cli, api: ApiClient, editor
) -> None:
    definition_id = made(api, description="old")
    editor("s/busybox/alpine/; /description/d")

    result = cli("definitions", "edit", "smoke")

    assert (result.code, result.out) == (0, "")
    changed = api.definitions.get(definition_id)
    assert (changed.image, changed.description, changed.commands) == ("alpine", "", ("true",))
    assert changed.env == {"A": "1"}


@pytest.mark.parametrize("script", ["", "d", "/^[^#]/d"], ids=["same", "empty", "comments"])
def test_an_unchanged_or_empty_edit_changes_nothing(
    cli: Cli, api: ApiClient, editor, script: str
) -> None:
    definition_id = made(api)
    editor(script)

    result = cli("definitions", "edit", "smoke")

    assert result.code == 0
    assert "is not changed" in result.err
    assert api.definitions.get(definition_id).version == 1


def test_an_edit_does_not_overwrite_a_concurrent_change(
    cli: Cli, api: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    definition_id = made(api)

    def meanwhile(text: str, **kw: object) -> str:
        api.definitions.patch(definition_id, {"description": "theirs"})
        return text.replace("busybox", "alpine")

    monkeypatch.setattr("click.edit", meanwhile)
    result = cli("definitions", "edit", "smoke")

    assert result.code == 2
    assert "version 2" in result.err
    assert api.definitions.get(definition_id).image == "busybox"


def test_an_edit_that_is_not_yaml_is_an_error_and_changes_nothing(
    cli: Cli, api: ApiClient, editor
) -> None:
    made(api)
    editor("s/^image.*/image: [/")

    result = cli("definitions", "edit", "smoke")

    assert result.code == 2
    assert "is not YAML" in result.err


def test_a_definition_is_shown_with_all_fields_and_run(cli: Cli, api: ApiClient) -> None:
    made(api)

    assert "commands:\n- 'true'\n" in cli("definitions", "show", "smoke").out
    run = api.get_run(cli("definitions", "run", "smoke", "--name", "mine").out.strip())
    assert (run.name, run.definition_name) == ("mine", "smoke")


@pytest.mark.parametrize("command", ["/no/such/editor", "false", "vi '"])
def test_an_editor_that_fails_is_named_and_changes_nothing(
    cli: Cli, api: ApiClient, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    definition_id = made(api)
    monkeypatch.setenv("VISUAL", command)

    result = cli("definitions", "edit", "smoke")

    assert result.code == 3
    assert result.err.startswith("sparktest: the editor failed: ")
    assert result.err.endswith("; nothing was changed\n")
    assert result.err.count("\n") == 1
    assert api.definitions.get(definition_id).version == 1


def test_a_definition_with_a_template_and_git_is_created_shown_and_created_again(
    cli: Cli, api: ApiClient
) -> None:
    document = """
    name: unit
    git: {url: "https://example.org/shop.git", ref: main}
    template: {spec: {containers: [{name: unit, image: "busybox:1", command: [make]}]}}
    """

    made = cli("definitions", "create", "-f", "-", stdin=document)
    shown = cli("definitions", "show", "unit").out
    again = cli("definitions", "create", "-f", "-", "--name", "other", stdin=shown)

    assert (made.code, again.code) == (0, 0)
    first, second = (api.definitions.get(each.out.strip()) for each in (made, again))
    assert first.git == second.git == {"url": "https://example.org/shop.git", "ref": "main"}
    assert first.template == second.template != {}
    (heading, *rows) = cli("definitions", "list").out.splitlines()
    assert heading.split()[2] == "IMAGE"
    assert [row.split()[2] for row in rows] == ["busybox:1", "busybox:1"]


def test_an_image_option_overrides_the_template_of_a_definition(cli: Cli, api: ApiClient) -> None:
    template = {"spec": {"containers": [{"name": "unit", "image": "busybox:1"}]}}
    api.definitions.create({"name": "smoke", "template": template})

    run = api.get_run(cli("run", "smoke", "--image", "busybox:2", "--", "true").out.strip())

    assert (run.image, run.entrypoint, run.containers) == ("busybox:2", ("true",), ("unit",))
