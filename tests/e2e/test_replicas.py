"""Two controllers with leader election: one works, and the other one takes over."""

from collections.abc import Callable

import pytest

from sparktest.controller.lease import lease_name
from sparktest.domain import LogState, Status
from sparktest.kube.resources import LEASES
from tests.e2e.program import Program, until
from tests.e2e.stack import Stack

pytestmark = pytest.mark.e2e
LOG = "".join(f"line {number}\n" for number in range(20))
SCRIPT = "for i in $(seq 0 19); do echo line $i; sleep 0.2; done"


def holder(stack: Stack) -> str:
    """Return the identity of the leader; empty if the Lease was released."""
    name = lease_name([stack.namespace])
    return str(stack.cluster.get(LEASES, stack.namespace, name)["spec"]["holderIdentity"])


def has_led(program: Program) -> bool:
    """Return True when the program was elected."""
    return "elected as leader" in program.log.read_text(errors="replace")


def test_a_run_goes_on_when_the_leader_is_killed_and_the_next_one_is_stopped(
    own_stack: Callable[..., Stack],
) -> None:
    stack = own_stack(SPARKTEST_LEADER_ELECTION="on")
    until("the first controller leads", lambda: has_led(stack.controller))
    second = Program(["controller"], stack.controller.environ, stack.folder / "second.log")
    second.start()
    try:
        until("the second one waits", lambda: "waiting for the leader" in second.tail())
        first = holder(stack)
        stack.apply("killed", commands=[SCRIPT])
        until("it is registered", lambda: stack.client.list_runs().runs)
        until("its log is followed", lambda: "line 2" in stack.log_of(stack.run_of("killed")))
        assert not has_led(second)
        stack.controller.stop(kill=True)
        until("the second one leads", lambda: has_led(second), seconds=60)
        assert holder(stack) != first
        run = stack.wait_until_final(stack.run_of("killed").id)
        assert (run.status, run.log.state) == (Status.SUCCEEDED, LogState.COMPLETE)
        assert stack.log_of(run) == LOG
        assert len(stack.jobs_of(run)) == 1

        stack.controller.log.unlink()
        stack.controller.start()
        until("the first one waits", lambda: "waiting for the leader" in stack.controller.tail())
        assert second.stop() == 0
        assert "lease released" in second.tail()
        until("the first one leads again", lambda: has_led(stack.controller))
        stack.apply("stopped", commands=["true"])
        stack.wait_until_finished("stopped")
        assert stack.run_of("stopped").status is Status.SUCCEEDED
    finally:
        second.stop(kill=True)
