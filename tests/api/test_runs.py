"""Runs: create, list, cancel, delete."""

import msgspec
import pytest

from sparktest.api.store import runs as store
from sparktest.domain import Run
from tests.api.requests import (
    CLUSTER,
    adhoc,
    answered,
    concurrently,
    create,
    define,
    get,
    ids,
    pointers,
    register,
    report,
)


class TestCreate:
    def test_a_new_run_is_pending_with_the_name_of_its_job(self, client):
        run = create(client, env={"A": "$HOME 'x'"})
        assert run["status"] == "pending"
        assert run["jobName"] == f"test-run-{run['id']}"
        assert run["jobCreated"] is False
        assert (run["origin"], run["namespace"]) == ("api", "tests")
        assert run["command"] == run["commands"] == ["true"]
        assert run["env"] == {"A": "$HOME 'x'"}
        assert run["timeoutSeconds"] == 3600

    def test_the_response_has_the_location_of_the_run(self, client):
        response = client.post("/api/test-runs", json=adhoc())
        run = answered(response, 201)
        assert response.headers["Location"] == f"test-runs/{run['id']}"
        assert answered(client.get(f"/api/{response.headers['Location']}"), 200) == run

    def test_the_alias_serves_the_same_runs(self, client):
        run = answered(client.post("/api/runs", json=adhoc()), 201)
        assert answered(client.get(f"/api/runs/{run['id']}"), 200) == get(client, run["id"])
        assert [listed["id"] for listed in answered(client.get("/api/runs"), 200)] == [run["id"]]

    def test_a_run_can_be_decoded_by_the_client(self, client):
        run = msgspec.convert(create(client, command=["a"], args=["b"], commands=None), Run)
        assert (run.entrypoint, run.args, run.command) == (("a",), ("b",), ("a", "b"))
        assert run.created_at.tzinfo is not None

    def test_every_wrong_field_is_named_at_once(self, client):
        body = {
            "name": "",
            "env": {"1A": "x", "B": 5, "a/b": "x"},
            "timeoutSeconds": 2**31,
            "commands": "ls",
            "labels": {"": "x"},
        }
        assert pointers(client.post("/api/test-runs", json=body)) == {
            "/name",
            "/image",
            "/env/1A",
            "/env/B",
            "/env/a~1b",
            "/timeoutSeconds",
            "/commands",
            "/labels/",
        }

    @pytest.mark.parametrize("field", ["k8sRef", "cluster"])
    def test_an_api_run_cannot_reference_a_testrun(self, client, field):
        value = {"k8sRef": {"namespace": "a", "name": "b", "uid": "c"}, "cluster": "c"}[field]
        assert f"/{field}" in pointers(client.post("/api/test-runs", json=adhoc(**{field: value})))

    def test_commands_and_an_exec_form_are_mutually_exclusive(self, client):
        assert pointers(client.post("/api/test-runs", json=adhoc(args=["x"]))) == {"/commands"}

    def test_an_unknown_field_is_ignored_and_named(self, client):
        response = client.post("/api/test-runs", json=adhoc(**{'colour\n"': 1, "k8s": {"x": 1}}))
        assert answered(response, 201)["name"] == "login"
        assert response.headers["Warning"] == (
            '299 - "unknown fields were ignored: /colour\\n\\", /k8s"'
        )

    def test_unknown_nested_fields_are_named(self, client):
        sources = [{"configMapRef": {"name": "c", "x": 1}, "y": 2}]
        body = {"name": "n", "image": "i", "envFrom": sources, "resources": {"z": {}}}
        response = client.post("/api/test-definitions", json=body)
        assert answered(response, 201)["resources"] == {}
        assert response.headers["Warning"].endswith(
            'ignored: /envFrom/0/configMapRef/x, /envFrom/0/y, /resources/z"'
        )

    def test_many_unknown_fields_are_counted(self, client):
        response = client.post("/api/test-runs", json=adhoc(**{f"x{n}": n for n in range(25)}))
        assert "/x17 and 15 more" in response.headers["Warning"]

    def test_an_unknown_definition_is_named(self, client):
        missing = "00000000-0000-4000-8000-000000000000"
        body = {"definitionId": missing}
        assert pointers(client.post("/api/test-runs", json=body)) == {"/definitionId"}

    def test_a_definition_can_be_referenced_by_name(self, client):
        definition = define(client, name="by name", timeoutSeconds=7)
        run = answered(client.post("/api/test-runs", json={"definitionName": "by name"}), 201)
        assert run["testDefinitionId"] == definition["id"]
        assert (run["name"], run["timeoutSeconds"]) == ("by name", 7)


