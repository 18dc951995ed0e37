"""Executors: what definitions can refer to."""

import msgspec
import pytest

from sparktest.domain import Executor
from tests.api.requests import answered, define, pointers

PATH = "/api/test-executors"
FULL = {
    "name": "k6",
    "description": "load tests",
    "image": "grafana/k6:0.49",
    "defaultCommand": "k6 run /scripts/test.js",
    "command": ["k6", "run"],
    "supportedFileTypes": [".js"],
    "environmentVariables": ["K6_VUS"],
    "env": {"K6_VUS": "10", "EMPTY": ""},
    "icon": "gauge",
}


def create(client, **fields):
    return answered(client.post(PATH, json=FULL | fields), 201)


def test_every_given_field_is_returned_with_the_values_of_env(client):
    executor = create(client, template={"spec": {"nodeSelector": {"disk": "ssd"}}})
    assert {key: executor[key] for key in FULL} == FULL
    assert executor["template"]["spec"] == {"nodeSelector": {"disk": "ssd"}}
    assert answered(client.get(f"{PATH}/{executor['id']}"), 200) == executor
    assert msgspec.convert(executor, Executor).env == FULL["env"]


def test_an_executor_can_be_put_back_unchanged_without_a_warning(client):
    executor = create(client)
    response = client.put(f"{PATH}/{executor['id']}", json=executor)
    assert answered(response, 200) == executor | {"version": 2}
    assert "Warning" not in response.headers


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"image": None}, {"/image"}),
        ({"image": None, "template": {"spec": {"nodeName": "n"}}}, {"/image"}),
        ({"image": None, "template": {"spec": {"containers": [{"name": "a"}]}}}, {"/image"}),
        ({"template": {"spec": {"containers": [{"name": "a"}, {"name": "b"}]}}}, {"/template"}),
        ({"template": {"spec": 5}}, {"/template/spec"}),
        ({"env": {"1A": "x"}}, {"/env/1A"}),
        ({"env": {"A": "x" * 131_072}}, {"/env/A"}),
        ({"command": "k6"}, {"/command"}),
        ({"defaultCommand": "x" * 131_072}, {"/defaultCommand"}),
        ({"environmentVariables": {"A": "1"}}, {"/environmentVariables"}),
        ({"supportedFileTypes": ["x" * 201]}, {"/supportedFileTypes/0"}),
    ],
)
def test_every_invalid_field_is_named(client, fields, named):
    assert pointers(client.post(PATH, json=FULL | fields)) == named
    assert answered(client.get(PATH), 200) == []


def test_the_image_may_come_from_the_template(client):
    template = {"spec": {"containers": [{"name": "t", "image": "k6"}]}}
    executor = create(client, image=None, template=template)
    definition = define(client, image=None, commands=None, executorId=executor["id"])
    run = answered(client.post(f"/api/test-definitions/{definition['id']}/run"), 201)
    assert (run["image"], run["executorId"]) == ("k6", executor["id"])


def test_an_executor_in_use_is_not_deleted(client):
    executor = create(client)
    path = f"{PATH}/{executor['id']}"
    definition = define(client, name="checkout", executorId=executor["id"])
    assert "'checkout'" in answered(client.delete(path), 409)["detail"]
    answered(client.delete(f"/api/test-definitions/{definition['id']}"), 204)
    assert client.delete(path).status_code == 204
    answered(client.get(path), 404)


def test_only_some_of_many_users_are_named(client):
    executor = create(client)
    for n in range(6):
        define(client, name=f"d{n}", executorId=executor["id"])
    detail = answered(client.delete(f"{PATH}/{executor['id']}"), 409)["detail"]
    assert "'d5', 'd4', 'd3', 'd2', 'd1', …;" in detail
