"""What all flights share: the only run in a world, and the steps that most of them begin with."""

from typing import Any

from sparktest.domain import Run
from sparktest.kube.cluster import EVENTS, JOBS, TESTRUNS
from tests.controller.world import World

Object = dict[str, Any]


def only_run(world: World) -> Run:
    (run,) = world.api.runs.values()
    return run


def only_job(world: World) -> Object:
    (job,) = world.cluster.all(JOBS)
    return job


def begin(world: World, **spec: Any) -> Run:
    """Apply a TestRun and let its container start; the run."""
    world.apply(**spec)
    return started(world)


def started(world: World) -> Run:
    """Let the container of what was asked for start; the run."""
    world.settle()
    world.start_container(world.pods()[0])
    world.settle()
    return only_run(world)


def end(world: World, code: int = 0, **status: Any) -> Run:
    """Let the container end; the run."""
    world.end_container(world.pods()[0], code, **status)
    world.settle()
    return only_run(world)


def stopped(world: World) -> Run:
    """Let the kubelet do what a stop asked for; the run."""
    world.settle()
    world.enforce_deadlines()
    world.settle()
    return only_run(world)


def status(world: World) -> Object:
    """What the TestRun says."""
    found = world.testrun()
    assert found is not None
    return dict(found.get("status", {}))


def conditions(world: World) -> dict[str, tuple[str, str]]:
    """Status and reason of the TestRun's conditions, by type."""
    found = status(world)["conditions"]
    return {entry["type"]: (entry["status"], entry["reason"]) for entry in found}


def warnings(world: World) -> list[str]:
    """The reasons of the Events on TestRuns."""
    events = world.cluster.all(EVENTS)
    return [event["reason"] for event in events if event["involvedObject"]["kind"] == TESTRUNS.kind]
