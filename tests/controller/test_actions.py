"""What each step does to TestRun and run, and what it learns where it is refused."""

from datetime import timedelta
from typing import Any

import pytest

from sparktest.controller import steps, testruns
from sparktest.controller.book import Memo
from sparktest.controller.known import Known, Standing
from sparktest.controller.steps import Step
from sparktest.domain import Run, RunReport, Status
from sparktest.errors import ConflictError, InvalidError, SparkTestError, TooLargeError
from sparktest.kube.cluster import TESTRUNS
from sparktest.kube.jobs import FINALIZER
from tests.controller.machinery import NAMESPACE
from tests.controller.world import World

PASSED = RunReport(status=Status.SUCCEEDED)


class Scene:
    """A TestRun that the controller has seen and done nothing for."""

    def __init__(self) -> None:
        self.world = World()
        self.controller = self.world.controller
        self.key = testruns.key_of(self.world.apply())
        self.memo = Memo()
        self.controller.deliver()

    def known(self, **fields: Any) -> Known:
        seen = self.controller.views.seen(self.key)
        given = {
            "key": self.key,
            "cluster": "here",
            "testrun": seen.testrun,
            "job": seen.job,
            "run": self.memo.run,
        }
        return Known(**(given | fields))

    def do(self, step: Step, known: Known | None = None) -> bool:
        return self.controller.reconciler._actions.carry_out(step, known or self.known(), self.memo)

    def standing_after(self, step: Step, known: Known | None = None) -> Standing:
        assert self.do(step, known)
        return self.memo.standing

    def registered(self) -> Run:
        self.do(steps.Register())
        assert self.memo.run is not None
        return self.memo.run

    def change(self, **metadata: Any) -> None:
        """Somebody else changes the TestRun, and no watch has told of it."""
        found = self.world.cluster.get(TESTRUNS, NAMESPACE, "smoke")
        found["metadata"] |= metadata
        self.world.cluster.put(TESTRUNS, found)

    def finalizers(self) -> list[str]:
        found = self.world.testrun()
        assert found is not None
        return testruns.finalizers(found)


@pytest.fixture
def scene() -> Scene:
    return Scene()


# --- the TestRun ---------------------------------------------------------------------------------


def test_the_finalizer_is_set_where_there_is_none_and_seen_at_once(scene: Scene) -> None:
    assert scene.do(steps.AddFinalizer())
    assert scene.finalizers() == [FINALIZER]
    assert scene.known().held


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
    assert (scene.world.testrun() or {})["status"] == {"phase": "Running"}
    assert scene.memo.told == {"phase": "Running"}


@pytest.mark.parametrize(
    "step",
    [steps.AddFinalizer(), steps.PatchStatus({"phase": "Running"})],
    ids=["finalizer", "status"],
)
def test_a_testrun_that_is_gone_needs_nothing(scene: Scene, step: Step) -> None:
    known = scene.known()
    scene.world.delete_testrun()
    assert not scene.do(step, known)


def test_another_testrun_under_the_name_is_not_written_to(scene: Scene) -> None:
    known = scene.known()
    scene.world.delete_testrun()
    scene.world.apply()
    with pytest.raises(InvalidError):
        scene.do(steps.PatchStatus({"phase": "Failed"}), known)
    assert "status" not in (scene.world.testrun() or {})


def test_an_event_needs_a_testrun(scene: Scene) -> None:
    scene.do(steps.Emit("Unschedulable", "no node fits"), scene.known(testrun=None))
    assert len(scene.world.cluster.objects) == 1
    scene.do(steps.Emit("Unschedulable", "no node fits"))
    assert len(scene.world.cluster.objects) == 2


# --- the run in the API --------------------------------------------------------------------------


def test_a_testrun_is_registered_once_however_often_it_is_tried(scene: Scene) -> None:
    first = scene.registered()
    assert scene.registered() == first
    assert list(scene.world.api.runs.values()) == [first]
    assert scene.memo.standing is Standing.KNOWN


@pytest.mark.parametrize("error", [InvalidError("/image: missing"), TooLargeError("too large")])
def test_a_testrun_that_cannot_be_registered_is_refused(
    scene: Scene, error: SparkTestError
) -> None:
    scene.world.api.refuse_registration = error
    assert scene.do(steps.Register())
    assert scene.memo.standing is Standing.REFUSED
    assert scene.memo.refusal is not None
    assert scene.memo.refusal.message == error.detail


