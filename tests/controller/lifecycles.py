"""Steps that the lifecycle tests share: start a run, end it, read what became of it."""

from typing import Any

from sparktest.domain import Run
from sparktest.kube.resources import EVENTS, JOBS, TESTRUNS
from tests.controller.fake_environment import FakeEnvironment

Object = dict[str, Any]


def only_run(environment: FakeEnvironment) -> Run:
    (run,) = environment.api.runs.values()
    return run


def only_job(environment: FakeEnvironment) -> Object:
    (job,) = environment.cluster.all(JOBS)
    return job


def begin(environment: FakeEnvironment, **spec: Any) -> Run:
    """Apply a TestRun and start its container; return the run."""
    environment.apply(**spec)
    return started(environment)


def started(environment: FakeEnvironment) -> Run:
    """Start the container of the requested run; return the run."""
    environment.settle()
    environment.start_container(environment.pods()[0])
    environment.settle()
    return only_run(environment)


def end(environment: FakeEnvironment, code: int = 0, **status: Any) -> Run:
    """End the container; return the run."""
    environment.end_container(environment.pods()[0], code, **status)
    environment.settle()
    return only_run(environment)


def stopped(environment: FakeEnvironment) -> Run:
    """Let the kubelet complete a stop; return the run."""
    environment.settle()
    environment.enforce_deadlines()
    environment.settle()
    return only_run(environment)


def status(environment: FakeEnvironment) -> Object:
    """Return the status of the TestRun."""
    found = environment.testrun()
    assert found is not None
    return dict(found.get("status", {}))


def conditions(environment: FakeEnvironment) -> dict[str, tuple[str, str]]:
    """Return status and reason of the TestRun's conditions, by type."""
    found = status(environment)["conditions"]
    return {entry["type"]: (entry["status"], entry["reason"]) for entry in found}


def warnings(environment: FakeEnvironment) -> list[str]:
    """Return the reasons of the Events on TestRuns."""
    events = environment.cluster.all(EVENTS)
    return [event["reason"] for event in events if event["involvedObject"]["kind"] == TESTRUNS.kind]
