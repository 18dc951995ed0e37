"""Execution of the steps on TestRuns and runs, and of the rejections of their calls."""

from datetime import timedelta
from typing import Any

import pytest

from sparktest.controller import steps
from sparktest.controller.observation import Observation, Registration
from sparktest.controller.run_states import RunState
from sparktest.controller.steps import LostRaceError, Step
from sparktest.controller.testruns import parse_testrun
from sparktest.domain import Run, RunReport, Status
from sparktest.errors import (
    ConflictError,
    ForbiddenError,
    InvalidError,
    SparkTestError,
    TooLargeError,
)
from sparktest.kube.jobs import FINALIZER
from sparktest.kube.resources import EVENTS, TESTRUNS
from tests.controller.fake_environment import FakeEnvironment
from tests.controller.fake_kubernetes import NAMESPACE
from tests.controller.lifecycles import warnings

PASSED = RunReport(status=Status.SUCCEEDED)


class ActionHarness:
    """A TestRun that is cached and that no step has been executed on."""

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
        """Change the TestRun without an event of the watch."""
        found = self.environment.cluster.get(TESTRUNS, NAMESPACE, "smoke")
        found["metadata"] |= metadata
        self.environment.cluster.put(TESTRUNS, found)

    def finalizers(self) -> list[str]:
        found = self.environment.testrun()
        assert found is not None
        return list(parse_testrun(found).finalizers)


@pytest.fixture
def harness() -> ActionHarness:
    return ActionHarness()


# --- the TestRun ---------------------------------------------------------------------------------


def test_the_finalizer_is_added_and_cached_at_once(harness: ActionHarness) -> None:
    assert harness.do(steps.AddFinalizer())
    assert harness.finalizers() == [FINALIZER]
    assert harness.observe().has_finalizer


def test_the_finalizer_is_added_after_other_finalizers(harness: ActionHarness) -> None:
    harness.change(finalizers=["a/b"])
    harness.controller.deliver()
    harness.do(steps.AddFinalizer())
    assert harness.finalizers() == ["a/b", FINALIZER]


def test_a_testrun_that_has_changed_is_read_again_before_the_retry(harness: ActionHarness) -> None:
    harness.change(finalizers=["a/b"])
    with pytest.raises(LostRaceError):
        harness.do(steps.AddFinalizer())
    assert harness.finalizers() == ["a/b"]
    harness.do(steps.AddFinalizer())
    assert harness.finalizers() == ["a/b", FINALIZER]


def test_only_the_own_finalizer_is_removed_even_if_its_index_changed(
    harness: ActionHarness,
) -> None:
    harness.do(steps.AddFinalizer())
    harness.change(finalizers=["a/b", FINALIZER])
    with pytest.raises(LostRaceError):
        harness.do(steps.ReleaseFinalizer())
    harness.do(steps.ReleaseFinalizer())
    assert harness.finalizers() == ["a/b"]


def test_a_status_replaces_the_old_one_and_is_kept(harness: ActionHarness) -> None:
    assert harness.do(steps.PatchStatus({"phase": "Pending", "reason": "Unschedulable"}))
    assert harness.do(steps.PatchStatus({"phase": "Running"}))
    assert (harness.environment.testrun() or {})["status"] == {"phase": "Running"}
    assert harness.state.last_status == {"phase": "Running"}


@pytest.mark.parametrize(
    "step",
    [steps.AddFinalizer(), steps.PatchStatus({"phase": "Running"})],
    ids=["finalizer", "status"],
)
def test_a_step_on_a_deleted_testrun_does_nothing(harness: ActionHarness, step: Step) -> None:
    observed = harness.observe()
    harness.environment.delete_testrun()
    assert not harness.do(step, observed)


def test_another_testrun_of_the_same_name_is_not_patched(harness: ActionHarness) -> None:
    observed = harness.observe()
    harness.environment.delete_testrun()
    harness.environment.apply()
    with pytest.raises(LostRaceError):
        harness.do(steps.PatchStatus({"phase": "Failed"}), observed)
    assert "status" not in (harness.environment.testrun() or {})


def test_an_event_needs_a_testrun(harness: ActionHarness) -> None:
    harness.do(steps.RecordEvent("Unschedulable", "no node fits"), harness.observe(testrun=None))
    assert len(harness.environment.cluster.objects) == 1
    harness.do(steps.RecordEvent("Unschedulable", "no node fits"))
    assert len(harness.environment.cluster.objects) == 2


def test_each_reason_is_recorded_once(harness: ActionHarness) -> None:
    for reason in ("Unschedulable", "Unschedulable", "ImagePullBackOff"):
        harness.do(steps.RecordEvent(reason, "why"))
    assert warnings(harness.environment) == ["Unschedulable", "ImagePullBackOff"]


def test_a_rejected_event_fails_no_reconcile(harness: ActionHarness) -> None:
    harness.environment.cluster.create_errors[EVENTS] = ForbiddenError("no right")
    assert not harness.do(steps.RecordEvent("Unschedulable", "why"))
    assert warnings(harness.environment) == []


# --- the run in the API --------------------------------------------------------------------------


def test_registering_a_testrun_again_creates_no_second_run(harness: ActionHarness) -> None:
    first = harness.registered()
    assert harness.registered() == first
    assert list(harness.environment.api.runs.values()) == [first]
    assert harness.state.registration is Registration.REGISTERED


