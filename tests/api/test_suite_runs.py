"""Suite runs: in sequence or at once, stopped by a failure, cancelled."""

import msgspec
import pytest

from sparktest.api import create_app
from sparktest.domain_suites import SuiteRun
from sparktest.settings import Settings
from tests.api.requests import answered, concurrently, define, pointers, report
from tests.api.suites import SUITE_RUNS, SUITES, claim, claimable, get, start, statuses


class TestStart:
    def test_a_suite_run_has_its_runs_in_order_and_a_message(self, client):
        started = start(client)
        assert [run["name"] for run in started["runs"]] == [f"nightly {n}" for n in range(3)]
        assert {run["suiteRunId"] for run in started["runs"]} == {started["id"]}
        assert started["message"] == "started the suite 'nightly': 3 runs, one after the other"
        assert (started["suiteName"], started["executionMode"]) == ("nightly", "sequential")
        assert (started["status"], started["counts"]) == ("pending", {"pending": 3})
        assert {**get(client, started), "message": started["message"]} == started
        assert msgspec.convert(started, SuiteRun).counts == {"pending": 3}

    def test_a_definition_may_occur_several_times(self, client):
        definition = define(client)["id"]
        body = {"name": "twice", "testDefinitionIds": [definition] * 2}
        suite = answered(client.post(SUITES, json=body), 201)
        response = client.post(f"{SUITES}/{suite['id']}/run")
        runs = answered(response, 201)["runs"]
        assert [run["testDefinitionId"] for run in runs] == [definition] * 2
        assert response.headers["Location"] == f"../../suite-runs/{response.get_json()['id']}"

    def test_an_empty_suite_cannot_be_run(self, client):
        suite = answered(client.post(SUITES, json={"name": "empty"}), 201)
        assert pointers(client.post(f"{SUITES}/{suite['id']}/run")) == {"/testDefinitionIds"}
        assert answered(client.get(SUITE_RUNS), 200) == []

    def test_a_definition_that_cannot_be_run_is_named_and_nothing_starts(self, client):
        body = {"name": "e", "image": "i"}
        executor = answered(client.post("/api/test-executors", json=body), 201)["id"]
        good = define(client, name="good")["id"]
        template = {"spec": {"containers": [{"name": "x", "image": "i"}]}}
        bad = define(client, name="bad", image=None, template=template, executorId=executor)["id"]
        # Together with this template, the definition has two containers.
        template = {"spec": {"containers": [{"name": "y"}]}}
        path = f"/api/test-executors/{executor}"
        answered(client.patch(path, json={"template": template}), 200)
        members = {"name": "s", "testDefinitionIds": [good, bad]}
        suite = answered(client.post(SUITES, json=members), 201)
        response = client.post(f"{SUITES}/{suite['id']}/run")
        assert pointers(response) == {"/testDefinitionIds/1"}
        assert answered(client.get("/api/test-runs"), 200) == []

    def test_a_deleted_suite_leaves_its_suite_runs(self, client):
        started = start(client)
        assert client.delete(f"{SUITES}/{started['suiteId']}").status_code == 204
        assert get(client, started)["suiteName"] == "nightly"


