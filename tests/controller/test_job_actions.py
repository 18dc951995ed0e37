"""What is done to Jobs and pods, and what the answers of the cluster mean for the run."""

from datetime import timedelta
from typing import Any, cast

import pytest

from sparktest.controller import steps
from sparktest.controller.caches import Caches
from sparktest.controller.job_actions import RETRY_INTERVAL, JobActions
from sparktest.controller.observation import Observation
from sparktest.controller.run_states import RunState
from sparktest.controller.testruns import Key
from sparktest.domain import FailureClass
from sparktest.errors import (
    ForbiddenError,
    InvalidError,
    NotFoundError,
    SparkTestError,
    TooLargeError,
    UnavailableError,
)
from sparktest.kube.cluster import EVENTS, JOBS, PODS, Cluster
from sparktest.kube.failures import make_failure
from sparktest.kube.jobs import build_job
from sparktest.kube.views import parse_job
from tests.controller.fake_environment import FakeEnvironment
from tests.controller.fake_kubernetes import NAMESPACE
from tests.controller.lifecycles import only_job

CANCELLED = make_failure(FailureClass.CANCELLED, "Cancelled", "somebody said so")
TOO_LATE = make_failure(FailureClass.CANCELLED, "ObjectDeleted", "")


class JobFixture:
    """A run of the API, its key, and the actions on its Job in a world where nothing else moves."""

    def __init__(self) -> None:
        self.environment = FakeEnvironment()
        self.run = self.environment.api.add(cluster="here")
        self.key = (NAMESPACE, self.run.job_name)
        self.state = RunState()
        self.requeue_after: dict[Key, float] = {}
        self.caches = self.environment.controller.caches
        self.actions = JobActions(
            cast("Cluster", self.environment.cluster),
            cast("Caches", self.caches),
            requeue_after=self.requeue_after.__setitem__,
            clock=lambda: self.environment.now,
        )

    def observe(self) -> Observation:
        seen = self.caches.read_live(self.key, None)
        return Observation(key=self.key, cluster="here", run=self.run, job=seen.job, pods=seen.pods)

    def create(self) -> bool:
        return self.actions.create(steps.CreateJob(), self.observe(), self.state)

    def stop(self, failure: Any = CANCELLED) -> bool:
        return self.actions.stop(steps.StopJob(failure), self.observe(), self.state)

    def delete(self, observed: Observation) -> bool:
        return self.actions.delete(steps.DeleteJob(), observed, self.state)


@pytest.fixture
def fixture() -> JobFixture:
    return JobFixture()


@pytest.fixture
def running(fixture: JobFixture) -> JobFixture:
    """The same, with a container that runs."""
    fixture.create()
    fixture.environment.job_controller()
    fixture.environment.start_container(fixture.environment.pods()[0])
    return fixture


# --- create --------------------------------------------------------------------------------------


def test_the_job_that_was_created_is_known_and_seen_at_once(fixture: JobFixture) -> None:
    assert fixture.create()
    job = only_job(fixture.environment)
    assert fixture.state.job_uid == job["metadata"]["uid"]
    assert fixture.caches.get(fixture.key).job == parse_job(job)


def test_the_runs_own_job_that_is_there_already_is_taken_up(fixture: JobFixture) -> None:
    there = fixture.environment.cluster.create(JOBS, NAMESPACE, build_job(fixture.run))
    assert fixture.create()
    assert fixture.state.job_uid == there["metadata"]["uid"]
    assert fixture.state.permanent_error is None


def test_a_job_of_somebody_else_that_has_the_name_is_a_refusal(fixture: JobFixture) -> None:
    theirs = {"metadata": {"name": fixture.key[1], "namespace": NAMESPACE}, "spec": {}}
    fixture.environment.cluster.put(JOBS, theirs)
    assert fixture.create()
    assert fixture.state.job_uid is None
    assert fixture.state.permanent_error is not None
    assert fixture.state.permanent_error.reason == "NameConflict"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (InvalidError("spec.template: wrong"), "Invalid"),
        (TooLargeError("too large"), "Invalid"),
        (NotFoundError('namespaces "tests" not found'), "NamespaceNotFound"),
    ],
)
def test_a_job_that_the_cluster_never_takes_is_a_refusal(
    fixture: JobFixture, error: SparkTestError, reason: str
) -> None:
    fixture.environment.cluster.refuse[JOBS] = error
    assert fixture.create()
    permanent_error = fixture.state.permanent_error
    assert permanent_error is not None
    assert (permanent_error.class_, permanent_error.reason) == (FailureClass.CONFIG, reason)
    assert permanent_error.message == error.detail


def test_a_job_that_the_cluster_does_not_take_now_is_tried_again_later(fixture: JobFixture) -> None:
    fixture.environment.cluster.refuse[JOBS] = ForbiddenError("exceeded quota: jobs")
    assert fixture.create()
    assert fixture.state.permanent_error is None
    assert fixture.state.creation_wait is not None
    assert fixture.state.creation_wait.reason == "FailedCreate"
    assert fixture.state.creation_wait.until == fixture.run.created_at + timedelta(hours=1)
    assert fixture.state.creation_wait_expires_at == fixture.environment.now + RETRY_INTERVAL
    assert fixture.requeue_after == {fixture.key: RETRY_INTERVAL.total_seconds()}