@pytest.mark.parametrize("error", [InvalidError("/image: missing"), TooLargeError("too large")])
def test_a_testrun_that_cannot_be_registered_is_rejected(
    harness: ActionHarness, error: SparkTestError
) -> None:
    harness.environment.api.refuse_registration = error
    assert harness.do(steps.Register())
    assert harness.state.registration is Registration.REJECTED
    assert harness.state.permanent_error is not None
    assert harness.state.permanent_error.message == error.detail


def test_a_testrun_whose_run_was_deleted_is_not_registered_again(harness: ActionHarness) -> None:
    harness.environment.api.delete(harness.registered().id)
    assert harness.do(steps.Register())
    assert harness.state.registration is Registration.DELETED
    assert harness.environment.api.runs == {}


def test_a_fetched_run_is_kept(harness: ActionHarness) -> None:
    run = harness.environment.api.add()
    assert harness.do(steps.FetchRun(run.id))
    assert (harness.state.run, harness.state.run_fetched_at) == (run, harness.environment.now)


def test_a_missing_run_was_deleted_or_never_existed(harness: ActionHarness) -> None:
    run = harness.environment.api.add()
    harness.environment.api.delete(run.id)
    assert harness.registration_after(steps.FetchRun(run.id)) is Registration.DELETED
    assert harness.registration_after(steps.FetchRun("never")) is Registration.NOT_FOUND
    assert harness.state.discard_logs


def test_a_run_is_claimed_for_this_cluster(harness: ActionHarness) -> None:
    run = harness.environment.api.add()
    assert harness.do(steps.ClaimRun(), harness.observe(run=run))
    assert harness.state.run is not None
    assert harness.state.run.cluster == harness.environment.api.runs[run.id].cluster == "here"


def test_a_run_claimed_by_another_cluster_is_not_found(harness: ActionHarness) -> None:
    run = harness.environment.api.add()
    harness.environment.api.change(run.id, cluster="there")
    assert harness.do(steps.ClaimRun(), harness.observe(run=run))
    assert (harness.state.run, harness.state.registration) == (None, Registration.NOT_FOUND)


def test_a_run_that_was_deleted_cannot_be_claimed(harness: ActionHarness) -> None:
    run = harness.environment.api.add()
    harness.environment.api.delete(run.id)
    harness.do(steps.ClaimRun(), harness.observe(run=run))
    assert harness.state.registration is Registration.DELETED


def test_a_report_is_sent_and_kept(harness: ActionHarness) -> None:
    run = harness.registered()
    assert harness.do(steps.ReportRun(PASSED))
    assert harness.environment.api.runs[run.id].status is Status.SUCCEEDED
    assert harness.state.run == harness.environment.api.runs[run.id]
    assert harness.state.last_report == PASSED


def test_a_report_for_a_deleted_run_is_dropped(harness: ActionHarness) -> None:
    observed = harness.observe(run=harness.registered())
    harness.environment.api.delete(harness.registered().id)
    assert harness.registration_after(steps.ReportRun(PASSED), observed) is Registration.DELETED
    harness.environment.api.deleted.clear()
    assert harness.registration_after(steps.ReportRun(PASSED), observed) is Registration.NOT_FOUND


def test_a_final_report_that_the_api_ignores_is_retried(
    harness: ActionHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = harness.registered()
    monkeypatch.setattr(harness.environment.api, "report_run", lambda run_id, report: run)
    with pytest.raises(ConflictError):
        harness.do(steps.ReportRun(PASSED))


def test_a_report_needs_a_run(harness: ActionHarness) -> None:
    with pytest.raises(ConflictError):
        harness.do(steps.ReportRun(PASSED))


# --- observing ------------------------------------------------------------------------------


def test_a_live_read_reads_the_sources(harness: ActionHarness) -> None:
    run = harness.registered()
    harness.environment.edit(cancelled=True)
    harness.environment.api.change(run.id, cancel_requested_at=harness.environment.now)
    assert harness.do(steps.ReadLive())
    assert harness.state.live is not None
    assert harness.state.live.testrun is not None
    assert harness.state.live.testrun.is_cancelled
    assert harness.state.run == harness.environment.api.runs[run.id]


def test_without_a_pod_there_is_no_log_to_collect(harness: ActionHarness) -> None:
    harness.registered()
    assert not harness.do(steps.CollectLog("test"))
    assert not harness.controller.log_collector.in_progress(harness.key)


@pytest.mark.parametrize(("seconds", "wait"), [(30, 30.0), (-30, 0.05)])
def test_a_requeue_is_due_at_its_time_and_never_at_once(
    harness: ActionHarness, seconds: int, wait: float
) -> None:
    harness.do(steps.RequeueAt(harness.environment.now + timedelta(seconds=seconds)))
    assert harness.controller.requeue_after == {
        harness.key: harness.environment.now + timedelta(seconds=wait)
    }


def test_a_deferred_key_waits_for_the_api(harness: ActionHarness) -> None:
    harness.controller.queue.clear()
    harness.environment.api.down = True
    harness.controller.poll()
    harness.do(steps.DeferUntilApiUp())
    assert harness.controller.queue == {}
    harness.environment.api.down = False
    harness.controller.poll()
    assert harness.key in harness.controller.queue


def test_every_step_can_be_executed(harness: ActionHarness) -> None:
    every = set(Step.__subclasses__())
    assert every == set(harness.controller.reconciler._actions._by_kind)