class TestSequence:
    def test_the_end_of_a_run_lets_the_next_one_begin(self, client):
        started = start(client)
        assert statuses(client, started) == ["pending", "blocked", "blocked"]
        assert claimable(client, started["runs"]) == [True, False, False]
        first, second, third = (run["id"] for run in started["runs"])
        report(client, first, "running", startedAt="2026-05-01T12:00:00Z")
        assert statuses(client, started) == ["running", "blocked", "blocked"]
        report(client, first, "failed")
        assert statuses(client, started) == ["failed", "pending", "blocked"]
        assert claimable(client, started["runs"]) == [True, True, False]
        report(client, second, "succeeded")
        report(client, third, "succeeded", finishedAt="2026-05-01T12:01:00Z")
        ended = get(client, started)
        assert (ended["status"], ended["counts"]) == ("failed", {"failed": 1, "succeeded": 2})
        assert (ended["startedAt"], ended["finishedAt"]) == (
            "2026-05-01T12:00:00Z",
            "2026-05-01T12:01:00Z",
        )

    def test_a_repeated_report_unblocks_nothing(self, client):
        started = start(client)
        for _ in range(2):
            report(client, started["runs"][0]["id"], "succeeded")
        assert statuses(client, started) == ["succeeded", "pending", "blocked"]

    def test_a_blocked_run_does_not_wait_for_a_controller(self, client, clock):
        clock.advance(60)
        reasons = [run["statusReason"] for run in start(client, 2)["runs"]]
        assert reasons == ["WaitingForController", "WaitingForSuite"]
        listed = answered(client.get("/api/test-runs"), 200)
        assert [run["statusReason"] for run in listed] == reasons[::-1]

    def test_it_goes_on_after_a_restart_of_the_api(self, client, store, clock):
        started = start(client)
        url = store.engine.url.render_as_string(hide_password=False)
        restarted = create_app(Settings(database_url=url), clock=clock)
        try:
            report(restarted.test_client(), started["runs"][0]["id"], "succeeded")
            assert statuses(client, started) == ["succeeded", "pending", "blocked"]
        finally:
            restarted.extensions["sparktest"].store.close()


class TestStopOnFailure:
    @pytest.mark.parametrize("status", ["failed", "timed_out", "cancelled"])
    def test_the_rest_is_cancelled(self, client, status):
        started = start(client, stopOnFailure=True)
        report(client, started["runs"][0]["id"], status)
        ended = get(client, started)
        assert [run["status"] for run in ended["runs"]] == [status, "cancelled", "cancelled"]
        assert ended["runs"][1]["failure"] == {
            "class": "cancelled",
            "reason": "SuiteStopped",
            "message": f"a run before it in the suite ended as {status}",
        }
        assert ended["runs"][1]["finishedAt"] == ended["finishedAt"]
        assert "statusReason" not in ended["runs"][1]
        assert ended["status"] == ("cancelled" if status == "cancelled" else "failed")

    def test_it_goes_on_after_a_success(self, client):
        started = start(client, stopOnFailure=True)
        report(client, started["runs"][0]["id"], "succeeded")
        assert statuses(client, started) == ["succeeded", "pending", "blocked"]


class TestParallel:
    def test_all_runs_begin_at_once(self, client):
        started = start(client, executionMode="parallel", stopOnFailure=True)
        assert claimable(client, started["runs"]) == [True] * 3
        report(client, started["runs"][1]["id"], "failed")
        assert statuses(client, started) == ["pending", "failed", "pending"]
        assert get(client, started)["status"] == "running"

    def test_concurrent_ends_are_all_counted(self, app):
        client = app.test_client()
        started = start(client, 8, executionMode="parallel")
        calls = [
            lambda key=run["id"]: report(app.test_client(), key, "succeeded")
            for run in started["runs"]
        ]
        concurrently(calls)
        ended = get(client, started)
        assert (ended["status"], ended["counts"]) == ("succeeded", {"succeeded": 8})


