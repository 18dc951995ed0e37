"""What each step does to TestRun and run, and what it learns where it is refused."""

from datetime import timedelta
from typing import Any

import pytest

from sparktest.controller import steps
from sparktest.controller.observation import Observation, Registration
from sparktest.controller.run_states import RunState
from sparktest.controller.steps import Step
from sparktest.controller.testruns import parse_testrun
from sparktest.domain import Run, RunReport, Status
from sparktest.errors import ConflictError, InvalidError, SparkTestError, TooLargeError
from sparktest.kube.cluster import TESTRUNS
from sparktest.kube.jobs import FINALIZER
from tests.controller.fake_environment import FakeEnvironment
from tests.controller.fake_kubernetes import NAMESPACE

PASSED = RunReport(status=Status.SUCCEEDED)


class ActionFixture:
    """A TestRun that the controller has seen and done nothing for."""

    def __init__(self) -> None:
        self.environment = FakeEnvironment()
        self.controller = self.environment.controller
        self.key = parse_testrun(self.environment.apply()).key
        self.state = RunState()
        self.controller.deliver()

    def observe(self, **fields: Any) -> Observation:
        seen = self.controller.caches.get(self.key)
        given = {
            "key": self.key,
            "cluster": "here",
            "testrun": seen.testrun,
            "job": seen.job,
            "run": self.state.run,
        }
        return Observation(**(given | fields))

    def do(self, step: Step, observed: Observation | None = None) -> bool:
        return self.controller.reconciler._actions.execute(
            step, observed or self.observe(), self.state
        )

    def registration_after(self, step: Step, observed: Observation | None = None) -> Registration:
        assert self.do(step, observed)
        return self.state.registration

    def registered(self) -> Run:
        self.do(steps.Register())
        assert self.state.run is not None
        return self.state.run

    def change(self, **metadata: Any) -> None:
        """Somebody else changes the TestRun, and no watch has told of it."""
        found = self.environment.cluster.get(TESTRUNS, NAMESPACE, "smoke")
        found["metadata"] |= metadata
        self.environment.cluster.put(TESTRUNS, found)

    def finalizers(self) -> list[str]:
        found = self.environment.testrun()
        assert found is not None
        return list(parse_testrun(found).finalizers)


@pytest.fixture
def fixture() -> ActionFixture:
    return ActionFixture()


# --- the TestRun ---------------------------------------------------------------------------------


def test_the_finalizer_is_set_where_there_is_none_and_seen_at_once(fixture: ActionFixture) -> None:
    assert fixture.do(steps.AddFinalizer())
    assert fixture.finalizers() == [FINALIZER]
    assert fixture.observe().has_finalizer


def test_the_finalizer_stands_behind_those_of_others(fixture: ActionFixture) -> None:
    fixture.change(finalizers=["a/b"])
    fixture.controller.deliver()
    fixture.do(steps.AddFinalizer())
    assert fixture.finalizers() == ["a/b", FINALIZER]


def test_one_that_changed_unseen_is_read_anew_before_the_next_try(fixture: ActionFixture) -> None:
    fixture.change(finalizers=["a/b"])
    with pytest.raises(InvalidError):
        fixture.do(steps.AddFinalizer())
    assert fixture.finalizers() == ["a/b"]
    fixture.do(steps.AddFinalizer())
    assert fixture.finalizers() == ["a/b", FINALIZER]


def test_only_our_finalizer_comes_off_also_when_others_moved_it(fixture: ActionFixture) -> None:
    fixture.do(steps.AddFinalizer())
    fixture.change(finalizers=["a/b", FINALIZER])
    with pytest.raises(InvalidError):
        fixture.do(steps.ReleaseFinalizer())
    fixture.do(steps.ReleaseFinalizer())
    assert fixture.finalizers() == ["a/b"]


def test_the_status_is_written_whole_and_remembered(fixture: ActionFixture) -> None:
    assert fixture.do(steps.PatchStatus({"phase": "Pending", "reason": "Unschedulable"}))
    assert fixture.do(steps.PatchStatus({"phase": "Running"}))
    assert (fixture.environment.testrun() or {})["status"] == {"phase": "Running"}
    assert fixture.state.last_status == {"phase": "Running"}


@pytest.mark.parametrize(
    "step",
    [steps.AddFinalizer(), steps.PatchStatus({"phase": "Running"})],
    ids=["finalizer", "status"],
)
def test_a_testrun_that_is_gone_needs_nothing(fixture: ActionFixture, step: Step) -> None:
    observed = fixture.observe()
    fixture.environment.delete_testrun()
    assert not fixture.do(step, observed)


def test_another_testrun_under_the_name_is_not_written_to(fixture: ActionFixture) -> None:
    observed = fixture.observe()
    fixture.environment.delete_testrun()
    fixture.environment.apply()
    with pytest.raises(InvalidError):
        fixture.do(steps.PatchStatus({"phase": "Failed"}), observed)
    assert "status" not in (fixture.environment.testrun() or {})


def test_an_event_needs_a_testrun(fixture: ActionFixture) -> None:
    fixture.do(steps.RecordEvent("Unschedulable", "no node fits"), fixture.observe(testrun=None))
    assert len(fixture.environment.cluster.objects) == 1
    fixture.do(steps.RecordEvent("Unschedulable", "no node fits"))
    assert len(fixture.environment.cluster.objects) == 2


# --- the run in the API --------------------------------------------------------------------------


def test_a_testrun_is_registered_once_however_often_it_is_tried(fixture: ActionFixture) -> None:
    first = fixture.registered()
    assert fixture.registered() == first
    assert list(fixture.environment.api.runs.values()) == [first]
    assert fixture.state.registration is Registration.REGISTERED


