"""What is done to Jobs and pods, and what the answers of the cluster mean for the run."""

from datetime import timedelta
from typing import Any, cast

import pytest

from sparktest.controller import steps
from sparktest.controller.book import Memo
from sparktest.controller.jobs import ASK_AGAIN, JobActions
from sparktest.controller.known import Known
from sparktest.controller.testruns import Key
from sparktest.controller.views import Views
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
from sparktest.kube.outcome import failure_of, stop_of
from tests.controller.flights import only_job
from tests.controller.machinery import NAMESPACE
from tests.controller.world import World

CANCELLED = failure_of(FailureClass.CANCELLED, "Cancelled", "somebody said so")
TOO_LATE = failure_of(FailureClass.CANCELLED, "ObjectDeleted", "")


class Scene:
    """A run of the API, its key, and the actions on its Job in a world where nothing else moves."""

    def __init__(self) -> None:
        self.world = World()
        self.run = self.world.api.add(cluster="here")
        self.key = (NAMESPACE, self.run.job_name)
        self.memo = Memo()
        self.later: dict[Key, float] = {}
        self.views = self.world.controller.views
        self.actions = JobActions(
            cast("Cluster", self.world.cluster),
            cast("Views", self.views),
            later=self.later.__setitem__,
            clock=lambda: self.world.now,
        )

    def known(self) -> Known:
        seen = self.views.read(self.key, None)
        return Known(key=self.key, cluster="here", run=self.run, job=seen.job, pods=seen.pods)

    def create(self) -> bool:
        return self.actions.create(steps.CreateJob(), self.known(), self.memo)

    def stop(self, failure: Any = CANCELLED) -> bool:
        return self.actions.stop(steps.Stop(failure), self.known(), self.memo)

    def remove(self, known: Known) -> bool:
        return self.actions.remove(steps.Remove(), known, self.memo)


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.fixture
def running(scene: Scene) -> Scene:
    """The same, with a container that runs."""
    scene.create()
    scene.world.job_controller()
    scene.world.start_container(scene.world.pods()[0])
    return scene


# --- create --------------------------------------------------------------------------------------


def test_the_job_that_was_created_is_known_and_seen_at_once(scene: Scene) -> None:
    assert scene.create()
    job = only_job(scene.world)
    assert scene.memo.job_uid == job["metadata"]["uid"]
    assert scene.views.seen(scene.key).job == job


def test_the_runs_own_job_that_is_there_already_is_taken_up(scene: Scene) -> None:
    there = scene.world.cluster.create(JOBS, NAMESPACE, build_job(scene.run))
    assert scene.create()
    assert scene.memo.job_uid == there["metadata"]["uid"]
    assert scene.memo.refusal is None


def test_a_job_of_somebody_else_that_has_the_name_is_a_refusal(scene: Scene) -> None:
    theirs = {"metadata": {"name": scene.key[1], "namespace": NAMESPACE}, "spec": {}}
    scene.world.cluster.put(JOBS, theirs)
    assert scene.create()
    assert scene.memo.job_uid is None
    assert scene.memo.refusal is not None
    assert scene.memo.refusal.reason == "NameConflict"


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
    scene.world.cluster.refuse[JOBS] = error
    assert scene.create()
    refusal = scene.memo.refusal
    assert refusal is not None
    assert (refusal.class_, refusal.reason) == (FailureClass.CONFIG, reason)
    assert refusal.message == error.detail


def test_a_job_that_the_cluster_does_not_take_now_is_tried_again_later(scene: Scene) -> None:
    scene.world.cluster.refuse[JOBS] = ForbiddenError("exceeded quota: jobs")
    assert scene.create()
    assert scene.memo.refusal is None
    assert scene.memo.held_up is not None
    assert scene.memo.held_up.reason == "FailedCreate"
    assert scene.memo.held_up.until == scene.run.created_at + timedelta(hours=1)
    assert scene.memo.held_up_until == scene.world.now + ASK_AGAIN
    assert scene.later == {scene.key: ASK_AGAIN.total_seconds()}


