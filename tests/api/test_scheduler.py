"""Exactly one run for each due time: with several processes, through restarts and kills."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from sparktest.api import schedule_runs
from sparktest.api.scheduler import MAX_WAIT_SECONDS, Scheduler
from sparktest.api.store import tables
from tests.api.requests import answered, define, get, ids, report

HOUR = 3600


@pytest.fixture
def definition(client):
    return define(client)


@pytest.fixture
def scheduler(ctx):
    return Scheduler(ctx)


def add(client, definition, **fields):
    target = definition and definition["id"]
    body = {"name": "hourly", "definitionId": target, "cron": "@hourly"} | fields
    return answered(client.post("/api/schedules", json=body), 201)


def read(client, schedule):
    return answered(client.get(f"/api/schedules/{schedule['id']}"), 200)


def runs_of(client):
    return [get(client, run_id) for run_id in ids(client, "limit=1000")]


class TestStart:
    def test_nothing_starts_before_it_is_due(self, client, clock, scheduler, definition):
        add(client, definition)
        clock.advance(HOUR - 1)
        assert scheduler.start_due() == pytest.approx(1)
        assert ids(client) == []

    def test_a_due_time_is_started_once(self, client, clock, scheduler, definition):
        schedule = add(client, definition)
        clock.advance(HOUR)
        for _ in range(3):
            scheduler.start_due()
        (run,) = runs_of(client)
        assert (run["scheduleId"], run["name"]) == (schedule["id"], "smoke - hourly")
        after = read(client, schedule)
        assert after["lastRunId"] == run["id"]
        assert after["lastRunAt"] == schedule["nextRunAt"]
        assert after["nextRunAt"] == "2026-05-01T14:00:00Z"
        assert after["missedRuns"] == 0

    def test_a_clock_that_goes_back_starts_nothing_again(
        self, client, clock, scheduler, definition
    ):
        schedule = add(client, definition)
        clock.advance(HOUR)
        scheduler.start_due()
        clock.advance(-HOUR / 2)
        scheduler.start_due()
        answered(
            client.patch(f"/api/schedules/{schedule['id']}", json={"cron": "0 */1 * * *"}), 200
        )
        clock.advance(HOUR / 2)
        scheduler.start_due()
        assert len(ids(client)) == 1

    def test_of_missed_times_the_latest_is_started_and_the_others_are_reported(
        self, client, clock, scheduler, definition, caplog
    ):
        schedule = add(client, definition)
        clock.advance(5 * HOUR + 60)
        with caplog.at_level("WARNING"):
            scheduler.start_due()
        after = read(client, schedule)
        assert len(ids(client)) == 1
        assert after["lastRunAt"] == "2026-05-01T17:00:00Z"
        assert (after["missedRuns"], after["lastMissedAt"]) == (4, "2026-05-01T16:00:00Z")
        assert f"schedule missed runs schedule_id={schedule['id']} missed=4" in caplog.text

    def test_after_the_starting_deadline_none_is_started(
        self, client, clock, scheduler, definition
    ):
        schedule = add(client, definition, startingDeadlineSeconds=59)
        clock.advance(2 * HOUR + 60)
        scheduler.start_due()
        after = read(client, schedule)
        assert ids(client) == []
        assert (after["missedRuns"], after["lastMissedAt"]) == (2, "2026-05-01T14:00:00Z")
        assert after["nextRunAt"] == "2026-05-01T15:00:00Z"

    def test_forbid_skips_a_due_time_while_a_run_goes_on(
        self, client, clock, scheduler, definition
    ):
        schedule = add(client, definition, concurrency="forbid")
        for _ in range(2):
            clock.advance(HOUR)
            scheduler.start_due()
        (first,) = runs_of(client)
        after = read(client, schedule)
        assert (after["missedRuns"], after["lastMissedAt"]) == (1, "2026-05-01T14:00:00Z")
        report(client, first["id"], "succeeded")
        clock.advance(HOUR)
        scheduler.start_due()
        assert len(ids(client)) == 2

    def test_replace_cancels_the_run_that_goes_on(self, client, clock, scheduler, definition):
        add(client, definition, concurrency="replace")
        for _ in range(2):
            clock.advance(HOUR)
            scheduler.start_due()
        second, first = runs_of(client)
        assert "cancelRequestedAt" in first
        assert "cancelRequestedAt" not in second

    def test_what_cannot_be_started_is_a_failed_run(
        self, client, clock, ctx, scheduler, definition
    ):
        schedule = add(client, definition)
        with ctx.store.writing() as connection:
            connection.execute(update(tables.DefinitionRow).values(image=""))
        clock.advance(HOUR)
        scheduler.start_due()
        (run,) = runs_of(client)
        assert (run["status"], run["scheduleId"]) == ("failed", schedule["id"])
        assert run["failure"]["class"] == "config"
        assert run["failure"]["reason"] == "ImageMissing"
        assert run["testDefinitionId"] == definition["id"]
        assert read(client, schedule)["lastRunId"] == run["id"]

    def test_a_zone_that_is_no_longer_known_is_a_failed_run(
        self, client, clock, ctx, scheduler, definition
    ):
        schedule = add(client, definition)
        with ctx.store.writing() as connection:
            connection.execute(update(tables.ScheduleRow).values(time_zone="Mars/Olympus"))
        clock.advance(HOUR)
        scheduler.start_due()
        clock.advance(HOUR)
        scheduler.start_due()
        (run,) = runs_of(client)
        assert "Mars/Olympus" in run["failure"]["message"]
        assert "nextRunAt" not in read(client, schedule)

    def test_a_schedule_that_fails_keeps_no_other_from_starting(
        self, client, clock, scheduler, definition, monkeypatch, caplog
    ):
        broken = add(client, definition, name="broken")
        good = add(client, definition, name="good")
        start = schedule_runs.start

        def fail(connection, ctx, schedule, problem=None):
            if schedule["id"] == broken["id"]:
                raise RuntimeError("a bug")
            return start(connection, ctx, schedule, problem)

        monkeypatch.setattr(schedule_runs, "start", fail)
        clock.advance(HOUR)
        assert scheduler.start_due() == MAX_WAIT_SECONDS
        assert [run["scheduleId"] for run in runs_of(client)] == [good["id"]]
        assert broken["id"] in caplog.text
        monkeypatch.undo()
        scheduler.start_due()
        assert len(ids(client)) == 2

    def test_it_waits_until_the_next_due_time_but_not_for_long(self, client, clock, scheduler):
        assert scheduler.start_due() == MAX_WAIT_SECONDS
        add(client, define(client))
        assert scheduler.start_due() == MAX_WAIT_SECONDS
        clock.advance(HOUR - 5)
        assert scheduler.start_due() == pytest.approx(5)


class TestSuite:
    @pytest.fixture
    def suite(self, client):
        made = [define(client, name=name)["id"] for name in ("first", "second")]
        body = {"name": "all", "testDefinitionIds": made}
        return answered(client.post("/api/test-suites", json=body), 201)

    def test_a_suite_run_is_started_once(self, client, clock, scheduler, suite):
        schedule = add(client, None, suiteId=suite["id"])
        clock.advance(HOUR)
        for _ in range(2):
            scheduler.start_due()
        (suite_run,) = answered(client.get("/api/suite-runs"), 200)
        assert suite_run["scheduleId"] == schedule["id"]
        assert read(client, schedule)["lastRunId"] == suite_run["id"]
        assert {run["scheduleId"] for run in runs_of(client)} == {schedule["id"]}
        assert len(ids(client)) == 2

    def test_forbid_waits_for_all_runs_of_the_suite(self, client, clock, scheduler, suite):
        schedule = add(client, None, suiteId=suite["id"], concurrency="forbid")
        clock.advance(HOUR)
        scheduler.start_due()
        _, first = ids(client)
        report(client, first, "succeeded")
        clock.advance(HOUR)
        scheduler.start_due()
        assert read(client, schedule)["missedRuns"] == 1
        report(client, ids(client)[0], "succeeded")
        clock.advance(HOUR)
        scheduler.start_due()
        assert len(answered(client.get("/api/suite-runs"), 200)) == 2

    def test_replace_cancels_the_suite_run(self, client, clock, scheduler, suite):
        add(client, None, suiteId=suite["id"], concurrency="replace")
        for _ in range(2):
            clock.advance(HOUR)
            scheduler.start_due()
        after, before = answered(client.get("/api/suite-runs"), 200)
        assert "cancelRequestedAt" in before
        assert "cancelRequestedAt" not in after
        assert get(client, ids(client)[2])["status"] == "cancelled"

    def test_one_that_cannot_be_run_is_one_failed_run_and_no_half_suite(
        self, client, clock, ctx, scheduler, suite
    ):
        schedule = add(client, None, suiteId=suite["id"])
        with ctx.store.writing() as connection:
            broken = tables.DefinitionRow.name == "second"
            connection.execute(update(tables.DefinitionRow).where(broken).values(image=""))
        clock.advance(HOUR)
        scheduler.start_due()
        (run,) = runs_of(client)
        assert (run["name"], run["status"]) == ("all - hourly", "failed")
        assert run["failure"]["class"] == "config"
        assert run["scheduleId"] == schedule["id"]
        assert answered(client.get("/api/suite-runs"), 200) == []

    def test_a_suite_of_a_schedule_cannot_be_deleted(self, client, suite):
        add(client, None, suiteId=suite["id"])
        detail = answered(client.delete(f"/api/test-suites/{suite['id']}"), 409)["detail"]
        assert "'hourly'" in detail


class TestThread:
    def test_a_change_wakes_it_and_it_ends_when_the_process_closes(
        self, client, clock, ctx, definition
    ):
        before = set(threading.enumerate())
        Scheduler(ctx).start()
        (thread,) = set(threading.enumerate()) - before
        schedule = add(client, definition)
        clock.advance(HOUR)
        ctx.schedules_changed.set()
        deadline = datetime.now(UTC) + timedelta(seconds=30)
        while "lastRunId" not in read(client, schedule):
            assert datetime.now(UTC) < deadline
        ctx.closing.set()
        ctx.schedules_changed.set()
        thread.join(30)
        assert not thread.is_alive()
