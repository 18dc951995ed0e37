"""What each step does to TestRun and run, and what it learns where it is refused."""

from datetime import timedelta
from typing import Any

import pytest

from sparktest.controller import steps, testruns
from sparktest.controller.observation import Observation, Registration
from sparktest.controller.run_states import RunState
from sparktest.controller.steps import Step
from sparktest.domain import Run, RunReport, Status
from sparktest.errors import ConflictError, InvalidError, SparkTestError, TooLargeError
from sparktest.kube.cluster import TESTRUNS
from sparktest.kube.jobs import FINALIZER
from tests.controller.fake_environment import FakeEnvironment
from tests.controller.fake_kubernetes import NAMESPACE

PASSED = RunReport(status=Status.SUCCEEDED)


class Scene:
    """A TestRun that the controller has seen and done nothing for."""

    def __init__(self) -> None:
        self.environment = FakeEnvironment()
        self.controller = self.environment.controller
        self.key = testruns.key_of(self.environment.apply())
        self.state = RunState()
        self.controller.deliver()

    def observe(self, **fields: Any) -> Observation:
        seen = self.controller.caches.seen(self.key)
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

    def standing_after(self, step: Step, observed: Observation | None = None) -> Registration:
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
        return testruns.finalizers(found)


@pytest.fixture
def scene() -> Scene:
    return Scene()


# --- the TestRun ---------------------------------------------------------------------------------


def test_the_finalizer_is_set_where_there_is_none_and_seen_at_once(scene: Scene) -> None:
    assert scene.do(steps.AddFinalizer())
    assert scene.finalizers() == [FINALIZER]
    assert scene.observe().has_finalizer


def test_the_finalizer_stands_behind_those_of_others(scene: Scene) -> None:
    scene.change(finalizers=["a/b"])
    scene.controller.deliver()
    scene.do(steps.AddFinalizer())
    assert scene.finalizers() == ["a/b", FINALIZER]


def test_one_that_changed_unseen_is_read_anew_before_the_next_try(scene: Scene) -> None:
    scene.change(finalizers=["a/b"])
    with pytest.raises(InvalidError):
        scene.do(steps.AddFinalizer())
    assert scene.finalizers() == ["a/b"]
    scene.do(steps.AddFinalizer())
    assert scene.finalizers() == ["a/b", FINALIZER]


def test_only_our_finalizer_comes_off_also_when_others_moved_it(scene: Scene) -> None:
    scene.do(steps.AddFinalizer())
    scene.change(finalizers=["a/b", FINALIZER])
    with pytest.raises(InvalidError):
        scene.do(steps.ReleaseFinalizer())
    scene.do(steps.ReleaseFinalizer())
    assert scene.finalizers() == ["a/b"]


def test_the_status_is_written_whole_and_remembered(scene: Scene) -> None:
    assert scene.do(steps.PatchStatus({"phase": "Pending", "reason": "Unschedulable"}))
    assert scene.do(steps.PatchStatus({"phase": "Running"}))
    assert (scene.environment.testrun() or {})["status"] == {"phase": "Running"}
    assert scene.state.last_status == {"phase": "Running"}


@pytest.mark.parametrize(
    "step",
    [steps.AddFinalizer(), steps.PatchStatus({"phase": "Running"})],
    ids=["finalizer", "status"],
)
def test_a_testrun_that_is_gone_needs_nothing(scene: Scene, step: Step) -> None:
    observed = scene.observe()
    scene.environment.delete_testrun()
    assert not scene.do(step, observed)


def test_another_testrun_under_the_name_is_not_written_to(scene: Scene) -> None:
    observed = scene.observe()
    scene.environment.delete_testrun()
    scene.environment.apply()
    with pytest.raises(InvalidError):
        scene.do(steps.PatchStatus({"phase": "Failed"}), observed)
    assert "status" not in (scene.environment.testrun() or {})


def test_an_event_needs_a_testrun(scene: Scene) -> None:
    scene.do(steps.RecordEvent("Unschedulable", "no node fits"), scene.observe(testrun=None))
    assert len(scene.environment.cluster.objects) == 1
    scene.do(steps.RecordEvent("Unschedulable", "no node fits"))
    assert len(scene.environment.cluster.objects) == 2


# --- the run in the API --------------------------------------------------------------------------


def test_a_testrun_is_registered_once_however_often_it_is_tried(scene: Scene) -> None:
    first = scene.registered()
    assert scene.registered() == first
    assert list(scene.environment.api.runs.values()) == [first]
    assert scene.state.registration is Registration.REGISTERED


@pytest.mark.parametrize("error", [InvalidError("/image: missing"), TooLargeError("too large")])
def test_a_testrun_that_cannot_be_registered_is_refused(
    scene: Scene, error: SparkTestError
) -> None:
    scene.environment.api.refuse_registration = error
    assert scene.do(steps.Register())
    assert scene.state.registration is Registration.REJECTED
    assert scene.state.permanent_error is not None
    assert scene.state.permanent_error.message == error.detail


