"""Execution of the steps on Jobs and pods, and of the rejections by the cluster."""

from datetime import timedelta
from typing import Any, cast

import pytest

from sparktest.controller import steps
from sparktest.controller.caches import Caches
from sparktest.controller.job_actions import RETRY_INTERVAL, JobActions
from sparktest.controller.observation import Observation
from sparktest.controller.run_states import RunState
from sparktest.controller.testruns import Key
from sparktest.domain import Failure, FailureClass
from sparktest.errors import (
    ForbiddenError,
    InvalidError,
    NotFoundError,
    SparkTestError,
    TooLargeError,
    UnavailableError,
)
from sparktest.kube.cluster import Cluster
from sparktest.kube.jobs import build_job
from sparktest.kube.resources import EVENTS, JOBS, PODS
from sparktest.kube.views import parse_job
from tests.controller.fake_environment import FakeEnvironment
from tests.controller.fake_kubernetes import NAMESPACE
from tests.controller.lifecycles import only_job

CANCELLED = Failure(FailureClass.CANCELLED, "Cancelled", "by a user")
TOO_LATE = Failure(FailureClass.CANCELLED, "ObjectDeleted", "")


class JobHarness:
    """An API run and the actions on its Job."""

    def __init__(self, *, restricted: bool = False) -> None:
        self.environment = FakeEnvironment()
        self.run = self.environment.api.add(cluster="here")
        self.key = (NAMESPACE, self.run.job_name)
        self.state = RunState()
        self.requeue_after: dict[Key, float] = {}
        self.caches = self.environment.controller.caches
        self.actions = JobActions(
            cast("Cluster", self.environment.cluster),
            cast("Caches", self.caches),
            restricted=restricted,
            git_image="git:1",
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
def harness() -> JobHarness:
    return JobHarness()


@pytest.fixture
def running(harness: JobHarness) -> JobHarness:
    """Return the harness with a running container."""
    harness.create()
    harness.environment.job_controller()
    harness.environment.start_container(harness.environment.pods()[0])
    return harness


# --- create --------------------------------------------------------------------------------------


def test_a_created_job_is_kept_and_cached_at_once(harness: JobHarness) -> None:
    assert harness.create()
    job = only_job(harness.environment)
    assert harness.state.job_uid == job["metadata"]["uid"]
    assert harness.caches.get(harness.key).job == parse_job(job)


def test_the_pod_of_a_restricted_controller_may_not_run_as_root() -> None:
    harness = JobHarness(restricted=True)
    harness.create()
    job = harness.environment.cluster.get(JOBS, *harness.key)
    assert job["spec"]["template"]["spec"]["securityContext"]["runAsNonRoot"] is True


def test_the_runs_own_existing_job_is_adopted(harness: JobHarness) -> None:
    there = harness.environment.cluster.create(JOBS, NAMESPACE, build_job(harness.run))
    assert harness.create()
    assert harness.state.job_uid == there["metadata"]["uid"]
    assert harness.state.permanent_error is None


def test_a_foreign_job_of_the_same_name_is_a_permanent_error(harness: JobHarness) -> None:
    theirs = {"metadata": {"name": harness.key[1], "namespace": NAMESPACE}, "spec": {}}
    harness.environment.cluster.put(JOBS, theirs)
    assert harness.create()
    assert harness.state.job_uid is None
    assert harness.state.permanent_error is not None
    assert harness.state.permanent_error.reason == "NameConflict"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (InvalidError("spec.template: wrong"), "Invalid"),
        (TooLargeError("too large"), "Invalid"),
        (NotFoundError('namespaces "tests" not found'), "NamespaceNotFound"),
    ],
)
def test_a_job_that_the_cluster_always_rejects_is_a_permanent_error(
    harness: JobHarness, error: SparkTestError, reason: str
) -> None:
    harness.environment.cluster.create_errors[JOBS] = error
    assert harness.create()
    permanent_error = harness.state.permanent_error
    assert permanent_error is not None
    assert (permanent_error.class_, permanent_error.reason) == (FailureClass.CONFIG, reason)
    assert permanent_error.message == error.detail