def test_a_cluster_that_does_not_answer_says_nothing_about_the_job(fixture: JobFixture) -> None:
    fixture.environment.cluster.refuse[JOBS] = UnavailableError("away")
    with pytest.raises(UnavailableError):
        fixture.create()
    assert (fixture.state.permanent_error, fixture.state.creation_wait) == (None, None)


# --- stop ----------------------------------------------------------------------------------------


def test_a_stop_is_noted_and_gives_the_pod_no_more_time(running: JobFixture) -> None:
    running.stop()
    assert parse_job(only_job(running.environment)).stop_reason == CANCELLED
    (pod,) = running.environment.pods()
    assert pod["spec"]["activeDeadlineSeconds"] == 1
    assert "suspend" not in only_job(running.environment)["spec"]


def test_the_first_reason_stays(running: JobFixture) -> None:
    running.stop()
    running.stop(TOO_LATE)
    assert parse_job(only_job(running.environment)).stop_reason == CANCELLED


def test_a_stop_that_got_no_further_than_its_note_is_carried_on(running: JobFixture) -> None:
    running.environment.faults.next = [None, "before"]
    with pytest.raises(UnavailableError):
        running.stop()
    running.stop()
    (pod,) = running.environment.pods()
    assert pod["spec"]["activeDeadlineSeconds"] == 1


def test_without_a_pod_the_job_is_suspended(fixture: JobFixture) -> None:
    fixture.create()
    fixture.stop()
    assert only_job(fixture.environment)["spec"]["suspend"] is True


def test_a_pod_without_a_node_is_ended_by_suspending_the_job(fixture: JobFixture) -> None:
    fixture.create()
    fixture.environment.job_controller()
    fixture.stop()
    assert only_job(fixture.environment)["spec"]["suspend"] is True


def test_a_pod_that_only_the_cluster_has_seen_keeps_its_job_running(running: JobFixture) -> None:
    observed = running.observe()
    unseen = Observation(
        key=running.key, cluster="here", run=running.run, job=observed.job, pods=[]
    )
    running.actions.stop(steps.StopJob(CANCELLED), unseen, running.state)
    assert "suspend" not in only_job(running.environment)["spec"]
    assert running.environment.pods()[0]["spec"]["activeDeadlineSeconds"] == 1


def test_a_test_that_has_ended_is_not_stopped(running: JobFixture) -> None:
    running.environment.end_container(running.environment.pods()[0], 0)
    before = running.environment.pods()
    running.stop()
    assert running.environment.pods() == before


# --- remove, TTL, Events -------------------------------------------------------------------------


def test_a_job_is_removed(fixture: JobFixture) -> None:
    fixture.create()
    fixture.delete(fixture.observe())
    assert fixture.environment.cluster.all(JOBS) == []


def test_a_job_that_is_gone_or_another_by_now_is_left_alone(fixture: JobFixture) -> None:
    fixture.create()
    observed = fixture.observe()
    fixture.delete(observed)
    fixture.delete(observed)
    another = fixture.environment.cluster.create(JOBS, NAMESPACE, build_job(fixture.run))
    fixture.delete(observed)
    assert fixture.environment.cluster.all(JOBS) == [another]


def test_a_finished_job_is_let_go_in_time(fixture: JobFixture) -> None:
    fixture.create()
    assert fixture.actions.patch_ttl(steps.PatchJobTtl(60), fixture.observe(), fixture.state)
    assert only_job(fixture.environment)["spec"]["ttlSecondsAfterFinished"] == 60
    assert fixture.caches.get(fixture.key).job == parse_job(only_job(fixture.environment))


def test_a_job_that_is_gone_needs_no_ttl(fixture: JobFixture) -> None:
    fixture.create()
    observed = fixture.observe()
    fixture.delete(observed)
    assert not fixture.actions.patch_ttl(steps.PatchJobTtl(60), observed, fixture.state)


def test_the_events_of_the_job_are_believed_for_a_while(fixture: JobFixture) -> None:
    fixture.environment.cluster.refuse[PODS] = ForbiddenError("exceeded quota: pods")
    fixture.create()
    fixture.environment.job_controller()
    other = {"metadata": {"name": "x", "namespace": NAMESPACE}, "involvedObject": {"uid": "?"}}
    fixture.environment.cluster.put(EVENTS, other)
    assert fixture.actions.read_events(steps.ReadEvents(), fixture.observe(), fixture.state)
    assert [event.reason for event in fixture.state.events or []] == ["FailedCreate"]
    assert fixture.state.events_expire_at == fixture.environment.now + RETRY_INTERVAL
    assert fixture.requeue_after == {fixture.key: RETRY_INTERVAL.total_seconds()}