class TestCancel:
    def test_blocked_runs_end_at_once_and_others_when_they_are_stopped(self, client):
        started = start(client)
        claim(client, started["runs"][0])
        url = f"{SUITE_RUNS}/{started['id']}/cancel"
        answered(client.post(url), 202)
        cancelled = answered(client.post(url), 202)
        assert [run["status"] for run in cancelled["runs"]] == ["pending", "cancelled", "cancelled"]
        assert cancelled["runs"][0]["cancelRequestedAt"] == cancelled["cancelRequestedAt"]
        assert cancelled["runs"][1]["failure"]["reason"] == "SuiteCancelled"
        report(client, started["runs"][0]["id"], "cancelled")
        ended = get(client, started)
        assert (ended["status"], ended["counts"]) == ("cancelled", {"cancelled": 3})
        answered(client.post(url), 409)

    def test_a_cancelled_blocked_run_is_left_out(self, client):
        started = start(client)
        first, second, third = (run["id"] for run in started["runs"])
        run = answered(client.post(f"/api/test-runs/{second}/cancel"), 202)
        assert (run["status"], run["failure"]["reason"]) == ("cancelled", "Cancelled")
        assert statuses(client, started) == ["pending", "cancelled", "blocked"]
        report(client, first, "succeeded")
        report(client, third, "succeeded")
        assert get(client, started)["status"] == "cancelled"

    @pytest.mark.parametrize("number", [0, 1])
    def test_a_deleted_run_does_not_block_the_suite(self, client, number):
        started = start(client)
        path = f"/api/test-runs/{started['runs'][number]['id']}"
        assert client.delete(path).status_code == 204
        assert statuses(client, started) == ["pending", "blocked"]
        for run in get(client, started)["runs"]:
            assert claim(client, run) == 200
            report(client, run["id"], "succeeded")
        ended = get(client, started)
        assert (ended["status"], ended["counts"]) == ("cancelled", {"cancelled": 1, "succeeded": 2})

    def test_a_suite_run_still_failed_when_its_failed_run_is_deleted(self, client):
        started = start(client, 2)
        first, second = (run["id"] for run in started["runs"])
        report(client, first, "failed")
        assert client.delete(f"/api/test-runs/{first}").status_code == 204
        report(client, second, "succeeded")
        assert get(client, started)["status"] == "failed"

    def test_cancel_and_end_at_once_leave_nothing_blocked(self, app):
        client = app.test_client()
        started = start(client, 4)
        keys = [run["id"] for run in started["runs"]]
        calls = [
            lambda: report(app.test_client(), keys[0], "succeeded"),
            lambda: app.test_client().post(f"/api/test-runs/{keys[1]}/cancel"),
            lambda: app.test_client().delete(f"/api/test-runs/{keys[2]}"),
            lambda: app.test_client().post(f"{SUITE_RUNS}/{started['id']}/cancel"),
        ]
        concurrently(calls)
        assert "blocked" not in statuses(client, started)
        for run in get(client, started)["runs"]:
            if run["status"] == "pending":
                report(client, run["id"], "cancelled")
        ended = get(client, started)
        assert ended["counts"] == {"succeeded": 1, "cancelled": 3}


def test_a_suite_run_has_an_etag_that_changes_with_each_of_its_runs(client):
    started = start(client)
    url = f"{SUITE_RUNS}/{started['id']}"
    etag = client.get(url).headers["ETag"]
    assert client.get(url, headers={"If-None-Match": etag}).status_code == 304
    report(client, started["runs"][0]["id"], "pending", jobUid="j")
    response = client.get(url, headers={"If-None-Match": etag})
    assert response.status_code == 200
    assert response.headers["ETag"] != etag


class TestList:
    def test_it_has_pages_and_filters_and_no_runs(self, client):
        one, two = start(client, 1, name="one"), start(client, 1, name="two")
        report(client, one["runs"][0]["id"], "succeeded")
        found = {
            query: [each["id"] for each in answered(client.get(f"{SUITE_RUNS}?{query}"), 200)]
            for query in (
                "",
                "status=succeeded",
                "status=succeeded&status=pending",
                f"suiteId={two['suiteId']}",
                f"suiteId={two['suiteId']}&status=succeeded",
                "suiteName=one",
                "suiteName=one&suiteName=two&suiteName=three",
            )
        }
        assert list(found.values()) == [
            [two["id"], one["id"]],
            [one["id"]],
            [two["id"], one["id"]],
            [two["id"]],
            [],
            [one["id"]],
            [two["id"], one["id"]],
        ]
        response = client.get(f"{SUITE_RUNS}?limit=1")
        assert [each["id"] for each in answered(response, 200)] == [two["id"]]
        assert "runs" not in response.get_json()[0]
        following = response.headers["Link"].partition(">")[0].lstrip("<")
        assert [each["id"] for each in answered(client.get(SUITE_RUNS + following), 200)] == [
            one["id"]
        ]

    def test_unknown_values_and_ids_are_refused(self, client):
        assert pointers(client.get(f"{SUITE_RUNS}?status=done&suiteId=x")) == {
            "/status/0",
            "/suiteId/0",
        }
        unknown = "11111111-1111-4111-8111-111111111111"
        answered(client.get(f"{SUITE_RUNS}/{unknown}"), 404)
        answered(client.post(f"{SUITE_RUNS}/{unknown}/cancel"), 404)
