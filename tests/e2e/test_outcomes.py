"""Every outcome of a run, as users see it."""

import uuid
from typing import Any

import pytest

from sparktest.domain import FailureClass, LogState, Run, Status
from sparktest.errors import InvalidError
from sparktest.kube.resources import EVENTS, PODS, TESTRUNS
from tests.e2e.program import until
from tests.e2e.stack import IMAGE, Stack, condition

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="session", autouse=True)
def slow_failures(stack: Stack) -> None:
    """Start the runs that take long to fail before the other tests."""
    stack.apply("no-image", image=stack.target.missing_image, commands=["true"])
    stack.apply("no-account", commands=["true"], serviceAccountName="missing-account")


def test_a_failing_command_is_a_failed_test_with_its_exit_code(stack: Stack) -> None:
    stack.apply("fails", commands=["echo before; exit 7"])

    testrun = stack.wait_until_finished("fails")

    run = stack.run_of("fails")
    assert run.status is Status.FAILED
    assert run.failure is not None
    assert (run.failure.class_, run.failure.exit_code) == (FailureClass.TEST, 7)
    assert stack.log_of(run) == "before\n"
    assert testrun["status"]["phase"] == "Failed"
    assert testrun["status"]["failure"]["exitCode"] == 7
    assert testrun["status"]["finishedAt"]
    assert condition(testrun, "Succeeded") == "False"


def test_a_timeout_ends_as_timed_out_and_keeps_the_log(stack: Stack) -> None:
    stack.apply("slow", commands=["echo started; sleep 300"], timeoutSeconds=3)

    testrun = stack.wait_until_finished("slow")

    run = stack.run_of("slow")
    assert testrun["status"]["phase"] == "TimedOut"
    assert run.status is Status.TIMED_OUT
    assert run.failure is not None
    assert run.failure.class_ is FailureClass.TIMEOUT
    assert stack.log_of(run) == "started\n"
    assert run.log.state is LogState.COMPLETE


def test_an_unknown_definition_fails_with_condition_and_event(stack: Stack) -> None:
    unknown = str(uuid.uuid4())
    stack.apply("no-definition", definitionId=unknown)

    testrun = stack.wait_until_finished("no-definition")

    run = stack.run_of("no-definition")
    assert run.failure is not None
    assert (run.failure.class_, run.failure.reason) == (FailureClass.CONFIG, "DefinitionNotFound")
    assert unknown in testrun["status"]["failure"]["message"]
    assert stack.jobs_of(run) == []
    until("an Event has it", lambda: unknown in str(stack.cluster.list(EVENTS, stack.namespace)))


def test_a_definition_by_name_runs_with_its_commands(stack: Stack) -> None:
    name = f"smoke-{uuid.uuid4().hex[:8]}"
    made = stack.client.definitions.create(
        {"name": name, "image": IMAGE, "commands": ["echo $WHO"], "env": {"WHO": "definition"}}
    )
    stack.apply("by-name", definitionName=name)
    stack.apply("by-id", definitionId=made.id, env={"WHO": "testrun"})

    stack.wait_until_finished("by-name")
    stack.wait_until_finished("by-id")

    assert stack.log_of(stack.run_of("by-name")) == "definition\n"
    assert stack.log_of(stack.run_of("by-id")) == "testrun\n"


def test_env_values_are_passed_on_unchanged(stack: Stack) -> None:
    env = {"PLAIN": "a b", "DOLLARS": "$$ $(PLAIN) $PLAIN", "QUOTES": "\"'`", "UNICODE": "äöü ✓"}
    stack.apply("env", env=env, commands=[f'printf "%s\\n" "${name}"' for name in env])

    stack.wait_until_finished("env")

    assert stack.log_of(stack.run_of("env")).splitlines() == list(env.values())


def test_the_name_of_a_variable_may_hold_dots(stack: Stack) -> None:
    env = {"spring.datasource.url": "jdbc:postgresql://db/shop"}
    stack.apply("dotted-env", env=env, command=["env"])

    stack.wait_until_finished("dotted-env")

    log = stack.log_of(stack.run_of("dotted-env"))
    assert "spring.datasource.url=jdbc:postgresql://db/shop" in log.splitlines()


def test_a_comment_at_the_end_of_a_command_does_not_hide_the_next_one(stack: Stack) -> None:
    stack.apply("comment", commands=["echo one # all well", "echo two; exit 3"])

    stack.wait_until_finished("comment")

    run = stack.run_of("comment")
    assert stack.log_of(run) == "one\ntwo\n"
    assert run.failure is not None
    assert run.failure.exit_code == 3


def test_a_name_of_240_characters_runs(stack: Stack) -> None:
    name = "n" * 240
    stack.apply(name, commands=["echo long"])

    stack.wait_until_finished(name)

    run = stack.run_of(name)
    assert run.status is Status.SUCCEEDED
    assert len(stack.jobs_of(run)) == 1


def test_a_test_killed_for_memory_is_an_infra_failure(stack: Stack) -> None:
    stack.apply("hungry", **stack.target.oom_spec)

    stack.wait_until_finished("hungry")

    run = stack.run_of("hungry")
    assert run.failure is not None
    assert (run.failure.class_, run.failure.reason) == (FailureClass.INFRA, "OOMKilled")