@pytest.mark.parametrize("error", [InvalidError("/image: missing"), TooLargeError("too large")])
def test_a_testrun_that_cannot_be_registered_is_refused(
    fixture: ActionFixture, error: SparkTestError
) -> None:
    fixture.environment.api.refuse_registration = error
    assert fixture.do(steps.Register())
    assert fixture.state.registration is Registration.REJECTED
    assert fixture.state.permanent_error is not None
    assert fixture.state.permanent_error.message == error.detail


def test_a_testrun_whose_run_was_deleted_is_not_registered_again(fixture: ActionFixture) -> None:
    fixture.environment.api.delete(fixture.registered().id)
    assert fixture.do(steps.Register())
    assert fixture.state.registration is Registration.DELETED
    assert fixture.environment.api.runs == {}


def test_a_run_that_is_read_is_known(fixture: ActionFixture) -> None:
    run = fixture.environment.api.add()
    assert fixture.do(steps.FetchRun(run.id))
    assert (fixture.state.run, fixture.state.run_at) == (run, fixture.environment.now)


def test_a_run_that_is_not_there_was_deleted_or_never_was(fixture: ActionFixture) -> None:
    run = fixture.environment.api.add()
    fixture.environment.api.delete(run.id)
    assert fixture.registration_after(steps.FetchRun(run.id)) is Registration.DELETED
    assert fixture.registration_after(steps.FetchRun("never")) is Registration.NOT_FOUND


def test_a_run_is_claimed_for_this_cluster(fixture: ActionFixture) -> None:
    run = fixture.environment.api.add()
    assert fixture.do(steps.ClaimRun(), fixture.observe(run=run))
    assert fixture.state.run is not None
    assert fixture.state.run.cluster == fixture.environment.api.runs[run.id].cluster == "here"


def test_a_run_that_another_cluster_has_claimed_is_none_of_ours(fixture: ActionFixture) -> None:
    run = fixture.environment.api.add()
    fixture.environment.api.change(run.id, cluster="there")
    assert fixture.do(steps.ClaimRun(), fixture.observe(run=run))
    assert (fixture.state.run, fixture.state.registration) == (None, Registration.NOT_FOUND)


def test_a_run_that_was_deleted_cannot_be_claimed(fixture: ActionFixture) -> None:
    run = fixture.environment.api.add()
    fixture.environment.api.delete(run.id)
    fixture.do(steps.ClaimRun(), fixture.observe(run=run))
    assert fixture.state.registration is Registration.DELETED


def test_a_report_is_taken_and_remembered(fixture: ActionFixture) -> None:
    run = fixture.registered()
    assert fixture.do(steps.ReportRun(PASSED))
    assert fixture.environment.api.runs[run.id].status is Status.SUCCEEDED
    assert fixture.state.run == fixture.environment.api.runs[run.id]
    assert fixture.state.last_report == PASSED


def test_a_report_for_a_run_that_is_gone_is_dropped(fixture: ActionFixture) -> None:
    observed = fixture.observe(run=fixture.registered())
    fixture.environment.api.delete(fixture.registered().id)
    assert fixture.registration_after(steps.ReportRun(PASSED), observed) is Registration.DELETED
    fixture.environment.api.deleted.clear()
    assert fixture.registration_after(steps.ReportRun(PASSED), observed) is Registration.NOT_FOUND


def test_an_end_that_the_api_does_not_take_is_tried_again(
    fixture: ActionFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = fixture.registered()
    monkeypatch.setattr(fixture.environment.api, "report_run", lambda run_id, report: run)
    with pytest.raises(ConflictError):
        fixture.do(steps.ReportRun(PASSED))


def test_without_a_run_there_is_nothing_to_report(fixture: ActionFixture) -> None:
    with pytest.raises(ConflictError):
        fixture.do(steps.ReportRun(PASSED))


# --- looking -------------------------------------------------------------------------------------


def test_what_is_confirmed_is_read_from_where_it_is(fixture: ActionFixture) -> None:
    run = fixture.registered()
    fixture.environment.edit(cancelled=True)
    fixture.environment.api.change(run.id, cancel_requested_at=fixture.environment.now)
    assert fixture.do(steps.ReadLive())
    assert fixture.state.live is not None
    assert fixture.state.live.testrun is not None
    assert fixture.state.live.testrun.is_cancelled
    assert fixture.state.run == fixture.environment.api.runs[run.id]


def test_without_a_pod_there_is_no_log_to_follow(fixture: ActionFixture) -> None:
    fixture.registered()
    assert not fixture.do(steps.FollowLog())
    assert not fixture.controller.log_collector.following(fixture.key)


@pytest.mark.parametrize(("seconds", "wait"), [(30, 30.0), (-30, 0.05)])
def test_a_look_again_comes_at_its_time_and_never_in_a_tight_loop(
    fixture: ActionFixture, seconds: int, wait: float
) -> None:
    fixture.do(steps.RequeueAt(fixture.environment.now + timedelta(seconds=seconds)))
    assert fixture.controller.requeue_after == {
        fixture.key: fixture.environment.now + timedelta(seconds=wait)
    }


def test_what_is_parked_waits_for_the_api(fixture: ActionFixture) -> None:
    fixture.controller.queue.clear()
    fixture.environment.api.down = True
    fixture.controller.poll()
    fixture.do(steps.DeferUntilApiUp())
    assert fixture.controller.queue == {}
    fixture.environment.api.down = False
    fixture.controller.poll()
    assert fixture.key in fixture.controller.queue


def test_every_step_can_be_carried_out(fixture: ActionFixture) -> None:
    every = set(Step.__subclasses__())
    assert every == set(fixture.controller.reconciler._actions._by_kind)
