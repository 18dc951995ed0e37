"""Runs that have to wait: for an image, an account, room, a node, or the API."""

from datetime import timedelta

import pytest

from sparktest.controller.testruns import ABANDON
from sparktest.domain import Status
from sparktest.errors import ForbiddenError
from sparktest.kube.cluster import JOBS, PODS, TESTRUNS
from tests.controller.flights import (
    begin,
    conditions,
    end,
    only_run,
    started,
    status,
    stopped,
    warnings,
)
from tests.controller.machinery import NAMESPACE
from tests.controller.world import World

NO_ACCOUNT = 'pods "x" is forbidden: error looking up service account tests/none: not found'
QUOTA = 'pods "x" is forbidden: exceeded quota: small, used: pods=1, limited: pods=1'
TERMINATING = 'jobs "x" is forbidden: unable to create new content, it is being terminated'


@pytest.fixture
def world() -> World:
    return World()


def failing_to_pull(world: World) -> None:
    waiting = {"waiting": {"reason": "ErrImagePull", "message": "no such host"}}
    world.container(world.pods()[0], waiting, "Pending")


def test_an_image_that_is_never_pulled_ends_the_run_after_its_patience(world: World) -> None:
    world.apply()
    world.settle()
    failing_to_pull(world)
    began = world.now
    run = stopped(world)
    assert run.status is Status.FAILED
    assert run.failure is not None
    assert (run.failure.class_.value, run.failure.reason) == ("config", "ImagePullBackOff")
    assert world.now - began >= timedelta(seconds=world.settings.image_pull_patience_seconds)
    assert status(world)["reason"] == "ImagePullBackOff"
    assert warnings(world) == ["ImagePullBackOff"]


def test_a_run_that_waits_says_for_what(world: World) -> None:
    world.apply()
    world.settle()
    failing_to_pull(world)
    world.controller.deliver()
    world.controller.work()
    run = only_run(world)
    assert (run.status, run.status_reason) == (Status.PENDING, "ImagePullBackOff")
    assert run.status_message == "no such host"
    assert status(world)["reason"] == "ImagePullBackOff"
    assert conditions(world)["Finished"] == ("False", "ImagePullBackOff")


def test_an_image_that_comes_in_the_end_is_no_failure(world: World) -> None:
    world.apply()
    world.settle()
    failing_to_pull(world)
    world.controller.deliver()
    world.controller.work()
    world.start_container(world.pods()[0])
    world.settle()
    assert end(world).status is Status.SUCCEEDED
    assert "reason" not in status(world)


def test_a_missing_service_account_is_read_from_the_events_of_the_job(world: World) -> None:
    world.cluster.refuse[PODS] = ForbiddenError(NO_ACCOUNT)
    world.apply(serviceAccountName="none")
    world.settle()
    run = only_run(world)
    assert run.failure is not None
    assert (run.failure.class_.value, run.failure.reason) == ("config", "FailedCreate")
    assert run.failure.message == NO_ACCOUNT
    assert world.now - run.created_at < timedelta(seconds=60)


def test_a_quota_is_waited_for_until_there_is_room(world: World) -> None:
    world.cluster.refuse[PODS] = ForbiddenError(QUOTA)
    world.apply(timeoutSeconds=600)
    for _ in range(40):
        world.job_controller()
        world.controller.deliver()
        world.controller.work()
        world.pass_time(1)
    run = only_run(world)
    assert (run.status, run.status_reason) == (Status.PENDING, "FailedCreate")
    assert "exceeded quota" in (run.status_message or "")
    del world.cluster.refuse[PODS]
    started(world)
    assert end(world).status is Status.SUCCEEDED


def test_a_quota_that_never_has_room_times_out_with_that_reason(world: World) -> None:
    world.cluster.refuse[PODS] = ForbiddenError(QUOTA)
    world.apply(timeoutSeconds=60)
    world.settle()
    run = only_run(world)
    assert run.status is Status.TIMED_OUT
    assert run.failure is not None
    assert run.failure.reason == "FailedCreate"


def test_a_terminating_namespace_is_an_outcome_and_no_retry(world: World) -> None:
    world.cluster.refuse[JOBS] = ForbiddenError(TERMINATING)
    world.apply()
    world.settle()
    run = only_run(world)
    assert run.failure is not None
    assert (run.failure.class_.value, run.failure.reason) == ("infra", "NamespaceTerminating")
    assert (world.testrun() or {})["metadata"]["finalizers"] == []
    assert sum(verb == "create" and kind == JOBS for verb, kind, _ in world.cluster.writes) == 1


# --- the API is away -----------------------------------------------------------------------------


def test_while_the_api_is_away_a_testrun_waits_and_says_so(world: World) -> None:
    world.api.down = True
    world.apply()
    world.settle()
    assert status(world)["phase"] == "Pending"
    assert status(world)["reason"] == "BackendUnavailable"
    assert conditions(world) == {
        "Registered": ("False", "BackendUnavailable"),
        "Finished": ("False", "BackendUnavailable"),
    }
    assert warnings(world) == ["BackendUnavailable"]
    assert world.cluster.all(JOBS) == []
    world.api.down = False
    started(world)
    assert end(world).status is Status.SUCCEEDED
    assert conditions(world)["Registered"] == ("True", "Registered")
    assert "reason" not in status(world)


def test_an_api_that_is_away_for_a_moment_is_not_worth_a_word(world: World) -> None:
    world.api.down = True
    world.apply()
    world.controller.deliver()
    world.controller.poll()
    world.controller.work()
    world.controller.work()
    assert status(world) == {}
    assert warnings(world) == []


def test_a_test_that_ends_while_the_api_is_away_is_recorded_when_it_is_back(world: World) -> None:
    begin(world, ttlSecondsAfterFinished=0)
    world.api.down = True
    assert end(world, 3).status is Status.RUNNING
    (job,) = world.cluster.all(JOBS)
    assert "ttlSecondsAfterFinished" not in job["spec"]
    assert status(world)["phase"] == "Running"
    assert status(world)["reason"] == "BackendUnavailable"
    world.api.down = False
    world.settle()
    assert only_run(world).status is Status.FAILED
    assert status(world)["phase"] == "Failed"


def test_a_cancel_works_while_the_api_is_away(world: World) -> None:
    begin(world)
    world.api.down = True
    world.edit(cancelled=True)
    stopped(world)
    (pod,) = world.pods()
    assert pod["status"]["phase"] == "Failed"
    world.api.down = False
    world.settle()
    assert only_run(world).status is Status.CANCELLED


def test_a_deleted_testrun_waits_for_the_api_and_names_the_way_out(world: World) -> None:
    begin(world)
    world.api.down = True
    world.delete_testrun()
    stopped(world)
    assert status(world)["reason"] == "BackendUnavailable"
    assert f"annotate it {ABANDON}=true" in status(world)["message"]
    found = world.cluster.get(TESTRUNS, NAMESPACE, "smoke")
    found["metadata"]["annotations"] = {ABANDON: "true"}
    world.cluster.put(TESTRUNS, found)
    world.settle()
    assert world.testrun() is None
    world.api.down = False
    world.settle()
    assert only_run(world).status.final
