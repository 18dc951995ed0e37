"""The flight of a run, from the wish to the end, in a world that behaves."""

from typing import Any

import pytest

from sparktest.domain import FailureClass, LogState, Origin, Status
from sparktest.errors import InvalidError
from sparktest.kube.cluster import JOBS, TESTRUNS
from sparktest.kube.jobs import FINALIZER
from tests.controller.flights import (
    begin,
    conditions,
    end,
    only_job,
    only_run,
    started,
    status,
    warnings,
)
from tests.controller.machinery import NAMESPACE
from tests.controller.world import World


@pytest.fixture
def world() -> World:
    return World()


def test_a_testrun_passes_and_is_let_go(world: World) -> None:
    assert begin(world).status is Status.RUNNING
    run = end(world)
    assert run.status is Status.SUCCEEDED
    assert run.log.state is LogState.COMPLETE
    assert status(world)["phase"] == "Succeeded"
    assert conditions(world) == {
        "Registered": ("True", "Registered"),
        "Finished": ("True", "Succeeded"),
        "Succeeded": ("True", "Succeeded"),
    }
    testrun = world.testrun()
    assert testrun is not None
    assert testrun["metadata"]["finalizers"] == []
    assert world.cluster.jobs_created() == [run.job_name]
    assert warnings(world) == []
    assert world.controller.plans() == {}


def test_a_testrun_whose_test_fails_says_so_and_alarms_nobody(world: World) -> None:
    begin(world)
    run = end(world, 3)
    assert run.status is Status.FAILED
    assert run.failure is not None
    assert (run.failure.class_, run.failure.exit_code) == (FailureClass.TEST, 3)
    assert status(world)["failure"]["exitCode"] == 3
    assert conditions(world)["Succeeded"] == ("False", "Error")
    assert conditions(world)["Finished"] == ("True", "Failed")
    assert warnings(world) == []


def test_a_test_that_runs_too_long_has_timed_out_and_keeps_its_log(world: World) -> None:
    begin(world, timeoutSeconds=60)
    run = end(world, 137, reason="DeadlineExceeded")
    assert run.status is Status.TIMED_OUT
    assert run.failure is not None
    assert run.failure.message == "the test ran longer than its timeout of 60 s"
    assert run.log.state is LogState.COMPLETE
    assert status(world)["phase"] == "TimedOut"
    assert only_job(world)["metadata"]["name"] == run.job_name


def test_what_kubernetes_took_away_is_the_fault_of_the_infrastructure(world: World) -> None:
    begin(world)
    run = end(world, 137, reason="Evicted", message="low on memory")
    assert run.failure is not None
    assert (run.failure.class_, run.failure.reason) == (FailureClass.INFRA, "Evicted")
    assert warnings(world) == ["Evicted"]


def test_the_ttl_comes_only_when_the_log_is_stored(world: World) -> None:
    run = begin(world, ttlSecondsAfterFinished=0)
    world.controller.reporter.hold = True
    end(world)
    assert "ttlSecondsAfterFinished" not in only_job(world)["spec"]
    assert only_run(world).status is Status.RUNNING
    assert "finishedAt" not in status(world)
    world.controller.reporter.hold = False
    world.settle()
    assert only_job(world)["spec"]["ttlSecondsAfterFinished"] == 0
    assert world.api.runs[run.id].status is Status.SUCCEEDED


def test_the_job_of_a_testrun_without_ttl_stays_with_it(world: World) -> None:
    begin(world)
    end(world)
    assert "ttlSecondsAfterFinished" not in only_job(world)["spec"]


def test_other_finalizers_stay_as_they_are(world: World) -> None:
    testrun = world.apply()
    world.cluster.put(
        TESTRUNS, testrun | {"metadata": testrun["metadata"] | {"finalizers": ["a/b", "c/d"]}}
    )
    started(world)
    assert finalizers(world) == ["a/b", "c/d", FINALIZER]
    found = world.cluster.get(TESTRUNS, NAMESPACE, "smoke")
    found["metadata"]["finalizers"].insert(0, "late/r")
    world.cluster.put(TESTRUNS, found)
    end(world)
    assert finalizers(world) == ["late/r", "a/b", "c/d"]


def finalizers(world: World) -> Any:
    return (world.testrun() or {})["metadata"]["finalizers"]


def test_a_testrun_of_an_unknown_definition_fails_and_is_seen_in_every_list(world: World) -> None:
    world.apply(image=None, definitionId="11111111-1111-4111-8111-111111111111")
    world.settle()
    run = only_run(world)
    assert run.status is Status.FAILED
    assert status(world)["failure"] == {
        "class": "config",
        "reason": "DefinitionNotFound",
        "message": "no such definition",
    }
    assert conditions(world)["Registered"] == ("True", "Registered")
    assert warnings(world) == ["DefinitionNotFound"]
    assert world.cluster.all(JOBS) == []
    assert finalizers(world) == []


def test_a_testrun_that_the_api_refuses_ends_and_does_not_loop(world: World) -> None:
    world.api.refuse_registration = InvalidError("/timeoutSeconds: must be at least 1")
    world.apply()
    world.settle()
    assert status(world)["phase"] == "Failed"
    assert conditions(world) == {
        "Registered": ("False", "Invalid"),
        "Finished": ("True", "Failed"),
        "Succeeded": ("False", "Invalid"),
    }
    assert status(world)["message"] == "/timeoutSeconds: must be at least 1"
    assert warnings(world) == ["Invalid"]
    assert finalizers(world) == []
    assert world.controller.plans() == {}


# --- runs of the API -----------------------------------------------------------------------------


def test_a_run_of_the_api_flies_without_a_testrun_and_without_the_crd(world: World) -> None:
    run = world.api.add()
    assert started(world).status is Status.RUNNING
    assert world.api.runs[run.id].cluster == "here"
    assert end(world).status is Status.SUCCEEDED
    job = only_job(world)
    assert job["metadata"]["name"] == f"test-run-{run.id}"
    assert "ownerReferences" not in job["metadata"]
    assert job["spec"]["ttlSecondsAfterFinished"] == world.settings.job_ttl_seconds
    assert all(resource != TESTRUNS for _, resource, _ in world.cluster.writes)
    assert world.controller.plans() == {}


def test_a_run_of_another_cluster_is_left_alone(world: World) -> None:
    run = world.api.add(cluster="there")
    world.settle()
    assert world.api.runs[run.id] == run
    assert world.cluster.writes == []


def test_a_run_that_another_cluster_claims_first_is_left_to_it(world: World) -> None:
    run = world.api.add()
    world.controller.poll()
    world.api.change(run.id, cluster="there")
    world.controller.work()
    world.settle()
    assert world.cluster.writes == []
    assert world.api.runs[run.id].cluster == "there"


def test_a_job_of_somebody_else_with_the_name_is_not_taken(world: World) -> None:
    run = world.api.add()
    name = f"test-run-{run.id}"
    foreign = {"metadata": {"name": name, "namespace": NAMESPACE}, "spec": {"suspend": True}}
    world.cluster.put(JOBS, foreign)
    world.settle()
    after = only_run(world)
    assert after.failure is not None
    assert after.failure.reason == "NameConflict"
    assert only_job(world)["metadata"].get("labels") is None


def test_a_run_of_the_api_is_of_origin_api(world: World) -> None:
    world.api.add()
    started(world)
    assert end(world).origin is Origin.API