def test_a_cluster_that_does_not_answer_says_nothing_about_the_job(scene: Scene) -> None:
    scene.world.cluster.refuse[JOBS] = UnavailableError("away")
    with pytest.raises(UnavailableError):
        scene.create()
    assert (scene.memo.refusal, scene.memo.held_up) == (None, None)


# --- stop ----------------------------------------------------------------------------------------


def test_a_stop_is_noted_and_gives_the_pod_no_more_time(running: Scene) -> None:
    running.stop()
    assert stop_of(only_job(running.world)) == CANCELLED
    (pod,) = running.world.pods()
    assert pod["spec"]["activeDeadlineSeconds"] == 1
    assert "suspend" not in only_job(running.world)["spec"]


def test_the_first_reason_stays(running: Scene) -> None:
    running.stop()
    running.stop(TOO_LATE)
    assert stop_of(only_job(running.world)) == CANCELLED


def test_a_stop_that_got_no_further_than_its_note_is_carried_on(running: Scene) -> None:
    running.world.faults.next = [None, "before"]
    with pytest.raises(UnavailableError):
        running.stop()
    running.stop()
    (pod,) = running.world.pods()
    assert pod["spec"]["activeDeadlineSeconds"] == 1


def test_without_a_pod_the_job_is_suspended(scene: Scene) -> None:
    scene.create()
    scene.stop()
    assert only_job(scene.world)["spec"]["suspend"] is True


def test_a_pod_without_a_node_is_ended_by_suspending_the_job(scene: Scene) -> None:
    scene.create()
    scene.world.job_controller()
    scene.stop()
    assert only_job(scene.world)["spec"]["suspend"] is True


def test_a_pod_that_only_the_cluster_has_seen_keeps_its_job_running(running: Scene) -> None:
    known = running.known()
    unseen = Known(key=running.key, cluster="here", run=running.run, job=known.job, pods=[])
    running.actions.stop(steps.Stop(CANCELLED), unseen, running.memo)
    assert "suspend" not in only_job(running.world)["spec"]
    assert running.world.pods()[0]["spec"]["activeDeadlineSeconds"] == 1


def test_a_test_that_has_ended_is_not_stopped(running: Scene) -> None:
    running.world.end_container(running.world.pods()[0], 0)
    before = running.world.pods()
    running.stop()
    assert running.world.pods() == before


# --- remove, TTL, Events -------------------------------------------------------------------------


def test_a_job_is_removed(scene: Scene) -> None:
    scene.create()
    scene.remove(scene.known())
    assert scene.world.cluster.all(JOBS) == []


def test_a_job_that_is_gone_or_another_by_now_is_left_alone(scene: Scene) -> None:
    scene.create()
    known = scene.known()
    scene.remove(known)
    scene.remove(known)
    another = scene.world.cluster.create(JOBS, NAMESPACE, build_job(scene.run))
    scene.remove(known)
    assert scene.world.cluster.all(JOBS) == [another]


def test_a_finished_job_is_let_go_in_time(scene: Scene) -> None:
    scene.create()
    assert scene.actions.patch_ttl(steps.PatchTtl(60), scene.known(), scene.memo)
    assert only_job(scene.world)["spec"]["ttlSecondsAfterFinished"] == 60
    assert scene.views.seen(scene.key).job == only_job(scene.world)


def test_a_job_that_is_gone_needs_no_ttl(scene: Scene) -> None:
    scene.create()
    known = scene.known()
    scene.remove(known)
    assert not scene.actions.patch_ttl(steps.PatchTtl(60), known, scene.memo)


def test_the_events_of_the_job_are_believed_for_a_while(scene: Scene) -> None:
    scene.world.cluster.refuse[PODS] = ForbiddenError("exceeded quota: pods")
    scene.create()
    scene.world.job_controller()
    other = {"metadata": {"name": "x", "namespace": NAMESPACE}, "involvedObject": {"uid": "?"}}
    scene.world.cluster.put(EVENTS, other)
    assert scene.actions.read_events(steps.ReadEvents(), scene.known(), scene.memo)
    assert [event["reason"] for event in scene.memo.events or []] == ["FailedCreate"]
    assert scene.memo.events_until == scene.world.now + ASK_AGAIN
    assert scene.later == {scene.key: ASK_AGAIN.total_seconds()}
