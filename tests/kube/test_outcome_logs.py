"""What the logs of a run add to its outcome."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparktest.domain import Failure, FailureClass, Log, LogState, RunReport, Status
from sparktest.kube.outcome import CollectedLog, add_log_details
from tests.kube.objects import a_run, at

SENTENCE = "exec /bin/runner: exec format error"
FAILED = Failure(FailureClass.TEST, "Error", "exit code 1", exit_code=1)
INIT = Failure(FailureClass.CONFIG, "Init:Error", "init container a: exit code 2", 2, "a")
NEVER_RUN = Failure(FailureClass.CONFIG, "StartError", SENTENCE)


def a_log(last_line: str = "", whole_text: str | None = None) -> CollectedLog:
    return CollectedLog(Log(state=LogState.COMPLETE), last_line, whole_text)


def failure_of(failure: Failure, logs: dict[str, CollectedLog], **run: Any) -> Failure | None:
    report = RunReport(status=Status.FAILED, finished_at=at(3), failure=failure)
    after = add_log_details(report, a_run(**run), logs)
    assert (after.status, after.finished_at) == (Status.FAILED, at(3))
    return after.failure


def test_a_program_that_could_not_be_executed_is_a_configuration_error():
    logs = {"test": a_log(SENTENCE, f"{SENTENCE}\n")}
    assert failure_of(FAILED, logs) == NEVER_RUN


def test_the_log_is_that_of_the_container_that_runs_the_test():
    logs = {"test": a_log("", SENTENCE), "main": a_log("", "assert 1 == 2")}
    assert failure_of(FAILED, logs, containers=("main", "test")) == FAILED
    assert failure_of(FAILED, logs, containers=("test", "main")) == NEVER_RUN


@pytest.mark.parametrize(
    ("failure", "logs"),
    [
        (FAILED, {}),
        (FAILED, {"test": a_log(SENTENCE, None)}),
        (FAILED, {"test": a_log("", "")}),
        (FAILED, {"test": a_log(SENTENCE, f"starting\n{SENTENCE}")}),
        (FAILED, {"other": a_log(SENTENCE, SENTENCE)}),
        (Failure(FailureClass.TEST, "Error", exit_code=2), {"test": a_log("", SENTENCE)}),
        (Failure(FailureClass.INFRA, "Evicted", exit_code=1), {"test": a_log("", SENTENCE)}),
        (Failure(FailureClass.TIMEOUT, "x", exit_code=1), {"test": a_log("", SENTENCE)}),
    ],
)
def test_only_the_whole_log_of_a_test_that_ended_with_1_decides(failure, logs):
    assert failure_of(failure, logs) == failure


def test_a_message_has_no_control_characters():
    logs = {"test": a_log("", "exec /bin/\x1b[31mrunner: exec format error")}
    failure = failure_of(FAILED, logs)
    assert failure == NEVER_RUN


def test_the_last_line_of_an_init_container_is_added_to_its_failure():
    failure = failure_of(INIT, {"a": a_log("no such \x1b[1mbucket"), "test": a_log("other")})
    assert failure is not None
    assert failure.message == "init container a: exit code 2: no such bucket"
    assert (failure.reason, failure.exit_code, failure.container) == ("Init:Error", 2, "a")


@pytest.mark.parametrize(
    ("failure", "logs"),
    [
        (INIT, {}),
        (INIT, {"a": a_log("")}),
        (INIT, {"a": a_log("\x1b[1m")}),
        (INIT, {"a": a_log("exit code 2")}),
        (INIT, {"test": a_log("other")}),
        (Failure(FailureClass.CONFIG, "ImagePullBackOff", "why"), {"test": a_log("x")}),
        (Failure(FailureClass.TIMEOUT, "DeadlineExceeded", "why", None, "a"), {"a": a_log("x")}),
    ],
)
def test_other_messages_stay_as_they_are(failure, logs):
    assert failure_of(failure, logs) == failure


def test_a_log_without_a_last_line_adds_nothing():
    assert failure_of(INIT, {"a": CollectedLog(Log(state=LogState.NONE))}) == INIT


@pytest.mark.parametrize("line", [" no such bucket\t", f"no such bucket{' ' * 200}!"])
def test_the_last_line_is_added_without_the_space_around_it(line):
    failure = failure_of(INIT, {"a": a_log(line)})
    assert failure is not None
    assert failure.message == f"{INIT.message}: no such bucket"


def test_a_long_last_line_is_cut():
    failure = failure_of(INIT, {"a": a_log("x" * 199 + "yz")})
    assert failure is not None
    assert failure.message == f"{INIT.message}: {'x' * 199}y"


@pytest.mark.parametrize("failure", [None, FAILED])
def test_a_report_is_otherwise_unchanged(failure):
    report = RunReport(status=Status.SUCCEEDED, started_at=at(1), failure=failure)
    assert add_log_details(report, a_run(), {"test": a_log(SENTENCE)}) == report


@given(st.text(max_size=300), st.sampled_from([FAILED, INIT]))
def test_no_log_changes_that_a_run_failed(line, failure):
    after = failure_of(failure, {"a": a_log(line, line), "test": a_log(line, line)})
    assert after is not None
    assert after.class_ in (failure.class_, FailureClass.CONFIG)
    assert len(after.message) < 300