def test_a_job_that_the_cluster_rejects_for_now_is_retried_later(harness: JobHarness) -> None:
    harness.environment.cluster.create_errors[JOBS] = ForbiddenError("exceeded quota: jobs")
    assert harness.create()
    assert harness.state.permanent_error is None
    assert harness.state.creation_wait is not None
    assert harness.state.creation_wait.reason == "FailedCreate"
    assert harness.state.creation_wait.until == harness.run.created_at + timedelta(hours=1)
    assert harness.state.creation_wait_expires_at == harness.environment.now + RETRY_INTERVAL
    assert harness.requeue_after == {harness.key: RETRY_INTERVAL.total_seconds()}


@pytest.mark.parametrize(
    ("message", "class_"),
    [
        ('Internal error occurred: failed calling webhook "a"', FailureClass.TIMEOUT),
        ('admission webhook "a" denied the request: no', FailureClass.CONFIG),
        ("etcdserver: request is too large", FailureClass.CONFIG),
    ],
)
def test_a_server_error_that_created_nothing_is_a_rejection(
    harness: JobHarness, message: str, class_: FailureClass
) -> None:
    harness.environment.cluster.create_errors[JOBS] = UnavailableError(message)
    assert harness.create()
    wait = harness.state.creation_wait
    assert wait is not None
    assert wait.failure == Failure(class_, "FailedCreate", message)


def test_a_job_that_is_too_large_for_etcd_says_so(harness: JobHarness) -> None:
    message = "spec.selector: Invalid value: {}: `selector` not auto-generated"
    harness.environment.cluster.create_errors[JOBS] = InvalidError(message)
    assert harness.create()
    assert harness.state.permanent_error is not None
    assert "larger than Kubernetes can store" in harness.state.permanent_error.message


def test_an_unreachable_cluster_is_no_rejection(harness: JobHarness) -> None:
    harness.environment.cluster.create_errors[JOBS] = UnavailableError("away")
    with pytest.raises(UnavailableError):
        harness.create()
    assert (harness.state.permanent_error, harness.state.creation_wait) == (None, None)


# --- stop ----------------------------------------------------------------------------------------


def test_a_stop_stores_its_reason_and_shortens_the_deadline_of_the_pod(running: JobHarness) -> None:
    running.stop()
    assert parse_job(only_job(running.environment)).stop_reason == CANCELLED
    (pod,) = running.environment.pods()
    assert pod["spec"]["activeDeadlineSeconds"] == 1
    assert "suspend" not in only_job(running.environment)["spec"]


def test_the_first_stop_reason_is_kept(running: JobHarness) -> None:
    running.stop()
    running.stop(TOO_LATE)
    assert parse_job(only_job(running.environment)).stop_reason == CANCELLED


def test_an_interrupted_stop_is_completed(running: JobHarness) -> None:
    running.environment.faults.next = [None, "before"]
    with pytest.raises(UnavailableError):
        running.stop()
    running.stop()
    (pod,) = running.environment.pods()
    assert pod["spec"]["activeDeadlineSeconds"] == 1


def test_without_a_pod_the_job_is_suspended(harness: JobHarness) -> None:
    harness.create()
    harness.stop()
    assert only_job(harness.environment)["spec"]["suspend"] is True


def test_a_pod_without_a_node_is_ended_by_suspending_the_job(harness: JobHarness) -> None:
    harness.create()
    harness.environment.job_controller()
    harness.stop()
    assert only_job(harness.environment)["spec"]["suspend"] is True


