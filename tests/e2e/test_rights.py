"""The programs use every right of their Roles. Every stack checks that they need no other."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import requests

from sparktest.kube.resources import JOBS, PODS, TESTRUNS
from tests.e2e import accounts
from tests.e2e.program import until
from tests.e2e.stack import TOKEN, Stack
from tests.e2e.target import Target

SLEEP = "echo started; sleep 300"
UNSCHEDULABLE = {"spec": {"nodeSelector": {"no-such-node": "x"}}}
PROBED = {
    "spec": {
        "containers": [
            {"name": "test", "livenessProbe": {"exec": {"command": ["true"]}, "periodSeconds": 1}}
        ]
    }
}


def wait_until_all_used(stack: Stack) -> None:
    """Wait until the controller has used every right; fail if it has used any other."""
    granted = accounts.granted(stack.namespace, "sparktest-controller")
    unused = dict(granted)

    def all_used() -> bool:
        used = accounts.used(stack.controller.log.read_text(errors="replace"))
        assert {name for name, verbs in used.items() if verbs - granted[name]} == set()
        unused.clear()
        unused.update({name: rest for name in granted if (rest := granted[name] - used[name])})
        return not unused

    try:
        until("all rights are used", all_used)
    except AssertionError as error:
        raise AssertionError(f"these rights are not used: {unused}") from error


def reason_of(stack: Stack, name: str) -> str:
    return str(stack.testrun(name).get("status", {}).get("reason", ""))


def has_started(stack: Stack, name: str) -> bool:
    return "started" in stack.log_of(stack.run_of(name))


def pod_of(stack: Stack, name: str) -> dict[str, Any]:
    (pod,) = stack.cluster.list(
        PODS, stack.namespace, label_selector=f"job-name={stack.run_of(name).job_name}"
    ).items
    return pod


def test_every_right_is_used(target: Target, own_stack: Callable[..., Stack]) -> None:
    if not target.real:
        pytest.skip("a dev cluster allows everything")
    stack = own_stack(SPARKTEST_LEADER_ELECTION="on", SPARKTEST_LOG_LEVEL="debug")
    running = ("cancelled", "job-deleted", "pod-deleted")
    for name in running:
        stack.apply(name, commands=[SLEEP])
    # Reads the Events of its pod when it has ended.
    stack.apply("probed", commands=["sleep 2"], template=PROBED)
    # Its Job is deleted, since one without a pod never gets finished.
    stack.apply("unscheduled", template=UNSCHEDULABLE, ttlSecondsAfterFinished=0)
    stack.apply("waiting", template=UNSCHEDULABLE)
    for name in ("waiting", "unscheduled"):
        until("its reason is shown", partial(reason_of, stack, name))
    stack.target.cancel(stack.namespace, "unscheduled")
    until("they run", lambda: all(has_started(stack, each) for each in running))
    # This takes all rights of the API: to list Jobs and pods, and to read the log of a pod.
    url = f"{stack.client.url}/k8s/logs/{stack.run_of('cancelled').job_name}"
    answer = requests.get(url, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=30)
    assert "started" in answer.json()["logs"]

    stack.target.cancel(stack.namespace, "cancelled")
    stack.cluster.delete(JOBS, stack.namespace, stack.run_of("job-deleted").job_name)
    pod = pod_of(stack, "pod-deleted")["metadata"]["name"]
    stack.kubectl("delete", "pod", pod, "--force", "--grace-period=0")

    for name in running:
        stack.wait_until_finished(name)
    # Its reason comes a second time, so that its Event is counted up.
    stack.controller.stop()
    status = {"status": {"reason": None}}
    stack.cluster.patch(TESTRUNS, stack.namespace, "waiting", status, subresource="status")
    stack.controller.start()
    wait_until_all_used(stack)