def test_a_testrun_whose_run_was_deleted_is_not_registered_again(scene: Scene) -> None:
    scene.world.api.delete(scene.registered().id)
    assert scene.do(steps.Register())
    assert scene.memo.standing is Standing.GONE
    assert scene.world.api.runs == {}


def test_a_run_that_is_read_is_known(scene: Scene) -> None:
    run = scene.world.api.add()
    assert scene.do(steps.FetchRun(run.id))
    assert (scene.memo.run, scene.memo.run_at) == (run, scene.world.now)


def test_a_run_that_is_not_there_was_deleted_or_never_was(scene: Scene) -> None:
    run = scene.world.api.add()
    scene.world.api.delete(run.id)
    assert scene.standing_after(steps.FetchRun(run.id)) is Standing.GONE
    assert scene.standing_after(steps.FetchRun("never")) is Standing.ABSENT


def test_a_run_is_claimed_for_this_cluster(scene: Scene) -> None:
    run = scene.world.api.add()
    assert scene.do(steps.Claim(), scene.known(run=run))
    assert scene.memo.run is not None
    assert scene.memo.run.cluster == scene.world.api.runs[run.id].cluster == "here"


def test_a_run_that_another_cluster_has_claimed_is_none_of_ours(scene: Scene) -> None:
    run = scene.world.api.add()
    scene.world.api.change(run.id, cluster="there")
    assert scene.do(steps.Claim(), scene.known(run=run))
    assert (scene.memo.run, scene.memo.standing) == (None, Standing.ABSENT)


def test_a_run_that_was_deleted_cannot_be_claimed(scene: Scene) -> None:
    run = scene.world.api.add()
    scene.world.api.delete(run.id)
    scene.do(steps.Claim(), scene.known(run=run))
    assert scene.memo.standing is Standing.GONE


def test_a_report_is_taken_and_remembered(scene: Scene) -> None:
    run = scene.registered()
    assert scene.do(steps.Report(PASSED))
    assert scene.world.api.runs[run.id].status is Status.SUCCEEDED
    assert scene.memo.run == scene.world.api.runs[run.id]
    assert scene.memo.reported == PASSED


def test_a_report_for_a_run_that_is_gone_is_dropped(scene: Scene) -> None:
    known = scene.known(run=scene.registered())
    scene.world.api.delete(scene.registered().id)
    assert scene.standing_after(steps.Report(PASSED), known) is Standing.GONE
    scene.world.api.deleted.clear()
    assert scene.standing_after(steps.Report(PASSED), known) is Standing.ABSENT


def test_an_end_that_the_api_does_not_take_is_tried_again(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = scene.registered()
    monkeypatch.setattr(scene.world.api, "report_run", lambda run_id, report: run)
    with pytest.raises(ConflictError):
        scene.do(steps.Report(PASSED))


def test_without_a_run_there_is_nothing_to_report(scene: Scene) -> None:
    with pytest.raises(ConflictError):
        scene.do(steps.Report(PASSED))


# --- looking -------------------------------------------------------------------------------------


def test_what_is_confirmed_is_read_from_where_it_is(scene: Scene) -> None:
    run = scene.registered()
    scene.world.edit(cancelled=True)
    scene.world.api.change(run.id, cancel_requested_at=scene.world.now)
    assert scene.do(steps.Confirm())
    assert scene.memo.live is not None
    assert testruns.cancelled(scene.memo.live.testrun or {})
    assert scene.memo.run == scene.world.api.runs[run.id]


def test_without_a_pod_there_is_no_log_to_follow(scene: Scene) -> None:
    scene.registered()
    assert not scene.do(steps.Follow())
    assert not scene.controller.reporter.following(scene.key)


@pytest.mark.parametrize(("seconds", "wait"), [(30, 30.0), (-30, 0.05)])
def test_a_look_again_comes_at_its_time_and_never_in_a_tight_loop(
    scene: Scene, seconds: int, wait: float
) -> None:
    scene.do(steps.LookAgain(scene.world.now + timedelta(seconds=seconds)))
    assert scene.controller.later == {scene.key: scene.world.now + timedelta(seconds=wait)}


def test_what_is_parked_waits_for_the_api(scene: Scene) -> None:
    scene.controller.queue.clear()
    scene.world.api.down = True
    scene.controller.poll()
    scene.do(steps.Park())
    assert scene.controller.queue == {}
    scene.world.api.down = False
    scene.controller.poll()
    assert scene.key in scene.controller.queue


def test_every_step_can_be_carried_out(scene: Scene) -> None:
    every = set(Step.__subclasses__())
    assert every == set(scene.controller.reconciler._actions._by_kind)