def test_a_testrun_whose_run_was_deleted_is_not_registered_again(scene: Scene) -> None:
    scene.environment.api.delete(scene.registered().id)
    assert scene.do(steps.Register())
    assert scene.state.registration is Registration.DELETED
    assert scene.environment.api.runs == {}


def test_a_run_that_is_read_is_known(scene: Scene) -> None:
    run = scene.environment.api.add()
    assert scene.do(steps.FetchRun(run.id))
    assert (scene.state.run, scene.state.run_at) == (run, scene.environment.now)


def test_a_run_that_is_not_there_was_deleted_or_never_was(scene: Scene) -> None:
    run = scene.environment.api.add()
    scene.environment.api.delete(run.id)
    assert scene.standing_after(steps.FetchRun(run.id)) is Registration.DELETED
    assert scene.standing_after(steps.FetchRun("never")) is Registration.NOT_FOUND


def test_a_run_is_claimed_for_this_cluster(scene: Scene) -> None:
    run = scene.environment.api.add()
    assert scene.do(steps.ClaimRun(), scene.observe(run=run))
    assert scene.state.run is not None
    assert scene.state.run.cluster == scene.environment.api.runs[run.id].cluster == "here"


def test_a_run_that_another_cluster_has_claimed_is_none_of_ours(scene: Scene) -> None:
    run = scene.environment.api.add()
    scene.environment.api.change(run.id, cluster="there")
    assert scene.do(steps.ClaimRun(), scene.observe(run=run))
    assert (scene.state.run, scene.state.registration) == (None, Registration.NOT_FOUND)


def test_a_run_that_was_deleted_cannot_be_claimed(scene: Scene) -> None:
    run = scene.environment.api.add()
    scene.environment.api.delete(run.id)
    scene.do(steps.ClaimRun(), scene.observe(run=run))
    assert scene.state.registration is Registration.DELETED


def test_a_report_is_taken_and_remembered(scene: Scene) -> None:
    run = scene.registered()
    assert scene.do(steps.ReportRun(PASSED))
    assert scene.environment.api.runs[run.id].status is Status.SUCCEEDED
    assert scene.state.run == scene.environment.api.runs[run.id]
    assert scene.state.last_report == PASSED


def test_a_report_for_a_run_that_is_gone_is_dropped(scene: Scene) -> None:
    observed = scene.observe(run=scene.registered())
    scene.environment.api.delete(scene.registered().id)
    assert scene.standing_after(steps.ReportRun(PASSED), observed) is Registration.DELETED
    scene.environment.api.deleted.clear()
    assert scene.standing_after(steps.ReportRun(PASSED), observed) is Registration.NOT_FOUND


def test_an_end_that_the_api_does_not_take_is_tried_again(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = scene.registered()
    monkeypatch.setattr(scene.environment.api, "report_run", lambda run_id, report: run)
    with pytest.raises(ConflictError):
        scene.do(steps.ReportRun(PASSED))


def test_without_a_run_there_is_nothing_to_report(scene: Scene) -> None:
    with pytest.raises(ConflictError):
        scene.do(steps.ReportRun(PASSED))


# --- looking -------------------------------------------------------------------------------------


def test_what_is_confirmed_is_read_from_where_it_is(scene: Scene) -> None:
    run = scene.registered()
    scene.environment.edit(cancelled=True)
    scene.environment.api.change(run.id, cancel_requested_at=scene.environment.now)
    assert scene.do(steps.ReadLive())
    assert scene.state.live is not None
    assert testruns.is_cancelled(scene.state.live.testrun or {})
    assert scene.state.run == scene.environment.api.runs[run.id]


def test_without_a_pod_there_is_no_log_to_follow(scene: Scene) -> None:
    scene.registered()
    assert not scene.do(steps.FollowLog())
    assert not scene.controller.log_collector.following(scene.key)


@pytest.mark.parametrize(("seconds", "wait"), [(30, 30.0), (-30, 0.05)])
def test_a_look_again_comes_at_its_time_and_never_in_a_tight_loop(
    scene: Scene, seconds: int, wait: float
) -> None:
    scene.do(steps.RequeueAt(scene.environment.now + timedelta(seconds=seconds)))
    assert scene.controller.requeue_after == {
        scene.key: scene.environment.now + timedelta(seconds=wait)
    }


def test_what_is_parked_waits_for_the_api(scene: Scene) -> None:
    scene.controller.queue.clear()
    scene.environment.api.down = True
    scene.controller.poll()
    scene.do(steps.DeferUntilApiUp())
    assert scene.controller.queue == {}
    scene.environment.api.down = False
    scene.controller.poll()
    assert scene.key in scene.controller.queue


def test_every_step_can_be_carried_out(scene: Scene) -> None:
    every = set(Step.__subclasses__())
    assert every == set(scene.controller.reconciler._actions._by_kind)
