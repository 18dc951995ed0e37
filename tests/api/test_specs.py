"""A spec takes each field from the request, else from the definition, else from the executor."""

import pytest

from sparktest.api.specs import copy_for_rerun, has_privileged_fields, resolve_spec
from sparktest.domain import RunSpec

DEFINITION = {"id": "d", "name": "smoke", "image": "definition", "env": {"A": "d", "B": "d"}}
EXECUTOR = {
    "id": "e",
    "image": "executor",
    "default_command": "k6 run",
    "template": {},
    "command": [],
    "env": {"B": "e", "C": "e"},
}


def resolve(payload, definition=None, executor=None):
    return resolve_spec(payload, definition, executor, default_timeout_seconds=3600)


def test_each_field_comes_from_the_highest_layer_that_has_it():
    spec = resolve({"env": {"A": "request"}}, DEFINITION, EXECUTOR)
    assert spec["image"] == "definition"
    assert spec["commands"] == ["k6 run"]
    assert spec["env"] == {"A": "request", "B": "d", "C": "e"}
    assert (spec["test_definition_id"], spec["executor_id"]) == ("d", "e")


def test_an_empty_field_counts_as_not_given():
    assert resolve({"image": "", "env": {}}, DEFINITION)["image"] == "definition"


def test_commands_and_an_exec_form_are_not_mixed_across_layers():
    definition = DEFINITION | {"command": ["sh"], "args": ["-c"]}
    spec = resolve({"commands": ["make"]}, definition)
    assert (spec["commands"], spec["entrypoint"], spec["args"]) == (["make"], [], [])


def test_sources_of_variables_are_joined_with_the_lowest_layer_first():
    definition = DEFINITION | {"env_from": [{"secretRef": {"name": "low"}}]}
    spec = resolve({"env_from": [{"secretRef": {"name": "high"}}]}, definition)
    assert [source["secretRef"]["name"] for source in spec["env_from"]] == ["low", "high"]


@pytest.mark.parametrize(("given", "expected"), [({}, 3600), ({"timeout_seconds": 5}, 5)])
def test_a_run_without_a_timeout_has_the_default(given, expected):
    assert resolve(given)["timeout_seconds"] == expected


def test_a_spec_without_any_layer_has_every_field_empty():
    spec = resolve({})
    assert set(RunSpec.__struct_fields__) <= set(spec)
    assert not any(spec[name] for name in RunSpec.__struct_fields__)
    assert not has_privileged_fields(spec)


def test_a_rerun_copies_the_spec_and_refers_to_the_original():
    spec = resolve({"image": "i", "labels": {"a": "b"}, "ttl_seconds_after_finished": 5})
    copy = copy_for_rerun(spec | {"id": "1", "name": "n", "job_uid": "j"})
    assert copy["rerun_of"] == "1"
    assert copy["ttl_seconds_after_finished"] is None
    assert {name: copy[name] for name in ("name", "image", "labels")} == {
        "name": "n",
        "image": "i",
        "labels": {"a": "b"},
    }
    assert "job_uid" not in copy
