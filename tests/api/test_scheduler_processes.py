"""Exactly one run for each due time with several processes, through restarts and kills."""

import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

import pytest
import requests

from sparktest.api.context import AppContext
from sparktest.api.scheduler import Scheduler
from sparktest.api.store import Store
from tests.api.requests import answered, concurrently, define
from tests.api.servers import running, wait_until

HOUR = 3600


@pytest.fixture
def made(client) -> list[str]:
    """The ids of ten schedules that are due every hour."""
    target = {"definitionId": define(client)["id"], "cron": "@hourly"}
    bodies = [{"name": str(n), **target} for n in range(10)]
    return [answered(client.post("/api/schedules", json=body), 201)["id"] for body in bodies]


def starts(client) -> Counter[str]:
    """Return the number of runs of each schedule."""
    runs = answered(client.get("/api/test-runs?limit=1000"), 200)
    return Counter(run["scheduleId"] for run in runs)


@contextmanager
def process(database_url: str) -> Iterator[subprocess.Popen[str]]:
    """Run a scheduler in a process until the end of the block."""
    command = [sys.executable, "-m", "tests.api.scheduler_process", database_url]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as running:
        try:
            yield running
        finally:
            running.kill()


def send(running: subprocess.Popen[str], line: str) -> None:
    assert running.stdin is not None
    running.stdin.write(f"{line}\n")
    running.stdin.flush()


def read(running: subprocess.Popen[str]) -> str:
    assert running.stdout is not None
    return running.stdout.readline().strip()


def test_of_schedulers_at_the_same_time_one_starts_each_due_time(client, clock, ctx, made):
    stores = [Store(ctx.store.engine) for _ in range(3)]
    schedulers = [Scheduler(AppContext(ctx.settings, store, clock)) for store in stores]
    for _ in range(3):
        clock.advance(HOUR)
        concurrently([scheduler.start_due for scheduler in schedulers])
    for each in stores:
        each.close()
    assert starts(client) == dict.fromkeys(made, 3)


def test_processes_that_are_killed_and_started_again_lose_and_repeat_nothing(
    client, clock, ctx, made
):
    url = ctx.store.engine.url.render_as_string(hide_password=False)
    with ExitStack() as stack:
        first, second, third = (stack.enter_context(process(url)) for _ in range(3))
        assert [read(each) for each in (first, second, third)] == ["ready"] * 3
        for killed in (first, second):
            clock.advance(HOUR)
            for each in (killed, third):
                send(each, clock.now.isoformat())
            killed.kill()
            assert read(third) == clock.now.isoformat()
        clock.advance(HOUR)
        again = stack.enter_context(process(url))
        assert read(again) == "ready"
        for each in (again, third):
            send(each, clock.now.isoformat())
        assert [read(each) for each in (again, third)] == [clock.now.isoformat()] * 2
    assert starts(client) == dict.fromkeys(made, 3)


def test_a_server_starts_what_is_due(tmp_path):
    """The due time is set in the database, since the clock of a process cannot be."""
    database = tmp_path / "runs.db"
    with running(f"sqlite:///{database}") as (_, address):
        api = f"{address}/api"
        body = {"name": "smoke", "image": "busybox"}
        made = requests.post(f"{api}/test-definitions", json=body, timeout=60).json()
        body = {"name": "yearly", "definitionId": made["id"], "cron": "@yearly"}
        schedule = requests.post(f"{api}/schedules", json=body, timeout=60).json()
        url = f"{api}/schedules/{schedule['id']}"
        with closing(sqlite3.connect(database)) as connection, connection:
            past = "2026-01-01 00:00:00.000000"
            connection.execute("UPDATE test_schedules SET next_run_at = ?", (past,))
        # It wakes the scheduler, and leaves the due time as it is.
        requests.patch(url, json={"description": "once a year"}, timeout=60)
        wait_until(lambda: "lastRunId" in requests.get(url, timeout=60).json())
        (run,) = requests.get(f"{api}/test-runs", timeout=60).json()
        assert run["scheduleId"] == schedule["id"]
