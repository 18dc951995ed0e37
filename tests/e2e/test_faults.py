"""No run is lost or repeated when programs are killed and restarted."""

import random
import time
from collections.abc import Callable
from threading import Event

import pytest

from sparktest.domain import LogState, Status
from tests.e2e.program import until
from tests.e2e.stack import Stack

pytestmark = pytest.mark.e2e


def test_killing_the_controller_ten_times_loses_and_repeats_none_of_twenty_runs(
    own_stack: Callable[..., Stack],
) -> None:
    stack = own_stack()
    seed = random.randrange(10**6)
    rng = random.Random(seed)
    names = [f"run-{number}" for number in range(20)]
    pause = Event()
    # On a dev cluster runs start at once, so shorter ones will do.
    longest, seconds = (3.0, 5) if stack.target.real else (2.0, 3)
    commands = [f"for i in $(seq 1 {seconds}); do echo $i; sleep 1; done"]
    for name in names[:10]:
        stack.apply(name, commands=commands)

    for kill in range(10):
        pause.wait(rng.uniform(0.1, longest))
        stack.controller.stop(kill=True)
        stack.apply(names[10 + kill], commands=commands)
        stack.controller.start()

    for name in names:
        stack.wait_until_finished(name, seconds=180)
    ends = {name: stack.run_of(name) for name in names}
    details = f"seed {seed}: {[(name, run.status, run.log) for name, run in ends.items()]}"
    assert {run.status for run in ends.values()} == {Status.SUCCEEDED}, details
    assert {len(stack.jobs_of(run)) for run in ends.values()} == {1}, details
    log = "".join(f"{number}\n" for number in range(1, seconds + 1))
    assert {stack.log_of(run) for run in ends.values()} == {log}, details
    assert {run.log.state for run in ends.values()} == {LogState.COMPLETE}, details
    assert len(stack.client.list_runs(limit=1000).runs) == 20


def test_nothing_is_lost_while_the_api_is_down(own_stack: Callable[..., Stack]) -> None:
    stack = own_stack()
    # On a real cluster longer than any back-off; on a dev cluster shorter, to save time.
    seconds = 30 if stack.target.real else 8
    stack.apply("across", commands=[f"for i in $(seq 1 {seconds // 2}); do echo $i; sleep 1; done"])
    until("it runs", lambda: stack.testrun("across").get("status", {}).get("phase") == "Running")

    stopped = time.monotonic()
    stack.api.stop(kill=True)
    stack.apply("meanwhile", commands=["echo meanwhile"])
    until("the outage was long enough", lambda: time.monotonic() - stopped > seconds)
    assert not stack.api.running
    stack.start_api()

    for name in ("across", "meanwhile"):
        stack.wait_until_finished(name, seconds=120)
    across, meanwhile = stack.run_of("across"), stack.run_of("meanwhile")
    assert across.status is meanwhile.status is Status.SUCCEEDED
    assert stack.log_of(across).split() == [str(number) for number in range(1, seconds // 2 + 1)]
    assert stack.log_of(meanwhile) == "meanwhile\n"
    assert across.log.state is meanwhile.log.state is LogState.COMPLETE
    assert len(stack.jobs_of(across)) == len(stack.jobs_of(meanwhile)) == 1


def test_a_testrun_deleted_while_no_controller_runs_is_cleaned_up_later(
    own_stack: Callable[..., Stack],
) -> None:
    stack = own_stack()
    stack.apply("orphan", commands=["echo up; sleep 600"])
    until("it runs", lambda: stack.testrun("orphan").get("status", {}).get("phase") == "Running")
    run = stack.run_of("orphan")
    stack.controller.stop(kill=True)
    stack.target.delete(stack.namespace, "orphan", wait=False)

    stack.controller.start()

    until("the TestRun is gone", lambda: stack.is_deleted("orphan"))
    assert stack.wait_until_final(run.id).status is Status.CANCELLED
    until("its Job is gone", lambda: not stack.jobs_of(run))
