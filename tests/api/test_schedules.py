"""Routes of schedules: what they store, refuse, start and say about due times."""

import msgspec
import pytest

from sparktest.domain_schedules import Schedule
from tests.api.requests import answered, define, get, ids, pointers, report

PATH = "/api/schedules"


@pytest.fixture
def definition(client):
    return define(client)


@pytest.fixture
def nightly(client, definition):
    return add(client, definition)


def add(client, definition, **fields):
    body = {"name": "nightly", "definitionId": definition["id"], "cron": "0 2 * * *"} | fields
    return answered(client.post(PATH, json=body), 201)


def read(client, schedule):
    return answered(client.get(f"{PATH}/{schedule['id']}"), 200)


def patch(client, schedule, **fields):
    return answered(client.patch(f"{PATH}/{schedule['id']}", json=fields), 200)


def run(client, schedule, status=201):
    return answered(client.post(f"{PATH}/{schedule['id']}/run"), status)


class TestFields:
    def test_the_defaults_and_the_next_due_time_are_answered(self, client, definition, nightly):
        assert nightly == {
            "id": nightly["id"],
            "name": "nightly",
            "description": "",
            "createdAt": "2026-05-01T12:00:00Z",
            "definitionId": definition["id"],
            "cron": "0 2 * * *",
            "timeZone": "UTC",
            "concurrency": "allow",
            "enabled": True,
            "nextRunAt": "2026-05-02T02:00:00Z",
            "missedRuns": 0,
            "version": 1,
        }
        assert read(client, nightly) == nightly
        assert msgspec.convert(nightly, Schedule).next_run_at is not None

    def test_the_zone_decides_when_it_is_due(self, client, definition):
        berlin = add(client, definition, timeZone="Europe/Berlin")
        assert berlin["nextRunAt"] == "2026-05-02T00:00:00Z"

    @pytest.mark.parametrize(
        ("fields", "expected"),
        [
            ({"cron": "61 * * * *", "timeZone": "Mars/Olympus"}, {"/cron", "/timeZone"}),
            ({"cron": "* * * * * *"}, {"/cron"}),
            ({"cron": None}, {"/cron"}),
            ({"definitionId": None}, {"/definitionId"}),
            ({"suiteId": "11111111-1111-4111-8111-111111111111"}, {"/definitionId"}),
            ({"definitionId": "11111111-1111-4111-8111-111111111111"}, {"/definitionId"}),
            ({"concurrency": "never"}, {"/concurrency"}),
            ({"startingDeadlineSeconds": 0}, {"/startingDeadlineSeconds"}),
            ({"enabled": "yes"}, {"/enabled"}),
        ],
    )
    def test_every_wrong_field_is_named(self, client, definition, fields, expected):
        body = {"name": "n", "definitionId": definition["id"], "cron": "0 2 * * *"} | fields
        assert pointers(client.post(PATH, json=body)) == expected

    def test_the_words_of_the_parser_are_answered(self, client, definition):
        body = {"name": "n", "definitionId": definition["id"], "cron": "61 * * * *"}
        detail = answered(client.post(PATH, json=body), 422)["detail"]
        assert detail == "/cron: '61 * * * *': Bad minute"

    def test_what_is_read_can_be_sent_back(self, client, nightly):
        response = client.put(f"{PATH}/{nightly['id']}", json=nightly)
        assert answered(response, 200) == {**nightly, "version": 2}
        assert "Warning" not in response.headers


class TestChanges:
    def test_another_cron_is_due_at_another_time(self, client, nightly):
        assert patch(client, nightly, cron="@hourly")["nextRunAt"] == "2026-05-01T13:00:00Z"

    def test_a_schedule_that_is_not_enabled_is_never_due(self, client, nightly):
        assert "nextRunAt" not in patch(client, nightly, enabled=False)
        assert patch(client, nightly, enabled=True)["nextRunAt"] == nightly["nextRunAt"]

    def test_a_due_time_survives_an_edit_of_the_description(self, client, clock, nightly):
        clock.advance(86_400)
        changed = patch(client, nightly, description="every night")
        assert changed["nextRunAt"] == nightly["nextRunAt"]

    def test_a_stale_version_is_refused(self, client, nightly):
        patch(client, nightly, description="new")
        stale = {"If-Match": '"1"'}
        response = client.patch(f"{PATH}/{nightly['id']}", json={"cron": "@daily"}, headers=stale)
        assert response.status_code == 412

    def test_every_write_wakes_the_scheduler_and_no_read_does(self, client, ctx, nightly):
        assert ctx.schedules_changed.is_set()
        ctx.schedules_changed.clear()
        read(client, nightly)
        assert not ctx.schedules_changed.is_set()
        client.delete(f"{PATH}/{nightly['id']}")
        assert ctx.schedules_changed.is_set()


