"""Objects from a file: applied by name, and run as a suite and by a schedule."""

import subprocess
import sys

import pytest

from sparktest.domain import Status
from tests.e2e.stack import IMAGE, Stack

pytestmark = pytest.mark.e2e

FILE = f"""\
kind: Schedule
name: e2e-nightly
suite: e2e-all
cron: 0 2 29 2 *
timeZone: Europe/Berlin
---
kind: Suite
name: e2e-all
definitions: [e2e-passes, e2e-fails, e2e-passes]
stopOnFailure: true
---
kind: Definition
name: e2e-passes
executor: e2e-shell
---
kind: Definition
name: e2e-fails
executor: e2e-shell
command: [sh, -c, exit 3]
---
kind: Executor
name: e2e-shell
image: {IMAGE}
defaultCommand: echo from the executor
"""


def call(stack: Stack, *args: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
    """Call the command line."""
    return subprocess.run(
        [sys.executable, "-m", "sparktest", *args],
        env=stack.environ,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_a_suite_from_a_file_runs_in_order_and_stops_at_the_first_failure(stack: Stack) -> None:
    applied = call(stack, "suites", "apply", "-f", "-", stdin=FILE)
    assert applied.returncode == 0, applied.stderr
    assert "suite/e2e-all created" in applied.stdout

    ended = call(stack, "schedules", "run", "e2e-nightly", "--wait")

    assert ended.returncode == 1, ended.stderr
    suite_run = stack.client.suite_runs.get(ended.stdout.strip())
    assert [run.status for run in suite_run.runs or ()] == [
        Status.SUCCEEDED,
        Status.FAILED,
        Status.CANCELLED,
    ]
    first, *others = suite_run.runs or ()
    assert stack.log_of(first) == "from the executor\n"
    (schedule,) = stack.client.schedules.list(q="e2e-nightly")
    assert {run.schedule_id for run in (first, *others)} == {schedule.id}
    assert schedule.last_run_id == suite_run.id

    again = call(stack, "suites", "apply", "-f", "-", stdin=FILE)
    assert {line.split()[1] for line in again.stdout.splitlines()} == {"unchanged"}
