"""A spec takes each field from the request, else from the definition, else from the executor."""

import pytest

from sparktest.api.specs import resolve_rerun, resolve_spec, template_error
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


def of_containers(*containers):
    return {"spec": {"containers": list(containers)}}


class TestTemplate:
    def test_templates_merge_from_the_executor_up_to_the_request(self):
        executor = EXECUTOR | {"template": {"spec": {"nodeName": "e", "hostname": "e"}}}
        definition = DEFINITION | {"template": {"spec": {"hostname": "d", "subdomain": "d"}}}
        spec = resolve({"template": {"spec": {"subdomain": "r"}}}, definition, executor)
        merged = {"nodeName": "e", "hostname": "d", "subdomain": "r"}
        assert spec["template"] == {"spec": merged}

    def test_the_image_is_that_of_the_test_container_where_no_layer_has_one(self):
        template = of_containers({"name": "db", "image": "pg"}, {"name": "test", "image": "t"})
        assert resolve({"template": template})["image"] == "t"
        assert resolve({"template": template}, DEFINITION)["image"] == "definition"

    @pytest.mark.parametrize(
        ("layer", "parents", "pointer"),
        [
            ({"image": "i"}, [], None),
            ({"template": of_containers({"name": "a", "image": "x"})}, [], None),
            ({"image": "i", "template": of_containers({"name": "a", "image": "x"})}, [], "/image"),
            ({"image": "i", "template": of_containers({"name": "a"})}, [], None),
            # The test container is known only with the executor's template.
            (
                {"image": "i", "template": of_containers({"name": "proxy", "image": "x"})},
                [{"template": of_containers({"name": "test"})}],
                None,
            ),
            ({"template": of_containers({"name": "a"}, {"name": "b"})}, [], "/template"),
            (
                {"template": of_containers({"name": "b"})},
                [{"template": of_containers({"name": "a"})}],
                "/template",
            ),
            # A parent's image is another object's.
            (
                {"template": of_containers({"name": "test", "image": "x"})},
                [{"image": "i", "template": {}}],
                None,
            ),
        ],
    )
    def test_one_layer_gives_one_image_to_one_test_container(self, layer, parents, pointer):
        error = template_error(layer, parents)
        assert (error and error["pointer"]) == pointer


class TestRerun:
    def run(self, payload):
        return resolve({"image": "i", "labels": {"a": "b"}, **payload}) | {
            "id": "1",
            "name": "n",
            "job_uid": "j",
        }

    def test_without_overrides_the_spec_is_that_of_the_run(self):
        run = self.run({"commands": ["c"], "env": {"A": "1"}, "timeout_seconds": 7})
        again = resolve_rerun({}, run)
        assert again["rerun_of"] == "1"
        assert "job_uid" not in again
        assert {key: run[key] for key in again if key in run} | {"rerun_of": "1"} == again

    def test_overrides_are_a_layer_on_top_of_the_run(self):
        run = self.run({"commands": ["c"], "env": {"A": "1", "B": "1"}, "timeout_seconds": 7})
        payload = {
            "name": "m",
            "args": ["x"],
            "env": {"B": "2"},
            "labels": {"c": "d"},
            "template": {"spec": {"nodeName": "n"}},
        }
        again = resolve_rerun(payload, run)
        assert (again["name"], again["image"], again["timeout_seconds"]) == ("m", "i", 7)
        assert (again["commands"], again["entrypoint"], again["args"]) == ([], [], ["x"])
        assert again["env"] == {"A": "1", "B": "2"}
        assert again["labels"] == {"a": "b", "c": "d"}
        assert again["template"] == payload["template"]

    def test_an_image_of_the_template_can_be_replaced_in_the_template(self):
        run = self.run({"image": "", "template": of_containers({"name": "a", "image": "old"})})
        assert run["image"] == "old"
        assert resolve_rerun({}, run)["image"] == "old"
        payload = {"template": of_containers({"name": "a", "image": "new"})}
        assert resolve_rerun(payload, run)["image"] == "new"

    def test_the_time_to_live_of_the_job_is_not_repeated(self):
        run = self.run({"ttl_seconds_after_finished": 5})
        assert resolve_rerun({}, run)["ttl_seconds_after_finished"] == 5
        again = resolve_rerun({"ttl_seconds_after_finished": 0}, run)
        assert again["ttl_seconds_after_finished"] == 0