class TestDeletedTarget:
    def test_a_definition_that_a_schedule_starts_cannot_be_deleted(
        self, client, definition, nightly
    ):
        path = f"/api/test-definitions/{definition['id']}"
        detail = answered(client.delete(path), 409)["detail"]
        assert detail == (
            "schedules refer to it: 'nightly'; delete them or change their definitionId first"
        )
        assert client.delete(f"{PATH}/{nightly['id']}").status_code == 204
        assert client.delete(path).status_code == 204


class TestRun:
    def test_a_run_starts_now_and_the_due_time_stays(self, client, definition, nightly):
        response = client.post(f"{PATH}/{nightly['id']}/run")
        started = answered(response, 201)
        made = get(client, started["lastRunId"])
        assert response.headers["Location"] == f"../../test-runs/{made['id']}"
        assert made["name"] == "smoke - nightly"
        assert made["scheduleId"] == nightly["id"]
        assert made["testDefinitionId"] == definition["id"]
        assert made["origin"] == "api"
        assert started["lastRunAt"] == "2026-05-01T12:00:00Z"
        assert started["nextRunAt"] == nightly["nextRunAt"]
        assert read(client, nightly) == started

    def test_also_one_that_is_not_enabled(self, client, nightly):
        patch(client, nightly, enabled=False)
        assert run(client, nightly)["lastRunId"] in ids(client)

    def test_forbid_refuses_a_second_run_until_the_first_has_ended(self, client, nightly):
        patch(client, nightly, concurrency="forbid")
        first = run(client, nightly)["lastRunId"]
        assert first in run(client, nightly, 409)["detail"]
        report(client, first, "succeeded")
        assert run(client, nightly)["lastRunId"] != first

    def test_replace_cancels_the_first(self, client, nightly):
        patch(client, nightly, concurrency="replace")
        first, second = (run(client, nightly)["lastRunId"] for _ in range(2))
        assert "cancelRequestedAt" in get(client, first)
        assert "cancelRequestedAt" not in get(client, second)

    def test_allow_starts_both(self, client, nightly):
        first, second = (run(client, nightly)["lastRunId"] for _ in range(2))
        assert ids(client) == [second, first]
        assert "cancelRequestedAt" not in get(client, first)


class TestSuite:
    def test_a_suite_run_is_started_by_hand(self, client, definition):
        body = {"name": "all", "testDefinitionIds": [definition["id"]]}
        suite = answered(client.post("/api/test-suites", json=body), 201)
        schedule = add(client, {"id": None}, suiteId=suite["id"])
        response = client.post(f"{PATH}/{schedule['id']}/run")
        started = answered(response, 201)
        assert response.headers["Location"] == f"../../suite-runs/{started['lastRunId']}"
        found = answered(client.get(f"/api/suite-runs/{started['lastRunId']}"), 200)
        assert found["suiteId"] == suite["id"]

    def test_an_unknown_suite_is_refused(self, client):
        unknown = "11111111-1111-4111-8111-111111111111"
        body = {"name": "n", "suiteId": unknown, "cron": "@daily"}
        assert pointers(client.post(PATH, json=body)) == {"/suiteId"}


class TestNextDueTimes:
    def test_they_are_those_of_the_zone(self, client, definition):
        berlin = add(client, definition, cron="0 3 * * SUN", timeZone="Europe/Berlin")
        times = answered(client.get(f"{PATH}/{berlin['id']}/next?count=2"), 200)
        assert times == {"times": ["2026-05-03T01:00:00Z", "2026-05-10T01:00:00Z"]}

    @pytest.mark.parametrize("count", ["0", "101", "x"])
    def test_their_number_is_bounded(self, client, nightly, count):
        response = client.get(f"{PATH}/{nightly['id']}/next?count={count}")
        assert pointers(response) == {"/count"}
