"""The logs of all containers of a run are stored before its Job and pod may go."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparktest.domain import LogState, Status
from sparktest.kube.pod_view import parse_pod
from sparktest.kube.resources import JOBS, PODS, TESTRUNS
from tests.controller.fake_environment import FakeEnvironment
from tests.controller.lifecycles import only_run, status

TEMPLATE = {
    "spec": {
        "initContainers": [
            {"name": "proxy", "image": "proxy:1", "restartPolicy": "Always"},
            {"name": "fixtures", "image": "fixtures:1"},
        ],
        "containers": [{"name": "test"}, {"name": "second", "image": "second:1"}],
    }
}
STARTED = "2026-11-24T12:00:00Z"
RUNNING: dict[str, Any] = {"running": {"startedAt": STARTED}}
WAITING: dict[str, Any] = {"waiting": {"reason": "PodInitializing"}}


def exited(code: int) -> dict[str, Any]:
    reason = "Completed" if code == 0 else "Error"
    ended = {"exitCode": code, "reason": reason, "startedAt": STARTED, "finishedAt": STARTED}
    return {"terminated": ended}


# The phase of the pod and the states of proxy, fixtures, test and second.
PodStates = tuple[str, dict[str, Any], dict[str, Any], dict[str, Any], dict[str, Any]]
INIT_RUNS: PodStates = ("Pending", RUNNING, RUNNING, WAITING, WAITING)
INIT_FAILED: PodStates = ("Failed", exited(137), exited(2), WAITING, WAITING)
TEST_RUNS: PodStates = ("Running", RUNNING, exited(0), RUNNING, RUNNING)
TEST_ENDED: PodStates = ("Running", RUNNING, exited(0), exited(3), RUNNING)
ALL_ENDED: PodStates = ("Failed", exited(143), exited(0), exited(3), exited(0))
LIVES = [
    [INIT_RUNS, INIT_FAILED],
    [INIT_RUNS, TEST_RUNS, TEST_ENDED],
    [INIT_RUNS, TEST_RUNS, ALL_ENDED],
    [TEST_RUNS, TEST_ENDED, ALL_ENDED],
]


def set_states(environment: FakeEnvironment, states: PodStates) -> None:
    """Have the kubelet write these states into the pod's status, if it still exists."""
    phase, proxy, fixtures, test, second = states
    for pod in environment.pods():
        pod["spec"]["nodeName"] = "node1"
        inits = [
            {"name": "proxy", "state": proxy, "started": "running" in proxy},
            {"name": "fixtures", "state": fixtures},
        ]
        plain = [{"name": "test", "state": test}, {"name": "second", "state": second}]
        pod["status"] |= {
            "phase": phase,
            "initContainerStatuses": inits,
            "containerStatuses": plain,
        }
        environment.cluster.put(PODS, pod)


def begun(**template: Any) -> FakeEnvironment:
    """Return an environment with the pod of a run of all kinds of containers."""
    environment = FakeEnvironment(**template)
    environment.apply(template=TEMPLATE)
    environment.settle()
    return environment


def stored(environment: FakeEnvironment) -> set[str]:
    return {container for _, container in environment.api.logs}


def started(environment: FakeEnvironment) -> set[str]:
    """Return the containers that ever had a log."""
    pods = (parse_pod(obj) for kind, *_, obj in environment.cluster.changed if kind == PODS and obj)
    return {each.name for pod in pods for each in pod.containers.values() if each.has_log}


@pytest.mark.parametrize(
    ("life", "names"),
    list(zip(LIVES, [2, 4, 4, 4], strict=True)),
    ids=["init fails", "second goes on", "all end", "no init seen"],
)
def test_the_log_of_each_container_is_stored(life: list[PodStates], names: int) -> None:
    environment = begun()
    for states in life:
        set_states(environment, states)
        environment.settle()
    run = only_run(environment)
    assert run.status is Status.FAILED
    assert stored(environment) == started(environment)
    assert len(stored(environment)) == names
    assert (run.log.state, run.log.bytes) == (LogState.COMPLETE, 5 * names)


def test_a_failing_init_container_is_named_with_its_last_line() -> None:
    environment = begun()
    set_states(environment, INIT_FAILED)
    environment.settle()
    failure = status(environment)["failure"]
    assert (failure["class"], failure["reason"]) == ("config", "Init:Error")
    assert (failure["container"], failure["exitCode"]) == ("fixtures", 2)
    assert failure["message"] == "init container fixtures: exit code 2: end of fixtures"


def test_a_run_waits_for_the_logs_of_all_its_containers() -> None:
    environment = begun()
    environment.controller.log_collector.hold = True
    set_states(environment, TEST_ENDED)
    environment.settle()
    assert not only_run(environment).status.final
    assert environment.pods()
    environment.controller.log_collector.hold = False
    environment.controller.log_collector.read()
    environment.settle()
    assert only_run(environment).status.final
    # The second container would run on.
    assert environment.pods() == []


ACTIONS = st.sampled_from(
    ["testruns", "jobs", "pods", "poll", "work", "logs", "restart", "kubelet", "job controller"]
)


def act(environment: FakeEnvironment, action: str, which: int, life: list[PodStates]) -> None:
    controller = environment.controllers[which]
    resources = {"testruns": TESTRUNS, "jobs": JOBS, "pods": PODS}
    if action in resources:
        controller.caches.deliver(resources[action])
    elif action == "kubelet" and life:
        set_states(environment, life.pop(0))
    elif action == "restart":
        environment.restart(which)
    elif action == "job controller":
        environment.job_controller()
    else:
        actions = {
            "poll": controller.poll,
            "work": controller.work,
            "logs": controller.log_collector.read,
        }
        actions.get(action, controller.work)()


@settings(max_examples=60)
@given(
    life=st.sampled_from(LIVES),
    actions=st.lists(st.tuples(ACTIONS, st.sampled_from([0, 1])), max_size=40),
)
def test_no_job_is_cleaned_up_before_the_logs_of_all_containers_are_stored(
    life: list[PodStates], actions: list[tuple[str, int]]
) -> None:
    environment, life = begun(controllers=2), list(life)
    for action, which in actions:
        act(environment, action, which, life)
        if not environment.pods():
            assert stored(environment) >= started(environment)
    for states in life:
        set_states(environment, states)
        environment.settle()
        if not environment.pods():
            assert stored(environment) >= started(environment)
    environment.settle()
    run = only_run(environment)
    assert run.status.final
    assert stored(environment) >= started(environment)
    assert run.log.state is LogState.COMPLETE
