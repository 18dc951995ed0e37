"""Definitions: create, list, change, delete, run with overrides."""

import msgspec
import pytest

from sparktest.domain import Definition
from tests.api.requests import answered, concurrently, define, pointers

FULL = {
    "name": "smoke",
    "description": "every field is set",
    "image": "busybox",
    "command": ["a"],
    "args": ["b"],
    "env": {"A": "1"},
    "envFrom": [{"configMapRef": {"name": "c"}}],
    "resources": {"requests": {"cpu": "1m"}},
    "serviceAccountName": "robot",
    "imagePullSecrets": [{"name": "p"}],
    "timeoutSeconds": 5,
    "labels": ["x"],
}
EXECUTOR = "11111111-1111-4111-8111-111111111111"


def url(definition) -> str:
    return f"/api/test-definitions/{definition['id']}"


@pytest.fixture
def executor(client):
    body = {"name": "k6", "image": "grafana/k6", "defaultCommand": "k6 run"}
    env = {"A": "executor", "E": "executor"}
    return answered(client.post("/api/test-executors", json={**body, "env": env}), 201)["id"]


class TestCreateAndList:
    def test_every_given_field_is_returned(self, client):
        definition = define(client, **FULL, commands=None)
        assert {key: definition[key] for key in FULL} == FULL
        assert answered(client.get(url(definition)), 200) == definition
        assert msgspec.convert(definition, Definition).args == ("b",)

    def test_the_newest_is_first_and_names_are_searched(self, client):
        made = [define(client, name=name)["id"] for name in ("Login", "log_out", "pay%")]
        found = {
            query: [
                one["id"] for one in answered(client.get(f"/api/test-definitions?{query}"), 200)
            ]
            for query in ("", "q=LOG", "q=%25", "q=_", "q=x")
        }
        assert found == {
            "": made[::-1],
            "q=LOG": made[1::-1],
            "q=%25": made[2:],
            "q=_": made[1:2],
            "q=x": [],
        }

    def test_pages_are_linked(self, client):
        made = [define(client, name=str(n))["id"] for n in range(3)]
        response = client.get("/api/test-definitions?limit=2")
        first = [one["id"] for one in answered(response, 200)]
        following = response.headers["Link"].partition(">")[0].lstrip("<")
        response = client.get("/api/test-definitions" + following)
        assert first + [one["id"] for one in answered(response, 200)] == made[::-1]
        assert "Link" not in response.headers

    def test_a_name_is_used_once(self, client):
        first = define(client, name="smoke")
        other = define(client, name="other")
        body = {"name": "smoke", "image": "i"}
        problem = answered(client.post("/api/test-definitions", json=body), 409)
        assert first["id"] in problem["detail"]
        path = f"/api/test-definitions/{other['id']}"
        answered(client.put(path, json=body), 409)
        answered(client.patch(path, json={"name": "smoke"}), 409)
        answered(client.patch(path, json={"name": "other", "image": "j"}), 200)

    @pytest.mark.parametrize(
        ("body", "named"),
        [
            ({}, {"/name", "/image"}),
            ({"name": "x" * 201, "image": "i"}, {"/name"}),
            ({"name": None, "image": ""}, {"/name", "/image"}),
            ({"name": "x", "image": "i", "env": {"1A": "1"}}, {"/env/1A"}),
            ({"name": "x", "image": "i", "env": {"A": None}}, {"/env/A"}),
            ({"name": "x", "image": "i", "timeoutSeconds": "5"}, {"/timeoutSeconds"}),
            ({"name": "x", "image": "i", "timeoutSeconds": True}, {"/timeoutSeconds"}),
            ({"name": "x", "image": "i", "timeoutSeconds": 1.9}, {"/timeoutSeconds"}),
            ({"name": "x", "image": "i", "timeoutSeconds": 10**25}, {"/timeoutSeconds"}),
            ({"name": "x", "image": "i", "labels": [1]}, {"/labels/0"}),
            ({"name": "x", "image": "i", "executorId": "e"}, {"/executorId"}),
            ({"name": "x", "image": "i", "executorId": EXECUTOR}, {"/executorId"}),
        ],
    )
    def test_every_invalid_field_is_named(self, client, body, named):
        assert pointers(client.post("/api/test-definitions", json=body)) == named
        assert answered(client.get("/api/test-definitions"), 200) == []


