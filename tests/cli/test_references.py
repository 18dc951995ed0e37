"""Names instead of ids where an object refers to others."""

from pathlib import Path

import pytest
import yaml

from sparktest.client import ApiClient
from tests.cli.conftest import Cli

FILE = """\
{kind: Executor, name: k6, image: grafana/k6}
---
{kind: Definition, name: load, executor: k6, env: {VUS: "5"}}
---
{kind: Definition, name: smoke, image: busybox}
---
{kind: Suite, name: all, definitions: [smoke, load, smoke]}
---
{kind: Schedule, name: nightly, suite: all, cron: 0 2 * * *}
---
{kind: Schedule, name: hourly, definition: load, cron: "@hourly"}
"""
# In the order in which they can be deleted.
GROUPS = ("schedules", "suites", "definitions", "executors")


def test_what_was_exported_can_be_applied_to_an_empty_api(cli: Cli, api: ApiClient) -> None:
    assert cli("suites", "apply", "-f", "-", stdin=FILE).code == 0
    exports = [cli(group, "list", "-o", "yaml").out for group in GROUPS]
    for group in GROUPS:
        for made in getattr(api, group).list():
            getattr(api, group).delete(made.id)

    # The documents have a kind, so the group does not matter.
    result = cli("executors", "apply", "-f", "-", stdin="---\n".join(exports))

    assert (result.code, result.err) == (0, "")
    assert sorted(result.out.splitlines()) == [
        "definition/load created",
        "definition/smoke created",
        "executor/k6 created",
        "schedule/hourly created",
        "schedule/nightly created",
        "suite/all created",
    ]
    again = [cli(group, "list", "-o", "yaml").out for group in GROUPS]
    assert [_without_identity(each) for each in again] == [
        _without_identity(each) for each in exports
    ]


def _without_identity(exported: str) -> list[tuple[str, str]]:
    """Return the documents without what is new for a new object, in the order of their names."""
    documents = yaml.safe_load(exported)
    for document in documents:
        for name in ("id", "createdAt", "nextRunAt"):
            document.pop(name, None)
    return sorted((document["name"], repr(document)) for document in documents)


def test_a_new_or_changed_object_may_have_names_too(
    cli: Cli, api: ApiClient, tmp_path: Path
) -> None:
    cli("suites", "apply", "-f", "-", stdin=FILE)
    path = tmp_path / "suite.yaml"
    path.write_text(cli("suites", "show", "all").out.replace("name: all", "name: copy"))

    assert cli("suites", "create", "-f", str(path)).code == 0

    first, second = api.suites.list()
    assert first.test_definition_ids == second.test_definition_ids
    path.write_text("{definitions: [load]}")
    assert cli("suites", "update", "copy", "-f", str(path)).code == 0
    assert api.suites.get(first.id).test_definition_ids == first.test_definition_ids[1:2]
    path.write_text("{executor: null, image: busybox}")
    assert cli("definitions", "update", "load", "-f", str(path)).code == 0
    assert [made.executor_id for made in api.definitions.list(q="load")] == [None]


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("none", "no definition has the id or name 'none'"),
        ("[none]", "no definition has the id or name 'none'"),
        ("[5]", "testDefinitionIds/0: Not a valid string."),
        ("{a: b}", "testDefinitionIds: Not a valid list."),
    ],
)
@pytest.mark.usefixtures("api")
def test_what_is_no_name_is_an_error(cli: Cli, tmp_path: Path, value: str, problem: str) -> None:
    path = tmp_path / "suite.yaml"
    path.write_text(f"{{name: s, definitions: {value}}}")
    result = cli("suites", "create", "-f", str(path))
    assert result.code == 2
    assert problem in result.err
