from typing import Any

from sparktest.cli.manifests.overrides import override_spec

TEMPLATE = {
    "metadata": {"labels": {"a": "b"}},
    "spec": {
        "containers": [{"name": "helper", "image": "h"}, {"name": "test", "image": "t"}],
        "volumes": [],
    },
}


def test_nothing_given_changes_nothing() -> None:
    spec: dict[str, Any] = {"template": TEMPLATE, "command": ["x"], "env": {"A": "1"}}

    assert override_spec(spec, env={}) == spec


def test_a_program_replaces_every_kind_of_command() -> None:
    spec = {"image": "i", "commands": ["a"], "args": ["b"]}

    assert override_spec(spec, env={}, program=["p", "q"]) == {"image": "i", "command": ["p", "q"]}
    assert override_spec(spec, env={}, commands=["c"]) == {"image": "i", "commands": ["c"]}


def test_variables_merge_by_name() -> None:
    spec = {"env": {"A": "1", "B": "2"}}

    assert override_spec(spec, env={"B": "3"}) == {"env": {"A": "1", "B": "3"}}
    assert override_spec({}, env={"B": "3"}, timeout=5) == {"env": {"B": "3"}, "timeoutSeconds": 5}


def test_an_image_replaces_that_of_the_test_container() -> None:
    changed = override_spec({"template": TEMPLATE}, env={}, image="new")

    assert changed["template"]["spec"]["containers"] == [
        {"name": "helper", "image": "h"},
        {"name": "test", "image": "new"},
    ]
    assert changed["template"]["metadata"] == TEMPLATE["metadata"]
    assert "image" not in changed
    assert TEMPLATE["spec"]["containers"][1]["image"] == "t"  # type: ignore[index]


def test_an_image_replaces_the_short_field_where_the_spec_has_that() -> None:
    template = {"spec": {"containers": [{"name": "test"}]}}

    changed = override_spec({"image": "old", "template": template}, env={}, image="new")

    assert changed == {"image": "new", "template": template}
    assert override_spec({"template": template}, env={}, image="new")["image"] == "new"
