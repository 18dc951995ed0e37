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
from sparktest.kube.jobs import build_job
from sparktest.kube.outcome import make_failure, stop_reason
from tests.controller.fake_environment import FakeEnvironment
from tests.controller.fake_kubernetes import NAMESPACE
from tests.controller.lifecycles import only_job

CANCELLED = make_failure(FailureClass.CANCELLED, "Cancelled", "somebody said so")
TOO_LATE = make_failure(FailureClass.CANCELLED, "ObjectDeleted", "")


class Scene:
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
        seen = self.caches.read(self.key, None)
        return Observation(key=self.key, cluster="here", run=self.run, job=seen.job, pods=seen.pods)

    def create(self) -> bool:
        return self.actions.create(steps.CreateJob(), self.observe(), self.state)

    def stop(self, failure: Any = CANCELLED) -> bool:
        return self.actions.stop(steps.StopJob(failure), self.observe(), self.state)

    def remove(self, observed: Observation) -> bool:
        return self.actions.remove(steps.DeleteJob(), observed, self.state)


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.fixture
def running(scene: Scene) -> Scene:
    """The same, with a container that runs."""
    scene.create()
    scene.environment.job_controller()
    scene.environment.start_container(scene.environment.pods()[0])
    return scene


# --- create --------------------------------------------------------------------------------------


def test_the_job_that_was_created_is_known_and_seen_at_once(scene: Scene) -> None:
    assert scene.create()
    job = only_job(scene.environment)
    assert scene.state.job_uid == job["metadata"]["uid"]
    assert scene.caches.seen(scene.key).job == job


def test_the_runs_own_job_that_is_there_already_is_taken_up(scene: Scene) -> None:
    there = scene.environment.cluster.create(JOBS, NAMESPACE, build_job(scene.run))
    assert scene.create()
    assert scene.state.job_uid == there["metadata"]["uid"]
    assert scene.state.permanent_error is None


def test_a_job_of_somebody_else_that_has_the_name_is_a_refusal(scene: Scene) -> None:
    theirs = {"metadata": {"name": scene.key[1], "namespace": NAMESPACE}, "spec": {}}
    scene.environment.cluster.put(JOBS, theirs)
    assert scene.create()
    assert scene.state.job_uid is None
    assert scene.state.permanent_error is not None
    assert scene.state.permanent_error.reason == "NameConflict"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (InvalidError("spec.template: wrong"), "Invalid"),
        (TooLargeError("too large"), "Invalid"),
        (NotFoundError('namespaces "tests" not found'), "NamespaceNotFound"),
    ],
)
def test_a_job_that_the_cluster_never_takes_is_a_refusal(
    scene: Scene, error: SparkTestError, reason: str
) -> None:
    scene.environment.cluster.refuse[JOBS] = error
    assert scene.create()
    permanent_error = scene.state.permanent_error
    assert permanent_error is not None
    assert (permanent_error.class_, permanent_error.reason) == (FailureClass.CONFIG, reason)
    assert permanent_error.message == error.detail


def test_a_job_that_the_cluster_does_not_take_now_is_tried_again_later(scene: Scene) -> None:
    scene.environment.cluster.refuse[JOBS] = ForbiddenError("exceeded quota: jobs")
    assert scene.create()
    assert scene.state.permanent_error is None
    assert scene.state.creation_wait is not None
    assert scene.state.creation_wait.reason == "FailedCreate"
    assert scene.state.creation_wait.until == scene.run.created_at + timedelta(hours=1)
    assert scene.state.creation_wait_expires_at == scene.environment.now + RETRY_INTERVAL
    assert scene.requeue_after == {scene.key: RETRY_INTERVAL.total_seconds()}


def test_a_cluster_that_does_not_answer_says_nothing_about_the_job(scene: Scene) -> None:
    scene.environment.cluster.refuse[JOBS] = UnavailableError("away")
    with pytest.raises(UnavailableError):
        scene.create()
    assert (scene.state.permanent_error, scene.state.creation_wait) == (None, None)


# --- stop ----------------------------------------------------------------------------------------