class TestVersion:
    def test_the_etag_of_a_run_is_its_version(self, client):
        run = register(client)
        report(client, run["id"], "running", jobUid="j")
        response = client.get(f"/api/test-runs/{run['id']}")
        etag = response.headers["ETag"]
        assert etag == f'"{response.get_json()["version"]}"'
        unchanged = client.get(f"/api/test-runs/{run['id']}", headers={"If-None-Match": etag})
        assert (unchanged.status_code, unchanged.data) == (304, b"")
        report(client, run["id"], "succeeded")
        changed = client.get(f"/api/test-runs/{run['id']}", headers={"If-None-Match": etag})
        assert answered(changed, 200)["status"] == "succeeded"

    def test_a_run_that_waits_for_a_controller_has_another_etag(self, client, ctx, clock):
        run = create(client)
        path = f"/api/test-runs/{run['id']}"
        waiting = client.get(path).headers["ETag"]
        with ctx.store.writing() as connection:
            store.record_heartbeat(connection, "c", clock())
        assert client.get(path).headers["ETag"] != waiting


class TestCancel:
    def test_a_cancel_only_sets_the_request_time(self, client, clock):
        run = create(client)
        clock.advance(1)
        cancelled = answered(client.post(f"/api/test-runs/{run['id']}/cancel"), 202)
        assert cancelled["status"] == "pending"
        assert cancelled["cancelRequestedAt"] == "2026-05-01T12:00:01Z"

    def test_a_second_cancel_changes_nothing(self, client, clock):
        run = create(client)
        first = answered(client.post(f"/api/test-runs/{run['id']}/cancel"), 202)
        clock.advance(1)
        assert answered(client.post(f"/api/test-runs/{run['id']}/cancel"), 202) == first

    def test_a_final_run_cannot_be_cancelled(self, client):
        run = create(client)
        report(client, run["id"], "succeeded")
        response = answered(client.post(f"/api/test-runs/{run['id']}/cancel"), 409)
        assert "succeeded" in response["detail"]


class TestDelete:
    def test_a_run_that_a_controller_has_taken_cannot_be_deleted(self, client):
        run = create(client)
        url = f"/api/test-runs/{run['id']}"
        answered(client.put(f"{url}/claim", json={"cluster": CLUSTER}), 200)
        assert "cancel" in answered(client.delete(url), 409)["detail"]
        assert get(client, run["id"])["status"] == "pending"

    def test_a_run_that_no_controller_has_taken_is_deleted(self, client):
        run = create(client)
        url = f"/api/test-runs/{run['id']}"
        assert client.delete(url).status_code == 204
        answered(client.put(f"{url}/claim", json={"cluster": CLUSTER}), 410)

    def test_either_the_claim_or_the_deletion_of_a_run_succeeds(self, app):
        url = f"/api/test-runs/{create(app.test_client())['id']}"
        calls = [
            lambda: app.test_client().put(f"{url}/claim", json={"cluster": CLUSTER}),
            lambda: app.test_client().delete(url),
        ]
        statuses = sorted(response.status_code for response in concurrently(calls))
        assert statuses in ([200, 409], [204, 410])

    def test_a_deleted_run_is_not_found_and_cannot_be_changed(self, client):
        run = create(client)
        url = f"/api/test-runs/{run['id']}"
        report(client, run["id"], "succeeded")
        response = client.delete(url)
        assert (response.status_code, response.data) == (204, b"")
        assert "SparkTest-Remaining" not in response.headers
        answered(client.get(url), 404)
        answered(client.delete(url), 404)
        answered(client.get(f"{url}/logs"), 404)
        answered(client.put(f"{url}/report", json={"status": "failed"}), 410)
        answered(client.put(f"{url}/claim", json={"cluster": "c"}), 410)
        answered(client.post(f"{url}/cancel"), 410)
        data = {"data": b"x", "content_type": "application/octet-stream"}
        answered(client.put(f"{url}/logs/test?offset=0", **data), 410)
        assert ids(client) == []

    def test_the_command_that_deletes_the_testrun_is_returned(self, client):
        run = register(client)
        report(client, run["id"], "succeeded")
        response = client.delete(f"/api/test-runs/{run['id']}")
        assert response.headers["SparkTest-Remaining"] == (
            "kubectl delete testruns.sparktest.dev login -n shop"
        )

    def test_an_unknown_run_is_not_found(self, client):
        missing = "00000000-0000-4000-8000-000000000000"
        for response in (
            client.get(f"/api/test-runs/{missing}"),
            client.delete(f"/api/test-runs/{missing}"),
            client.post(f"/api/test-runs/{missing}/cancel"),
            client.put(f"/api/test-runs/{missing}/report", json={"status": "failed"}),
            client.get("/api/test-runs/not-an-id"),
        ):
            answered(response, 404)
