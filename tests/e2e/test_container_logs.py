"""The logs of all containers of a run, and what they tell about its end."""

from typing import Any

import pytest

from sparktest.domain import FailureClass, LogState, Status
from tests.e2e.program import until
from tests.e2e.stack import IMAGE, Stack

pytestmark = pytest.mark.e2e


def shell(name: str, script: str) -> dict[str, object]:
    return {"name": name, "image": IMAGE, "command": ["sh", "-c", script]}


SERVER = shell("server", "echo listening; exec sleep 600")
# By name: a TestRun's spec.
TESTRUNS: dict[str, dict[str, Any]] = {
    # The first, because it waits for ten seconds.
    "init-hangs": {
        "commands": ["echo never"],
        "template": {"spec": {"initContainers": [shell("database", "exec sleep 600")]}},
    },
    "followed": {
        "commands": ["sleep 6"],
        "template": {"spec": {"containers": [{"name": "test"}, SERVER]}},
    },
    "containers": {
        "commands": ["echo tested; sleep 2"],
        "template": {
            "spec": {
                "initContainers": [shell("fixtures", "echo loaded")],
                "containers": [{"name": "test"}, SERVER],
            }
        },
    },
    "init-fails": {
        "commands": ["echo never"],
        "template": {
            "spec": {"initContainers": [shell("fixtures", "echo no such bucket; exit 2")]}
        },
    },
    "no-program": {"command": ["/etc/passwd"]},
    "missing-program": {"command": ["/bin/not-there"]},
    "quotes": {"commands": ["echo 'exec /bin/runner: exec format error'; exit 1"]},
}


@pytest.fixture(scope="session", autouse=True)
def testruns(stack: Stack) -> None:
    """All TestRuns of this module, started together."""
    for name, spec in TESTRUNS.items():
        stack.apply(name, **spec)


def test_the_log_of_another_container_is_followed_until_the_run_ends(stack: Stack) -> None:
    until("it is registered", lambda: "runId" in stack.testrun("followed").get("status", {}))
    run = stack.run_of("followed")
    seen, live = b"", False

    for chunk in stack.client.follow_log(run.id, container="server"):
        seen += chunk
        live = live or not stack.client.get_run(run.id).status.final

    assert (seen, live) == (b"listening\n", True)
    assert stack.client.get_run(run.id).status.final


def test_the_log_of_each_container_is_stored(stack: Stack) -> None:
    stack.wait_until_finished("containers")
    run = stack.run_of("containers")
    assert run.status is Status.SUCCEEDED
    assert run.containers == ("test", "fixtures", "server")
    logs = {name: stack.client.get_log(run.id, container=name) for name in run.containers}
    assert logs == {"test": b"tested\n", "fixtures": b"loaded\n", "server": b"listening\n"}
    assert (run.log.state, run.log.bytes) == (LogState.COMPLETE, 24)


def test_an_init_container_that_fails_is_named_with_its_last_line(stack: Stack) -> None:
    failure = stack.wait_until_finished("init-fails")["status"]["failure"]
    assert failure == {
        "class": "config",
        "reason": "Init:Error",
        "message": "init container fixtures: exit code 2: no such bucket",
        "exitCode": 2,
        "container": "fixtures",
    }
    run = stack.run_of("init-fails")
    assert stack.client.get_log(run.id, container="fixtures") == b"no such bucket\n"
    assert stack.log_of(run) == ""


@pytest.mark.parametrize("name", ["no-program", "missing-program"])
def test_a_program_that_cannot_be_executed_is_a_configuration_error(
    stack: Stack, name: str
) -> None:
    stack.wait_until_finished(name)
    failure = stack.run_of(name).failure
    assert failure is not None
    assert (failure.class_, failure.reason) == (FailureClass.CONFIG, "StartError")
    assert TESTRUNS[name]["command"][0] in failure.message


def test_a_test_that_prints_the_words_of_a_runtime_is_a_failed_test(stack: Stack) -> None:
    stack.wait_until_finished("quotes")
    failure = stack.run_of("quotes").failure
    assert failure is not None
    assert (failure.class_, failure.exit_code) == (FailureClass.TEST, 1)


def test_an_init_container_that_hangs_says_so_while_the_run_waits(stack: Stack) -> None:
    def waits() -> bool:
        status = stack.testrun("init-hangs").get("status", {})
        return bool(status.get("reason") == "Init:0/1")

    until("the run says what it waits for", waits, 30)
    message = stack.testrun("init-hangs")["status"]["message"]
    assert message == "init container database is running"
    stack.target.cancel(stack.namespace, "init-hangs")
    stack.wait_until_finished("init-hangs")
    assert stack.run_of("init-hangs").status is Status.CANCELLED