def test_a_job_with_a_pod_missing_in_the_cache_is_not_suspended(running: JobHarness) -> None:
    observed = running.observe()
    unseen = Observation(
        key=running.key, cluster="here", run=running.run, job=observed.job, pods=[]
    )
    running.actions.stop(steps.StopJob(CANCELLED), unseen, running.state)
    assert "suspend" not in only_job(running.environment)["spec"]
    assert running.environment.pods()[0]["spec"]["activeDeadlineSeconds"] == 1


def test_a_test_that_has_ended_is_not_stopped(running: JobHarness) -> None:
    running.environment.end_container(running.environment.pods()[0], 0)
    before = running.environment.pods()
    running.stop()
    assert running.environment.pods() == before


# --- remove, TTL, Events -------------------------------------------------------------------------


def test_a_job_is_deleted(harness: JobHarness) -> None:
    harness.create()
    harness.delete(harness.observe())
    assert harness.environment.cluster.all(JOBS) == []


def test_a_job_that_is_gone_or_was_replaced_is_not_deleted(harness: JobHarness) -> None:
    harness.create()
    observed = harness.observe()
    harness.delete(observed)
    harness.delete(observed)
    another = harness.environment.cluster.create(JOBS, NAMESPACE, build_job(harness.run))
    harness.delete(observed)
    assert harness.environment.cluster.all(JOBS) == [another]


def test_a_finished_job_gets_a_ttl(harness: JobHarness) -> None:
    harness.create()
    assert harness.actions.patch_ttl(steps.PatchJobTtl(60), harness.observe(), harness.state)
    assert only_job(harness.environment)["spec"]["ttlSecondsAfterFinished"] == 60
    assert harness.caches.get(harness.key).job == parse_job(only_job(harness.environment))


def test_a_job_that_is_gone_needs_no_ttl(harness: JobHarness) -> None:
    harness.create()
    observed = harness.observe()
    harness.delete(observed)
    assert not harness.actions.patch_ttl(steps.PatchJobTtl(60), observed, harness.state)


def test_the_events_of_the_job_are_kept_until_the_next_read(harness: JobHarness) -> None:
    harness.environment.cluster.create_errors[PODS] = ForbiddenError("exceeded quota: pods")
    harness.create()
    harness.environment.job_controller()
    other = {"metadata": {"name": "x", "namespace": NAMESPACE}, "involvedObject": {"uid": "?"}}
    harness.environment.cluster.put(EVENTS, other)
    assert harness.actions.read_events(steps.ReadEvents(), harness.observe(), harness.state)
    assert [event.reason for event in harness.state.events or []] == ["FailedCreate"]
    assert harness.state.events_expire_at == harness.environment.now + RETRY_INTERVAL
    assert harness.requeue_after == {harness.key: RETRY_INTERVAL.total_seconds()}


def test_of_a_run_with_a_pod_the_events_of_the_pod_are_read(running: JobHarness) -> None:
    (pod,) = running.environment.pods()
    about = {"kind": "Pod", "uid": pod["metadata"]["uid"]}
    event = {"metadata": {"name": "y", "namespace": NAMESPACE}, "reason": "FailedMount"}
    running.environment.cluster.put(EVENTS, {**event, "involvedObject": about})
    assert running.actions.read_events(steps.ReadEvents(), running.observe(), running.state)
    assert [event.reason for event in running.state.events or []] == ["FailedMount"]
    assert running.state.end_events is None


def test_the_events_of_a_pod_that_has_ended_are_kept(running: JobHarness) -> None:
    (pod,) = running.environment.pods()
    running.environment.end_container(pod, 0)
    about = {"kind": "Pod", "uid": pod["metadata"]["uid"]}
    event = {"metadata": {"name": "y", "namespace": NAMESPACE}, "reason": "Killing"}
    running.environment.cluster.put(EVENTS, {**event, "involvedObject": about})
    assert running.actions.read_events(steps.ReadEvents(), running.observe(), running.state)
    assert [event.reason for event in running.state.end_events or []] == ["Killing"]
    assert running.requeue_after == {}
