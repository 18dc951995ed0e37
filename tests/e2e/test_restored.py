"""The database is restored from a backup, or lost, while runs go on."""

import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from functools import partial
from pathlib import Path

import pytest

from sparktest.domain import LogState, Run, Status
from tests.e2e.program import until
from tests.e2e.stack import TOKEN, Stack

pytestmark = pytest.mark.e2e
LINES = "for i in $(seq 1 {}); do echo $i; sleep 1; done"


def back_up(stack: Stack) -> Path:
    """Copy the database while it is in use, as docs/operating.md describes."""
    copy = stack.folder / "backup.db"
    with (
        closing(sqlite3.connect(stack.folder / "sparktest.db")) as source,
        closing(sqlite3.connect(copy)) as target,
    ):
        source.backup(target)
    return copy


def replace_database(stack: Stack, backup: Path | None) -> None:
    """Kill the API and start it with this database, or with an empty one."""
    before = misses(stack)
    stack.api.stop(kill=True)
    for suffix in ("", "-wal", "-shm"):
        (stack.folder / f"sparktest.db{suffix}").unlink(missing_ok=True)
    if backup:
        backup.rename(stack.folder / "sparktest.db")
    # It polls every second, and would not notice a quicker restart before its next sweep.
    until("the controller misses the API", lambda: misses(stack) > before)
    stack.start_api()


def misses(stack: Stack) -> int:
    """Return how often the controller did not reach the API."""
    return stack.controller.log.read_text().count("api unreachable")


def log_is_stored(stack: Stack, name: str, lines: int) -> bool:
    if "runId" not in stack.testrun(name).get("status", {}):
        return False
    return len(stack.log_of(stack.run_of(name)).split()) >= lines


def appeared(stack: Stack, name: str) -> Run | None:
    """Return the run of this TestRun once the API has it."""
    with suppress(AssertionError):
        return stack.run_of(name)
    return None


def check_whole(stack: Stack, name: str, lines: int) -> None:
    """Check that the run has passed, once, with all of its log."""
    run = stack.wait_until_final(stack.run_of(name).id)
    assert run.status is Status.SUCCEEDED
    assert stack.log_of(run).split() == [str(number) for number in range(1, lines + 1)]
    assert run.log.state is LogState.COMPLETE
    assert len(stack.jobs_of(run)) <= 1
    status = stack.testrun(name)["status"]
    assert (status["phase"], status["runId"]) == ("Succeeded", run.id)


def test_after_a_restore_every_run_ends_with_its_whole_log(own_stack: Callable[..., Stack]) -> None:
    stack = own_stack()
    stack.apply("across", commands=[LINES.format(14)])
    stack.apply("ended", commands=[LINES.format(4)])
    for name in ("across", "ended"):
        until(f"{name} has begun", partial(log_is_stored, stack, name, 2))
    backup = back_up(stack)
    stack.apply("later", commands=[LINES.format(12)])
    stack.apply("later-ended", commands=["echo 1"])
    for name in ("ended", "later-ended"):
        stack.wait_until_finished(name)
    until("there is more of the log", lambda: log_is_stored(stack, "across", 6))
    until("later has begun", lambda: log_is_stored(stack, "later", 2))

    replace_database(stack, backup)

    for name in ("across", "ended"):
        check_whole(stack, name, {"across": 14, "ended": 4}[name])
    until("later is registered again", lambda: appeared(stack, "later"))
    stack.wait_until_finished("later")
    check_whole(stack, "later", 12)
    # Finished TestRuns are compared at the start of a controller and every 5 minutes.
    stack.controller.stop()
    stack.controller.start()
    until("it appears again", lambda: appeared(stack, "later-ended"))
    stack.wait_until_final(stack.run_of("later-ended").id)
    until(
        "the status names the new run",
        lambda: stack.testrun("later-ended")["status"]["runId"] == stack.run_of("later-ended").id,
    )
    check_whole(stack, "later-ended", 1)


def test_a_run_can_be_cancelled_after_the_database_was_lost(
    own_stack: Callable[..., Stack],
) -> None:
    # Any other token is lost with the database.
    stack = own_stack(controller_token=TOKEN)
    stack.apply("endless", commands=["echo 1; sleep 600"])
    until("it has begun", lambda: log_is_stored(stack, "endless", 1))

    replace_database(stack, None)

    run = until("it is registered again", lambda: appeared(stack, "endless"))
    stack.client.cancel_run(run.id)
    ended = stack.wait_until_final(run.id)
    assert (ended.status, ended.log.state) == (Status.CANCELLED, LogState.COMPLETE)
    assert stack.log_of(ended) == "1\n"
