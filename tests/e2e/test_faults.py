"""Programs die and come back: nothing is lost, nothing runs twice."""

import random
import time
from collections.abc import Callable
from threading import Event

import pytest

from sparktest.domain import LogState, Status
from tests.e2e.program import until
from tests.e2e.stack import Stack

pytestmark = pytest.mark.e2e


def test_a_controller_killed_ten_times_during_twenty_runs_loses_and_doubles_none(
    own_stack: Callable[..., Stack],
) -> None:
    stack = own_stack()
    seed = random.randrange(10**6)
    moments = random.Random(seed)
    names = [f"run-{number}" for number in range(20)]
    pause = Event()
    for name in names[:10]:
        stack.apply(name, commands=["for i in 1 2 3 4 5; do echo $i; sleep 1; done"])

    for kill in range(10):
        pause.wait(moments.uniform(0.1, 3.0))
        stack.controller.stop(kill=True)
        stack.apply(names[10 + kill], commands=["for i in 1 2 3 4 5; do echo $i; sleep 1; done"])
        stack.controller.start()

    for name in names:
        stack.finished(name, seconds=180)
    ends = {name: stack.run_of(name) for name in names}
    said = f"seed {seed}: {[(name, run.status, run.log) for name, run in ends.items()]}"
    assert {run.status for run in ends.values()} == {Status.SUCCEEDED}, said
    assert {len(stack.jobs_of(run)) for run in ends.values()} == {1}, said
    assert {stack.log_of(run) for run in ends.values()} == {"1\n2\n3\n4\n5\n"}, said
    assert {run.log.state for run in ends.values()} == {LogState.COMPLETE}, said
    assert len(stack.client.list_runs(limit=1000).runs) == 20


def test_an_api_that_is_away_for_30_seconds_loses_nothing(own_stack: Callable[..., Stack]) -> None:
    stack = own_stack()
    stack.apply("across", commands=["for i in $(seq 1 15); do echo $i; sleep 1; done"])
    until("it runs", lambda: stack.testrun("across").get("status", {}).get("phase") == "Running")

    away = time.monotonic()
    stack.api.stop(kill=True)
    stack.apply("meanwhile", commands=["echo meanwhile"])
    until("30 seconds are over", lambda: time.monotonic() - away > 30)
    assert not stack.api.running
    stack.start_api()

    for name in ("across", "meanwhile"):
        stack.finished(name, seconds=120)
    across, meanwhile = stack.run_of("across"), stack.run_of("meanwhile")
    assert across.status is meanwhile.status is Status.SUCCEEDED
    assert stack.log_of(across).split() == [str(number) for number in range(1, 16)]
    assert stack.log_of(meanwhile) == "meanwhile\n"
    assert across.log.state is meanwhile.log.state is LogState.COMPLETE
    assert len(stack.jobs_of(across)) == len(stack.jobs_of(meanwhile)) == 1


def test_a_testrun_deleted_while_no_controller_ran_is_cleaned_up_later(
    own_stack: Callable[..., Stack],
) -> None:
    stack = own_stack()
    stack.apply("orphan", commands=["echo up; sleep 600"])
    until("it runs", lambda: stack.testrun("orphan").get("status", {}).get("phase") == "Running")
    run = stack.run_of("orphan")
    stack.controller.stop(kill=True)
    stack.kubectl("delete", "testruns.sparktest.dev/orphan", "--wait=false")

    stack.controller.start()

    until("the TestRun is gone", lambda: stack.gone("orphan"))
    assert stack.final(run.id).status is Status.CANCELLED
    until("its Job is gone", lambda: not stack.jobs_of(run))