def test_a_stop_is_noted_and_gives_the_pod_no_more_time(running: Scene) -> None:
    running.stop()
    assert stop_reason(only_job(running.environment)) == CANCELLED
    (pod,) = running.environment.pods()
    assert pod["spec"]["activeDeadlineSeconds"] == 1
    assert "suspend" not in only_job(running.environment)["spec"]


def test_the_first_reason_stays(running: Scene) -> None:
    running.stop()
    running.stop(TOO_LATE)
    assert stop_reason(only_job(running.environment)) == CANCELLED


def test_a_stop_that_got_no_further_than_its_note_is_carried_on(running: Scene) -> None:
    running.environment.faults.next = [None, "before"]
    with pytest.raises(UnavailableError):
        running.stop()
    running.stop()
    (pod,) = running.environment.pods()
    assert pod["spec"]["activeDeadlineSeconds"] == 1


def test_without_a_pod_the_job_is_suspended(scene: Scene) -> None:
    scene.create()
    scene.stop()
    assert only_job(scene.environment)["spec"]["suspend"] is True


def test_a_pod_without_a_node_is_ended_by_suspending_the_job(scene: Scene) -> None:
    scene.create()
    scene.environment.job_controller()
    scene.stop()
    assert only_job(scene.environment)["spec"]["suspend"] is True


def test_a_pod_that_only_the_cluster_has_seen_keeps_its_job_running(running: Scene) -> None:
    observed = running.observe()
    unseen = Observation(
        key=running.key, cluster="here", run=running.run, job=observed.job, pods=[]
    )
    running.actions.stop(steps.StopJob(CANCELLED), unseen, running.state)
    assert "suspend" not in only_job(running.environment)["spec"]
    assert running.environment.pods()[0]["spec"]["activeDeadlineSeconds"] == 1


def test_a_test_that_has_ended_is_not_stopped(running: Scene) -> None:
    running.environment.end_container(running.environment.pods()[0], 0)
    before = running.environment.pods()
    running.stop()
    assert running.environment.pods() == before


# --- remove, TTL, Events -------------------------------------------------------------------------


def test_a_job_is_removed(scene: Scene) -> None:
    scene.create()
    scene.remove(scene.observe())
    assert scene.environment.cluster.all(JOBS) == []


def test_a_job_that_is_gone_or_another_by_now_is_left_alone(scene: Scene) -> None:
    scene.create()
    observed = scene.observe()
    scene.remove(observed)
    scene.remove(observed)
    another = scene.environment.cluster.create(JOBS, NAMESPACE, build_job(scene.run))
    scene.remove(observed)
    assert scene.environment.cluster.all(JOBS) == [another]


def test_a_finished_job_is_let_go_in_time(scene: Scene) -> None:
    scene.create()
    assert scene.actions.patch_ttl(steps.PatchJobTtl(60), scene.observe(), scene.state)
    assert only_job(scene.environment)["spec"]["ttlSecondsAfterFinished"] == 60
    assert scene.caches.seen(scene.key).job == only_job(scene.environment)


def test_a_job_that_is_gone_needs_no_ttl(scene: Scene) -> None:
    scene.create()
    observed = scene.observe()
    scene.remove(observed)
    assert not scene.actions.patch_ttl(steps.PatchJobTtl(60), observed, scene.state)


def test_the_events_of_the_job_are_believed_for_a_while(scene: Scene) -> None:
    scene.environment.cluster.refuse[PODS] = ForbiddenError("exceeded quota: pods")
    scene.create()
    scene.environment.job_controller()
    other = {"metadata": {"name": "x", "namespace": NAMESPACE}, "involvedObject": {"uid": "?"}}
    scene.environment.cluster.put(EVENTS, other)
    assert scene.actions.read_events(steps.ReadEvents(), scene.observe(), scene.state)
    assert [event["reason"] for event in scene.state.events or []] == ["FailedCreate"]
    assert scene.state.events_expire_at == scene.environment.now + RETRY_INTERVAL
    assert scene.requeue_after == {scene.key: RETRY_INTERVAL.total_seconds()}