class TestChange:
    def test_put_replaces_all_fields(self, client):
        definition = define(client, **FULL, commands=None)
        replaced = answered(client.put(url(definition), json={"name": "n", "image": "i"}), 200)
        assert (replaced["name"], replaced["image"], replaced["version"]) == ("n", "i", 2)
        assert replaced["env"] == {}
        assert "timeoutSeconds" not in replaced
        assert replaced["createdAt"] == definition["createdAt"]
        assert answered(client.get(url(definition)), 200) == replaced

    def test_a_definition_can_be_put_back_unchanged_without_a_warning(self, client):
        definition = define(client, **FULL, commands=None)
        response = client.put(url(definition), json=definition)
        assert answered(response, 200) == definition | {"version": 2}
        assert "Warning" not in response.headers

    def test_a_patch_changes_only_what_it_names(self, client):
        definition = define(client, **FULL, commands=None)
        patch = {"env": {"A": None, "B": "2"}, "labels": ["y"], "timeoutSeconds": None}
        patched = answered(client.patch(url(definition), json=patch), 200)
        assert (patched["env"], patched["labels"]) == ({"B": "2"}, ["y"])
        assert "timeoutSeconds" not in patched
        assert patched["args"] == definition["args"]

    def test_a_patch_must_be_json(self, client):
        definition = define(client)
        merge = {"content_type": "application/merge-patch+json"}
        answered(client.patch(url(definition), data=b'{"name": "n"}', **merge), 200)
        answered(client.patch(url(definition), data=b"name: n", content_type="text/yaml"), 415)
        answered(client.patch(url(definition), data=b"[]", **merge), 422)

    def test_the_result_of_a_patch_is_validated(self, client):
        definition = define(client)
        assert pointers(client.patch(url(definition), json={"command": ["x"]})) == {"/commands"}
        assert pointers(client.patch(url(definition), json={"name": None})) == {"/name"}
        response = client.patch(url(definition), json={"colour": 1})
        assert answered(response, 200)["name"] == "smoke"
        assert "/colour" in response.headers["Warning"]

    def test_a_change_with_an_old_etag_is_refused(self, client):
        definition = define(client)
        tag = client.get(url(definition)).headers["ETag"]
        body = {"name": "n", "image": "i"}
        answered(client.put(url(definition), json=body, headers={"If-Match": tag}), 200)
        answered(client.put(url(definition), json=body, headers={"If-Match": tag}), 412)
        answered(client.patch(url(definition), json={}, headers={"If-Match": tag}), 412)
        answered(client.delete(url(definition), headers={"If-Match": tag}), 412)
        assert client.delete(url(definition), headers={"If-Match": "*"}).status_code == 204

    def test_an_unchanged_definition_is_answered_with_304(self, client):
        response = client.get(url(define(client)))
        path, tag = response.request.path, response.headers["ETag"]
        second = client.get(path, headers={"If-None-Match": tag})
        assert (second.status_code, second.data, second.headers["ETag"]) == (304, b"", tag)
        client.patch(path, json={"name": "n"})
        assert client.get(path, headers={"If-None-Match": tag}).status_code == 200

    def test_a_deleted_definition_is_not_found(self, client):
        definition = define(client)
        assert client.delete(url(definition)).status_code == 204
        body = {"name": "n", "image": "i"}
        for response in (
            client.get(url(definition)),
            client.put(url(definition), json=body),
            client.patch(url(definition), json={}),
            client.delete(url(definition)),
            client.post(f"{url(definition)}/run"),
        ):
            answered(response, 404)


def test_concurrent_patches_of_different_fields_are_all_applied(app):
    definition = define(app.test_client())
    calls = [
        lambda n=n: app.test_client().patch(url(definition), json={"env": {f"V{n}": "x"}})
        for n in range(8)
    ]
    assert [response.status_code for response in concurrently(calls)] == [200] * 8
    assert len(answered(app.test_client().get(url(definition)), 200)["env"]) == 8


class TestRun:
    def test_without_a_body_the_definition_runs_unchanged(self, client):
        definition = define(client, **FULL, commands=None)
        run = answered(client.post(f"{url(definition)}/run"), 201)
        assert run["name"] == "smoke - Manual Run"
        assert (run["entrypoint"], run["args"], run["command"]) == (["a"], ["b"], ["a", "b"])
        assert (run["testDefinitionId"], run["definitionName"]) == (definition["id"], "smoke")
        same = ("image", "env", "envFrom", "resources", "serviceAccountName", "imagePullSecrets")
        assert [run[key] for key in same] == [definition[key] for key in same]
        assert run["timeoutSeconds"] == 5

    def test_a_run_can_override_its_definition(self, client):
        definition = define(client, **FULL, commands=None)
        body = {
            "name": "mine",
            "image": "alpine",
            "commands": ["c"],
            "env": {"A": "9", "B": "1"},
            "timeoutSeconds": 9,
            "labels": {"by": "me"},
        }
        run = answered(client.post(f"{url(definition)}/run", json=body), 201)
        assert {key: run[key] for key in body} == body
        assert run["command"] == ["c"]
        assert (run["entrypoint"], run["args"]) == ([], [])

    def test_a_run_keeps_its_snapshot(self, client):
        definition = define(client)
        run = answered(client.post(f"{url(definition)}/run"), 201)
        client.patch(url(definition), json={"image": "other"})
        client.delete(url(definition))
        assert answered(client.get(f"/api/test-runs/{run['id']}"), 200)["image"] == "busybox:1.35"

    def test_the_executor_provides_what_the_definition_lacks(self, client, executor):
        definition = define(
            client, image=None, commands=None, env={"A": "definition"}, executorId=executor
        )
        run = answered(client.post(f"{url(definition)}/run"), 201)
        assert (run["image"], run["commands"], run["executorId"]) == (
            "grafana/k6",
            ["k6 run"],
            executor,
        )
        assert run["env"] == {"A": "definition", "E": "executor"}

    def test_the_name_of_a_run_of_a_long_definition_name_is_truncated(self, client):
        definition = define(client, name="n" * 200)
        assert answered(client.post(f"{url(definition)}/run"), 201)["name"] == "n" * 200
