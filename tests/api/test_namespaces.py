"""The namespace of an API run: the default one, or one that a setting allows."""

import msgspec
import pytest

from tests.api.requests import answered, create, define, pointers, register


@pytest.fixture
def client(app, ctx):
    ctx.settings = msgspec.structs.replace(ctx.settings, run_namespaces=("shop", "web"))
    return app.test_client()


def test_a_run_goes_to_the_namespace_that_it_names(client):
    assert create(client)["namespace"] == "tests"
    assert create(client, namespace="tests")["namespace"] == "tests"
    assert create(client, namespace="web")["namespace"] == "web"
    url = f"/api/test-definitions/{define(client)['id']}/run"
    assert answered(client.post(url, json={"namespace": "shop"}), 201)["namespace"] == "shop"


@pytest.mark.parametrize("namespace", ["kube-system", "Shop", "a/b", ""])
def test_another_namespace_is_refused(client, namespace):
    body = {"name": "n", "image": "i", "namespace": namespace}
    assert pointers(client.post("/api/test-runs", json=body)) <= {"/namespace"}
    assert answered(client.get("/api/test-runs"), 200) == []


def test_the_refusal_names_the_namespaces_and_the_setting(client):
    body = {"name": "n", "image": "i", "namespace": "kube-system"}
    detail = answered(client.post("/api/test-runs", json=body), 422)["detail"]
    assert "tests, shop, web" in detail
    assert "SPARKTEST_RUN_NAMESPACES" in detail


@pytest.mark.usefixtures("not_admin")
def test_whoever_may_start_runs_there_may_repeat_them_there(client):
    run = register(client)
    assert run["namespace"] == "shop"
    again = answered(client.post(f"/api/test-runs/{run['id']}/rerun"), 201)
    assert (again["namespace"], again["origin"]) == ("shop", "api")
