"""Under every fault each run ends, has one Job, and is registered once."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sparktest.backoff import Backoff
from sparktest.controller import informer
from sparktest.controller.informer_options import Timings
from sparktest.devcluster.kinds import JOBS, PODS
from sparktest.domain import FailureClass, Log, LogState, Run, Status
from tests.controller.fault_environment import LOG, FaultEnvironment, fault_environment
from tests.devcluster.faults import WRITES, Calls
from tests.e2e.program import until


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultEnvironment]:
    monkeypatch.setattr(informer, "Timings", lambda: Timings(backoff=Backoff(first=0.05, cap=0.5)))
    with fault_environment(tmp_path) as running:
        yield running


def _end(run: Run) -> str:
    return " ".join([run.status, run.failure.reason if run.failure else ""]).strip()


def check_passed(environment: FaultEnvironment, runs: list[Run]) -> None:
    """Every run went well and its log is whole."""
    assert {_end(run) for run in runs} == {"succeeded"}
    assert {run.log for run in runs} == {Log(state=LogState.COMPLETE, bytes=len(LOG))}
    assert {environment.client.get_log(run.id) for run in runs} == {LOG}


def test_without_faults(environment: FaultEnvironment) -> None:
    check_passed(environment, environment.ended(environment.begin()))


def test_watches_and_log_streams_are_cut_repeatedly(environment: FaultEnvironment) -> None:
    count = environment.begin()
    check_passed(environment, environment.ended(count, environment.faults.drop_watches))


def test_watches_expire_repeatedly(environment: FaultEnvironment) -> None:
    environment.faults.answer(410, Calls(verbs=("watch",), times=12))
    count = environment.begin()
    check_passed(environment, environment.ended(count, environment.faults.forget_history))


def test_watch_connections_are_half_open(environment: FaultEnvironment) -> None:
    environment.apply("before")
    environment.ended(1)
    environment.faults.freeze_watches()
    check_passed(environment, environment.ended(1 + environment.begin()))


def test_a_third_of_the_writes_fails(environment: FaultEnvironment) -> None:
    environment.faults.answer(500, Calls(verbs=WRITES, times=None, share=0.3))
    check_passed(environment, environment.ended(environment.begin()))


def test_half_of_the_replies_to_writes_are_lost(environment: FaultEnvironment) -> None:
    environment.faults.lose_reply(Calls(verbs=WRITES, times=None, share=0.5))
    check_passed(environment, environment.ended(environment.begin()))


def test_half_of_the_writes_conflict(environment: FaultEnvironment) -> None:
    environment.faults.answer(409, Calls(verbs=WRITES, times=None, share=0.5))
    check_passed(environment, environment.ended(environment.begin()))


def test_the_cluster_answers_429(environment: FaultEnvironment) -> None:
    environment.faults.answer(429, Calls(times=10), retry_after=1)
    check_passed(environment, environment.ended(environment.begin()))


def test_a_third_of_the_answers_is_late(environment: FaultEnvironment) -> None:
    environment.faults.delay(0.3, Calls(times=None, share=0.3))
    check_passed(environment, environment.ended(environment.begin()))


def test_jobs_are_deleted_by_hand_while_they_run(environment: FaultEnvironment) -> None:
    count = environment.begin("echo one; sleep 60")
    until("all run", lambda: [run.status for run in environment.runs()] == [Status.RUNNING] * count)
    for entry in environment.entries(JOBS):
        environment.delete(JOBS, entry)
    for run in environment.ended(count):
        assert run.failure is not None
        assert (run.failure.class_, run.failure.reason) == (FailureClass.INFRA, "JobDeleted")
    assert environment.entries(PODS) == []


def test_a_testrun_is_replaced_under_its_name(environment: FaultEnvironment) -> None:
    environment.apply("same", "echo one; sleep 60")
    until("it runs", lambda: [run.status for run in environment.runs()] == [Status.RUNNING])
    (entry,) = environment.entries(environment.testruns)
    environment.delete(environment.testruns, entry)
    until("it is gone", lambda: not environment.entries(environment.testruns))
    environment.apply("same")
    second, first = environment.ended(2)
    assert (first.status, second.status) == (Status.CANCELLED, Status.SUCCEEDED)
    assert environment.client.get_log(second.id) == LOG


@pytest.mark.parametrize("hours", [2, -2])
def test_the_clock_of_the_cluster_jumps(
    environment: FaultEnvironment, tmp_path: Path, hours: int
) -> None:
    count = environment.begin(
        f"echo one; until [ -e {tmp_path}/go ]; do sleep 0.05; done; echo two"
    )
    until("all run", lambda: [run.status for run in environment.runs()] == [Status.RUNNING] * count)
    environment.faults.move_clock(hours * 3600)
    if hours > 0:
        assert {_end(run) for run in environment.ended(count)} == {"timed_out DeadlineExceeded"}
    else:
        (tmp_path / "go").touch()
        check_passed(environment, environment.ended(count))


def test_all_faults_together(environment: FaultEnvironment) -> None:
    for code in (409, 429, 500):
        environment.faults.answer(code, Calls(times=None, share=0.04))
    environment.faults.answer(410, Calls(verbs=("watch",), times=None, share=0.2))
    environment.faults.lose_reply(Calls(times=None, share=0.04))
    environment.faults.delay(0.1, Calls(times=None, share=0.1))

    def meanwhile() -> None:
        environment.faults.drop_watches()
        environment.faults.forget_history()

    check_passed(environment, environment.ended(environment.begin(), meanwhile))
