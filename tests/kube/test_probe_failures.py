"""A test that the kubelet ended for its failed probe or hook has failed, with any exit code."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparktest.domain import Failure, FailureClass, RunReport, Status
from sparktest.kube.probe_failures import EVENTS_SECONDS, add_probe_failure, needs_events_at
from sparktest.kube.views import EventView
from tests.kube.objects import a_run, at

PROBE = {"exec": {"command": ["false"]}}
HOOK = {"postStart": PROBE}
TEST = "spec.containers{test}"
PASSED = RunReport(status=Status.SUCCEEDED, started_at=at(2), finished_at=at(9))
EXIT_143 = Failure(FailureClass.TEST, "Error", "exit code 143", exit_code=143)
LIVENESS = "Liveness probe failed: no"
KILLING = "Stopping container test"
HOOK_FAILED = "FailedPostStartHook"


def template(**test: Any) -> dict[str, Any]:
    return {
        "spec": {"containers": [{"name": "db", "livenessProbe": PROBE}, {"name": "test"} | test]}
    }


def failed(failure: Failure) -> RunReport:
    return RunReport(status=Status.FAILED, started_at=at(2), finished_at=at(9), failure=failure)


def event(reason: str, message: str, seconds: float | None = 7, field: str = TEST) -> EventView:
    return EventView(reason, message, None if seconds is None else at(seconds), field)


def failure(*events: EventView, report: RunReport = PASSED) -> Failure | None:
    """Return the failure of the report after it was compared with the Events."""
    after = add_probe_failure(report, a_run(template=template()), iter(events))
    assert (after.started_at, after.finished_at) == (at(2), at(9))
    assert after.status is (Status.FAILED if after.failure else Status.SUCCEEDED)
    return after.failure


# --- when the Events are needed ------------------------------------------------------------------


@pytest.mark.parametrize(
    "test", [{"livenessProbe": PROBE}, {"startupProbe": PROBE}, {"lifecycle": HOOK}]
)
@pytest.mark.parametrize("report", [PASSED, failed(EXIT_143)])
def test_events_are_needed_some_seconds_after_a_test_with_a_probe_or_hook(test, report):
    run = a_run(template=template(**test))
    assert needs_events_at(run, report, at(10)) == at(10 + EVENTS_SECONDS)
    assert needs_events_at(run, report, None) is None


@pytest.mark.parametrize(
    "test",
    [
        {},
        {"readinessProbe": PROBE},
        {"lifecycle": {"preStop": PROBE}},
        {"livenessProbe": None, "startupProbe": {}, "lifecycle": None},
    ],
)
def test_no_events_are_needed_of_a_test_that_the_kubelet_does_not_end(test):
    assert needs_events_at(a_run(template=template(**test)), PASSED, at(10)) is None
    assert needs_events_at(a_run(), PASSED, at(10)) is None


@pytest.mark.parametrize(
    "kind", [FailureClass.CANCELLED, FailureClass.TIMEOUT, FailureClass.INFRA, FailureClass.CONFIG]
)
def test_an_end_with_another_cause_stays_as_it_is(kind):
    other = Failure(kind, "x", "y", exit_code=137)
    run = a_run(template=template(livenessProbe=PROBE))
    assert needs_events_at(run, failed(other), at(10)) is None
    assert failure(UNHEALTHY, event("Killing", KILLING), report=failed(other)) == other


# --- what they show ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "message"),
    [
        ("Unhealthy", "Liveness probe failed: HTTP probe failed with statuscode: 500"),
        ("Unhealthy", "Startup probe failed: command timed out"),
        (HOOK_FAILED, "PostStartHook failed"),
    ],
)
@pytest.mark.parametrize(("report", "code"), [(PASSED, 0), (failed(EXIT_143), 143)])
def test_a_failed_probe_or_hook_is_a_failure_of_the_test(reason, message, report, code):
    found = failure(event(reason, message), event("Killing", KILLING), report=report)
    assert found == Failure(FailureClass.TEST, reason, message, exit_code=code)


def test_the_latest_words_about_the_probe_that_failed_are_the_message():
    found = failure(
        event("Unhealthy", "Liveness probe failed: first", 3),
        event("Unhealthy", "Liveness probe failed: last\n", 6),
        event("Unhealthy", "Liveness probe failed: at no known time", None),
        event("Unhealthy", "Liveness probe failed: of another", 7, "spec.containers{db}"),
        event("Unhealthy", "Readiness probe failed: not ready", 7),
        event("Killing", KILLING),
    )
    assert found is not None
    assert found.message == "Liveness probe failed: last"


def test_a_probe_that_prints_nothing_has_failed_all_the_same():
    found = failure(event("Unhealthy", "Liveness probe failed: "), event("Killing", KILLING))
    assert found is not None
    assert found.message == "Liveness probe failed"


UNHEALTHY = event("Unhealthy", LIVENESS)


@pytest.mark.parametrize(
    "events",
    [
        [UNHEALTHY],
        [event("Killing", KILLING)],
        [event("Killing", KILLING), event("Unhealthy", "Readiness probe failed: no")],
        [event("Killing", KILLING), event("Unhealthy", "Liveness probe errored: no")],
        [event("Killing", KILLING), event("Unhealthy", LIVENESS, field="spec.containers{db}")],
        [UNHEALTHY, event("Started", KILLING)],
        [UNHEALTHY, event("Killing", KILLING, field="spec.containers{db}")],
        [UNHEALTHY, event("Killing", KILLING, field="spec.initContainers{test}")],
        [UNHEALTHY, event("Killing", KILLING, field="")],
        [UNHEALTHY, event("Killing", KILLING, seconds=10)],
    ],
)
@pytest.mark.parametrize("report", [PASSED, failed(EXIT_143)])
def test_a_test_that_the_kubelet_did_not_end_for_that_keeps_its_result(events, report):
    assert failure(*events, report=report) == failure(report=report) == report.failure


@pytest.mark.parametrize("seconds", [9, None])
def test_in_doubt_the_kubelet_ended_the_test(seconds):
    assert failure(UNHEALTHY, event("Killing", KILLING, seconds)) is not None


def test_the_test_may_be_named_by_the_annotation():
    given = template(name="main")
    given["metadata"] = {"annotations": {"kubectl.kubernetes.io/default-container": "main"}}
    field = "spec.containers{main}"
    events = [event("Unhealthy", LIVENESS, 6, field), event("Killing", KILLING, 7, field)]
    after = add_probe_failure(PASSED, a_run(template=given), events)
    assert after.status is Status.FAILED


WORDS = st.sampled_from([LIVENESS, KILLING, "PostStartHook failed"]) | st.text()
REASONS = st.sampled_from(["Killing", "Unhealthy", HOOK_FAILED, "Started"])
TIMES = st.none() | st.integers(0, 12)


@given(st.lists(st.builds(event, REASONS, WORDS, TIMES)))
def test_no_events_turn_a_failed_test_into_a_success(events):
    found = failure(*events, report=failed(EXIT_143))
    assert found is not None
    assert (found.class_, found.exit_code) == (FailureClass.TEST, 143)
