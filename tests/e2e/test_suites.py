"""Suites on a cluster: in sequence, at once, stopped by a failure, cancelled."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from sparktest.domain import Run, Status
from sparktest.domain_suites import SuiteRun
from tests.e2e.program import until
from tests.e2e.stack import IMAGE, Stack

# Ends at once when it is stopped.
WAIT = "trap 'exit 1' TERM; sleep 60 & wait"


def start(stack: Stack, name: str, commands: Sequence[str], **fields: Any) -> SuiteRun:
    """Run a suite of a definition for each command."""
    ids = [
        stack.client.definitions.create(
            {"name": f"{name}-{number}", "image": IMAGE, "commands": [command]}
        ).id
        for number, command in enumerate(commands)
    ]
    suite = stack.client.suites.create({"name": name, "testDefinitionIds": ids, **fields})
    return stack.client.run_suite(suite.id)


def runs_of(stack: Stack, suite_run: SuiteRun) -> tuple[Run, ...]:
    """Return the runs in the order of the suite."""
    return stack.client.suite_runs.get(suite_run.id).runs or ()


def end(stack: Stack, suite_run: SuiteRun) -> tuple[Status, list[Status]]:
    """Wait for the end; return the status of the suite run and those of its runs."""

    def done() -> SuiteRun | None:
        found = stack.client.suite_runs.get(suite_run.id)
        return found if found.status.final else None

    ended = until(f"the suite run {suite_run.suite_name} has ended", done, 90.0)
    return ended.status, [run.status for run in ended.runs or ()]


def test_a_sequential_suite_goes_on_after_a_kill_of_the_api(
    own_stack: Callable[..., Stack],
) -> None:
    stack = own_stack()
    started = start(stack, "in-order", ["sleep 2", "exit 3", "true"])
    until("the first test runs", lambda: runs_of(stack, started)[0].status is Status.RUNNING)

    stack.api.stop(kill=True)
    stack.start_api()

    expected = [Status.SUCCEEDED, Status.FAILED, Status.SUCCEEDED]
    assert end(stack, started) == (Status.FAILED, expected)
    runs = runs_of(stack, started)
    for before, after in pairwise(runs):
        assert before.finished_at
        assert after.started_at
        assert before.finished_at <= after.started_at
    assert [len(stack.jobs_of(run)) for run in runs] == [1, 1, 1]


def test_a_failure_stops_a_suite_that_asks_for_it(stack: Stack) -> None:
    started = start(stack, "stopped", ["exit 1", "true"], stopOnFailure=True)

    assert end(stack, started) == (Status.FAILED, [Status.FAILED, Status.CANCELLED])
    left_out = runs_of(stack, started)[1]
    assert left_out.failure
    assert left_out.failure.reason == "SuiteStopped"
    assert stack.jobs_of(left_out) == []


def test_a_parallel_suite_runs_all_at_once(stack: Stack) -> None:
    started = start(stack, "at-once", [WAIT, WAIT], executionMode="parallel")

    until(
        "both tests run",
        lambda: all(run.status is Status.RUNNING for run in runs_of(stack, started)),
    )
    stack.client.suite_runs.cancel(started.id)
    assert end(stack, started) == (Status.CANCELLED, [Status.CANCELLED] * 2)


def test_a_cancelled_suite_starts_nothing_more(stack: Stack) -> None:
    started = start(stack, "cancelled-suite", [WAIT, "true"])
    until("the first test runs", lambda: runs_of(stack, started)[0].status is Status.RUNNING)

    stack.client.suite_runs.cancel(started.id)

    assert end(stack, started) == (Status.CANCELLED, [Status.CANCELLED] * 2)
    assert stack.jobs_of(runs_of(stack, started)[1]) == []
