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


class TestList:
    def test_the_newest_is_first(self, client):
        made = [create(client, name=str(n))["id"] for n in range(3)]
        assert ids(client) == made[::-1]

    def test_pages_are_linked(self, client):
        made = [create(client)["id"] for _ in range(5)]
        seen, link = [], "<?limit=2&status=pending>"
        while link:
            response = client.get("/api/test-runs" + link.partition(">")[0].lstrip("<"))
            seen += [run["id"] for run in answered(response, 200)]
            link = response.headers.get("Link", "")
            assert link in ("", link.partition(">")[0] + '>; rel="next"')
        assert seen == made[::-1]

    def test_filters_find_what_they_name(self, client, clock):
        first = create(client, name="Login über web", labels={"team": "shop", "tier": "1"})
        clock.advance(60)
        second = register(client, labels={"team": "bank"})
        report(client, second["id"], "running", jobUid="j")
        third = create(client, name="other", labels={"team": "shop"})
        a, b, c = first["id"], second["id"], third["id"]
        for query, found in {
            "status=running": [b],
            "status=running&status=pending": [c, b, a],
            "status=cancelled": [],
            "origin=crd": [b],
            "origin=api&status=pending": [c, a],
            "namespace=shop": [b],
            "namespace=shop&namespace=tests": [c, b, a],
            f"cluster={CLUSTER}": [b],
            "label=team=shop": [c, a],
            "label=team": [c, b, a],
            "label=team=shop&label=tier=1": [a],
            "label=team=": [],
            "label=team in (shop, bank),tier": [a],
            "label=team!=shop": [b],
            "label=!tier": [c, b],
            "label=team=shop,!tier": [c],
            "class=test": [],
            "until=2026-05-01T12:01:00Z": [a],
            "until=2026-05-01T12:01:00Z&since=2026-05-01T12:01:00Z": [],
            "until=9999-12-31T23:59:59Z": [c, b, a],
            "until=0001-01-01T00:00:00Z": [],
            "suiteRunId=00000000-0000-4000-8000-000000000000": [],
            "q=log": [b, a],
            "q=ÜBER LOG": [a],
            "q=ogin": [b, a],
            f"q={a}": [a],
            f"q={a[:20]}": [a],
            f"q={b[:6].upper()}": [b],
            "q=%20": [],
            "since=2026-05-01T12:00:30Z": [c, b],
            "since=2026-05-01T14:00:30%2B02:00": [c, b],
            "since=2027-01-01T00:00:00Z": [],
            "since=0001-01-01T00:00:00Z": [c, b, a],
            "since=9999-12-31T23:59:59Z": [],
            "updatedSince=2026-05-01T12:00:30Z": [c, b],
        }.items():
            assert ids(client, query) == found, query

    def test_a_filter_by_definition_finds_its_runs(self, client):
        definition = define(client)
        create(client)
        run = answered(client.post(f"/api/test-definitions/{definition['id']}/run"), 201)
        assert ids(client, f"definitionId={definition['id'].upper()}") == [run["id"]]

    @pytest.mark.parametrize(
        ("query", "pointer"),
        [
            ("colour=red", "/colour"),
            ("status=done", "/status/0"),
            ("status=pending&status=done", "/status/1"),
            ("limit=0", "/limit"),
            ("limit=1001", "/limit"),
            ("limit=" + "9" * 5000, "/limit"),
            ("since=yesterday", "/since"),
            ("since=2026-05-01T12:00:00", "/since"),
            ("since=0001-01-01T00:00:00%2B14:00", "/since"),
            ("definitionId=1", "/definitionId/0"),
            ("class=odd", "/class/0"),
            ("label=", "/label/0"),
            ("label=a&label=a%20in%20b", "/label/1"),
            ("limit=1.5", "/limit"),
            ("&".join(["namespace=a"] * 33), "/namespace"),
            ("q=%00", "/q"),
        ],
    )
    def test_an_invalid_filter_is_named(self, client, query, pointer):
        assert pointers(client.get(f"/api/test-runs?{query}")) == {pointer}

    @pytest.mark.parametrize("cursor", ["", "x", "AQ", "ÿ", "AQAAAAAAAAAA", "A" * 5000])
    def test_an_invalid_cursor_is_refused(self, client, cursor):
        assert pointers(client.get(f"/api/test-runs?cursor={cursor}"), 400) == {"/cursor"}


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
