"""Reruns: the same spec and namespace, overrides, and what needs the scope admin."""

import pytest

from tests.api.requests import CLUSTER, answered, create, define, pointers, register, report
from tests.api.test_privileges import PRIVILEGED


def again(client, run, status=201, **overrides):
    return answered(client.post(f"/api/test-runs/{run['id']}/rerun", json=overrides), status)


def test_a_rerun_of_a_testrun_is_an_api_run_in_its_namespace(client):
    run = register(client, commands=["a", "b"], env={"A": "1"}, timeoutSeconds=5)
    second = answered(client.post(f"/api/test-runs/{run['id']}/rerun"), 201)
    assert second["id"] != run["id"]
    assert (second["rerunOf"], second["origin"], second["namespace"]) == (run["id"], "api", "shop")
    same = ("name", "image", "commands", "env", "timeoutSeconds", "labels")
    assert [second[key] for key in same] == [run[key] for key in same]
    assert "k8sRef" not in second
    assert second["jobName"] == f"test-run-{second['id']}"


def test_overrides_change_only_what_they_name(client):
    run = create(client, env={"A": "1"}, labels={"team": "shop"})
    changes = {"name": "other", "env": {"B": "2"}, "labels": {"try": "2"}, "timeoutSeconds": 9}
    second = again(client, run, **changes)
    assert (second["name"], second["image"], second["commands"]) == (
        "other",
        "busybox:1.35",
        ["true"],
    )
    assert second["env"] == {"A": "1", "B": "2"}
    assert second["labels"] == {"team": "shop", "try": "2"}
    assert second["timeoutSeconds"] == 9


def test_invalid_overrides_are_refused_with_the_field(client):
    run = create(client)
    url = f"/api/test-runs/{run['id']}/rerun"
    assert pointers(client.post(url, json={"env": {"1": ""}})) == {"/env/1"}
    containers = [{"name": "a"}, {"name": "b"}]
    ambiguous = {"template": {"spec": {"containers": containers}}}
    assert pointers(client.post(url, json=ambiguous)) == {"/template"}
    twice = {"image": "i", "template": {"spec": {"containers": [{"name": "test", "image": "j"}]}}}
    assert pointers(client.post(url, json=twice)) == {"/image"}


def test_an_override_may_not_choose_a_test_container_without_an_image(client):
    only = {"spec": {"containers": [{"name": "a", "image": "i"}]}}
    run = create(client, image=None, template=only)
    url = f"/api/test-runs/{run['id']}/rerun"
    other = {"template": {"spec": {"containers": [{"name": "test"}]}}}
    assert pointers(client.post(url, json=other)) == {"/template"}


def test_a_rerun_stays_in_the_cluster_while_its_controller_is_there(client, clock):
    run = register(client)
    assert "cluster" not in again(client, run)
    client.get("/api/test-runs", headers={"SparkTest-Controller": CLUSTER})
    assert again(client, run)["cluster"] == CLUSTER
    clock.advance(16)
    assert "cluster" not in again(client, run)


def test_a_rerun_that_waits_for_the_controller_of_its_cluster_can_be_deleted(client, clock):
    client.get("/api/test-runs", headers={"SparkTest-Controller": CLUSTER})
    run = register(client)
    pending, started = (again(client, run)["id"] for _ in range(2))
    answered(client.delete(f"/api/test-runs/{pending}"), 409)
    report(client, started, "pending", jobUid="j")
    clock.advance(16)
    assert client.delete(f"/api/test-runs/{pending}").status_code == 204
    answered(client.delete(f"/api/test-runs/{started}"), 409)


@pytest.mark.parametrize(("field", "value", "pointer"), PRIVILEGED)
class TestPrivileges:
    def test_with_admin_a_rerun_has_the_fields_of_the_testrun(self, client, field, value, pointer):
        assert again(client, register(client, **{field: value}))[field] == value

    @pytest.mark.usefixtures("not_admin")
    def test_without_admin_the_fields_of_a_testrun_are_not_repeated(
        self, client, field, value, pointer
    ):
        ref = {"namespace": "tests", "name": "a", "uid": "u"}
        run = register(client, **{field: value}, k8sRef=ref)
        response = client.post(f"/api/test-runs/{run['id']}/rerun")
        assert pointers(response, 403) == {pointer}

    @pytest.mark.usefixtures("not_admin")
    def test_without_admin_the_fields_of_a_definition_are_repeated(
        self, client, field, value, pointer
    ):
        definition = define(client, **{field: value})
        run = answered(client.post(f"/api/test-definitions/{definition['id']}/run"), 201)
        assert again(client, run)[field] == value
        client.delete(f"/api/test-definitions/{definition['id']}")
        again(client, run, 403)


@pytest.mark.usefixtures("not_admin")
def test_without_admin_only_runs_of_the_own_namespace_are_repeated(client):
    assert "shop" in again(client, register(client), 403)["detail"]
    again(client, create(client))


@pytest.mark.usefixtures("not_admin")
def test_without_admin_an_override_may_not_be_privileged(client):
    run = create(client)
    response = client.post(f"/api/test-runs/{run['id']}/rerun", json={"serviceAccountName": "a"})
    assert pointers(response, 403) == {"/serviceAccountName"}


def test_a_run_without_an_image_cannot_be_rerun(client):
    run = register(client, image=None, definitionName="nowhere")
    again(client, run, 409)
    again(client, run, 409, image="busybox")
