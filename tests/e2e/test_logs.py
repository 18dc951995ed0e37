"""Logs are stored before their pods are deleted."""

import pytest

from sparktest.domain import LogState, Status
from sparktest.errors import NotFoundError
from sparktest.kube.resources import JOBS
from tests.e2e.program import until
from tests.e2e.stack import Stack

pytestmark = pytest.mark.e2e

# Numbered lines of 100 digits.
BIG = r'for (n = 0; n < 300000; n++) printf "%0100d\n", n'


def test_a_job_with_ttl_0_is_deleted_and_its_log_is_kept(stack: Stack) -> None:
    stack.apply("ttl", commands=["echo kept"], ttlSecondsAfterFinished=0)
    stack.wait_until_finished("ttl")
    run = stack.run_of("ttl")

    def job_is_deleted() -> bool:
        try:
            stack.cluster.get(JOBS, stack.namespace, run.job_name)
        except NotFoundError:
            return True
        return False

    until("the Job is gone", job_is_deleted)
    assert stack.client.get_run(run.id).status is Status.SUCCEEDED
    assert stack.testrun("ttl")["status"]["phase"] == "Succeeded"
    assert stack.log_of(run) == "kept\n"


def test_a_log_of_30_megabytes_is_stored_completely(stack: Stack) -> None:
    # The kubelet rotates it four times. A busy containerd drops the last output of a container
    # that exits right after it, before the output is in any file: so this one sleeps.
    stack.apply("big", commands=[f"awk 'BEGIN {{ {BIG} }}'", "sleep 4"])

    stack.wait_until_finished("big", seconds=180)

    run = stack.run_of("big")
    log = stack.client.get_log(run.id)
    assert run.log.state is LogState.COMPLETE
    assert len(log) == run.log.bytes > 30_000_000
    assert log.decode().splitlines() == [f"{number:0100d}" for number in range(300_000)]


def test_a_follower_gets_lines_while_the_test_runs_and_ends_with_it(stack: Stack) -> None:
    stack.apply("talks", commands=["echo first; sleep 4; echo last"])
    until("it is registered", lambda: "runId" in stack.testrun("talks").get("status", {}))
    run = stack.run_of("talks")
    seen = b""
    live = False

    for chunk in stack.client.follow_log(run.id):
        seen += chunk
        live = live or (b"last" not in seen and not stack.client.get_run(run.id).status.final)

    assert seen == b"first\nlast\n"
    assert live
    assert stack.client.get_run(run.id).status is Status.SUCCEEDED
