from pathlib import Path

import pytest

from sparktest.cli.apply import place_error
from sparktest.cli.manifests.files import Document
from sparktest.client import ApiClient
from tests.cli.conftest import Cli

FILE = """\
apiVersion: sparktest.dev/v1alpha1
kind: Schedule
name: nightly
definition: load
cron: 0 2 * * *
---
kind: Definition
name: load
executor: k6
env: {VUS: "5"}
---
kind: Executor
name: k6
image: grafana/k6
"""


def test_a_file_of_several_kinds_is_applied_and_applied_again(cli: Cli, api: ApiClient) -> None:
    first = cli("definitions", "apply", "-f", "-", stdin=FILE)
    again = cli("schedules", "apply", "-f", "-", stdin=FILE)

    assert (first.code, first.err) == (0, "")
    assert first.out.splitlines() == [
        "schedule/nightly created",
        "definition/load created",
        "executor/k6 created",
    ]
    assert again.out == first.out.replace("created", "unchanged")
    (schedule,) = api.schedules.list()
    (definition,) = api.definitions.list()
    assert schedule.definition_id == definition.id
    assert definition.executor_id == api.executors.list()[0].id


def test_a_dry_run_shows_a_diff_and_stores_nothing(cli: Cli, api: ApiClient) -> None:
    made = api.definitions.create({"name": "load", "image": "busybox:1.35", "commands": ["true"]})
    document = "name: load\nimage: busybox:1.36\ncommands: ['true']\n"

    result = cli("definitions", "apply", "--dry-run", "-f", "-", stdin=document)

    assert (result.code, result.err) == (0, "")
    head, *diff = result.out.splitlines()
    assert head == "definition/load changed (dry run)"
    assert [line for line in diff if line[0] in "+-"] == [
        "--- before",
        "+++ after",
        "-image: busybox:1.35",
        "+image: busybox:1.36",
    ]
    assert api.definitions.get(made.id) == made


def test_the_diff_is_coloured_on_demand(
    cli: Cli, api: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLICOLOR_FORCE", "1")

    result = cli("executors", "apply", "--diff", "-f", "-", stdin="name: k6\nimage: grafana/k6\n")

    assert "\x1b[32m+name: k6\x1b[0m" in result.out
    assert [made.name for made in api.executors.list()] == ["k6"]


@pytest.mark.parametrize("form", ["yaml", "json"])
@pytest.mark.parametrize("command", ["get", "list"])
def test_the_output_of_get_and_list_can_be_applied(
    cli: Cli, api: ApiClient, form: str, command: str
) -> None:
    cli("executors", "apply", "-f", "-", stdin=FILE)
    for group, name in (("definitions", "load"), ("executors", "k6"), ("schedules", "nightly")):
        words = (name,) if command == "get" else ()
        document = cli(group, command, *words, "-o", form).out

        result = cli(group, "apply", "-f", "-", stdin=document)

        assert (result.code, result.err) == (0, "")
        assert result.out == f"{group.removesuffix('s')}/{name} unchanged\n"


def test_every_problem_is_named_with_file_and_field(
    cli: Cli, api: ApiClient, tmp_path: Path
) -> None:
    path = tmp_path / "all.yaml"
    path.write_text(f"{FILE}---\nkind: Definition\nname: x\nexecutor: k7\nimag: y\n")

    result = cli("definitions", "apply", "-f", str(path))

    assert (result.code, result.out) == (2, "")
    assert f"{path}: document 4 (Definition): executor: no executor is called 'k7'" in result.err
    assert f"{path}: document 4 (Definition): imag: unknown field" in result.err
    assert result.err.endswith("\nsparktest: nothing was stored\n")
    assert (api.definitions.list(), api.executors.list()) == ((), ())


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ("kind: Job\nname: x", "kind: must be one of Executor, Definition"),
        ("apiVersion: v1\nname: x\nimage: y", "apiVersion: must be sparktest.dev/v1alpha1"),
        ("just text", "must be an object"),
        ("- just text", "item 1: must be an object"),
        (
            "name: x\ntemplate: {spec: {volume: []}}",
            "template.spec.volume: unknown field; did you mean volumes?",
        ),
    ],
)
def test_what_can_be_checked_here_is_not_sent(
    cli: Cli, api: ApiClient, document: str, problem: str
) -> None:
    result = cli("definitions", "apply", "-f", "-", stdin=document)

    assert (result.code, result.out) == (2, "")
    assert problem in result.err
    assert api.definitions.list() == ()


def test_a_file_is_needed(cli: Cli) -> None:
    assert cli("definitions", "apply").code == 2


@pytest.mark.parametrize(
    ("pointer", "expected"),
    [
        ("/documents/0/git/url", "a.yaml: git.url: wrong"),
        ("/documents/0/commands/2", "a.yaml: commands[2]: wrong"),
        ("/documents/0/env/a~1b", "a.yaml: env.a/b: wrong"),
        ("/documents/0", "a.yaml: wrong"),
        ("/documents", "wrong"),
        ("/documents/7/name", "wrong"),
    ],
)
def test_a_pointer_becomes_a_path_in_the_file(pointer: str, expected: str) -> None:
    documents = [Document("a.yaml", {})]

    assert place_error(documents, {"pointer": pointer, "detail": "wrong"}) == expected