def test_a_missing_image_is_a_configuration_failure(stack: Stack) -> None:
    testrun = stack.wait_until_finished("no-image")

    run = stack.run_of("no-image")
    assert testrun["status"]["phase"] == "Failed"
    assert run.failure is not None
    assert (run.failure.class_, run.failure.reason) == (FailureClass.CONFIG, "ImagePullBackOff")
    assert stack.target.missing_image.partition(":1/")[2] in run.failure.message
    assert run.log.state is LogState.NONE


def test_a_missing_service_account_is_a_configuration_failure(stack: Stack) -> None:
    stack.wait_until_finished("no-account")

    run = stack.run_of("no-account")
    assert run.failure is not None
    assert run.failure.class_ is FailureClass.CONFIG
    assert "missing-account" in run.failure.message


def test_an_evicted_test_that_exits_0_on_term_is_an_infra_failure(stack: Stack) -> None:
    if not stack.target.real:
        pytest.skip("the dev cluster has no eviction API")
    if stack.target.minor_version < 25:
        pytest.skip("the Job controller before 1.25 starts another pod for one that was evicted")
    stack.apply("evicted", commands=["trap 'exit 0' TERM; echo ready; while :; do sleep 0.1; done"])
    run = until("the log is stored", lambda: _with_log(stack, "evicted"))
    (pod,) = stack.cluster.list(
        PODS, stack.namespace, label_selector=f"job-name={run.job_name}"
    ).items
    name = pod["metadata"]["name"]
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}

    path = PODS.path(stack.namespace, name, "eviction")
    stack.cluster._transport.call("POST", path, body=eviction)

    stack.wait_until_finished("evicted")
    run = stack.run_of("evicted")
    assert run.failure is not None
    assert (run.failure.class_, run.failure.reason) == (FailureClass.INFRA, "Evicted")
    assert stack.log_of(run) == "ready\n"


def _with_log(stack: Stack, name: str) -> Run | None:
    if "runId" not in stack.testrun(name).get("status", {}):
        return None
    run = stack.run_of(name)
    return run if run.status is Status.RUNNING and stack.log_of(run) else None


def _refusal(stack: Stack, name: str, **spec: str) -> str:
    """Change the spec; return why that is refused, "" if it is not."""
    try:
        stack.cluster.patch(TESTRUNS, stack.namespace, name, {"spec": spec})
    except InvalidError as error:
        return error.detail
    return ""


def test_a_changed_spec_is_refused_or_gets_a_warning_event(stack: Stack) -> None:
    stack.apply("edited", commands=["sleep 3"])
    until("it is registered", lambda: "runId" in stack.testrun("edited").get("status", {}))

    refusal = _refusal(stack, "edited", image="busybox:2")

    if refusal:
        assert "image cannot change" in refusal
        return
    # Before Kubernetes 1.25 nothing refuses it.

    def warned() -> bool:
        events = stack.cluster.list(EVENTS, stack.namespace).items
        return ("SpecChanged", "edited") in {
            (event["reason"], event["involvedObject"]["name"]) for event in events
        }

    until("an Event says so", warned)
    testrun = stack.wait_until_finished("edited")
    assert testrun["status"]["observedGeneration"] == testrun["metadata"]["generation"] == 2


FALSE = {"exec": {"command": ["false"]}}
FAILING_PROBE = {**FALSE, "initialDelaySeconds": 1, "periodSeconds": 1, "failureThreshold": 1}
# The test must have set its trap before the kubelet ends it.
FAILING_HOOK = {"exec": {"command": ["sh", "-c", "sleep 1; exit 1"]}}
PASSING_PROBE = {"exec": {"command": ["true"]}, "periodSeconds": 1, "failureThreshold": 1}


def apply_with(stack: Stack, name: str, script: str, **fields: Any) -> None:
    """Create a TestRun whose container has these fields."""
    template = {"spec": {"containers": [{"name": "test", **fields}]}}
    stack.apply(name, command=["sh", "-c", script], template=template)


def test_a_test_that_is_ended_for_its_probe_or_hook_has_failed(stack: Stack) -> None:
    if not stack.target.real:
        pytest.skip("a dev cluster has no probes and hooks")
    handles_term = "trap 'exit 0' TERM; while :; do sleep 1; done"
    apply_with(stack, "liveness", handles_term, livenessProbe=FAILING_PROBE)
    apply_with(stack, "startup", handles_term, startupProbe=FAILING_PROBE)
    apply_with(stack, "hook", handles_term, lifecycle={"postStart": FAILING_HOOK})
    apply_with(stack, "healthy", "sleep 3", livenessProbe=PASSING_PROBE)
    wanted = {
        "liveness": ("Unhealthy", "Liveness probe failed"),
        "startup": ("Unhealthy", "Startup probe failed"),
        "hook": ("FailedPostStartHook", "failed"),
    }
    for name, (reason, words) in wanted.items():
        status = stack.wait_until_finished(name)["status"]
        assert (status["phase"], status["reason"]) == ("Failed", reason)
        failure = status["failure"]
        assert (failure["class"], failure["exitCode"]) == (FailureClass.TEST, 0)
        assert words in failure["message"]
    assert stack.wait_until_finished("healthy")["status"]["phase"] == "Succeeded"
