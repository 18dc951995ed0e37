from datetime import UTC, datetime
from typing import Any

import pytest

from sparktest.cli.exits import Exit
from sparktest.cli.plugin.testrun import TestRun, plain_name
from sparktest.domain import Status

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def make_testrun(phase: str | None = None, **status: Any) -> TestRun:
    given = {"phase": phase, **status} if phase else status
    return TestRun(
        {
            "metadata": {"name": "smoke", "creationTimestamp": "2026-01-02T03:03:05Z"},
            "spec": {"image": "busybox"},
            "status": given,
        }
    )


@pytest.mark.parametrize("status", Status)
def test_a_testrun_has_ended_when_its_status_is_final(status: Status) -> None:
    assert make_testrun(status.phase).ended == status.final


@pytest.mark.parametrize(
    ("phase", "kind", "code"),
    [
        ("Succeeded", None, Exit.PASSED),
        ("Failed", "test", Exit.TEST_FAILED),
        ("Failed", "infra", Exit.INFRA),
        ("Failed", "config", Exit.INFRA),
        ("TimedOut", "timeout", Exit.TIMED_OUT),
        ("Cancelled", "cancelled", Exit.CANCELLED),
        ("Failed", None, Exit.TEST_FAILED),
    ],
)
def test_the_exit_code_depends_on_phase_and_failure_class(
    phase: str, kind: str | None, code: Exit
) -> None:
    failure = {"class": kind, "reason": "Because"} if kind else None

    assert make_testrun(phase, failure=failure).exit_code() is code


def test_the_summary_is_one_line() -> None:
    failure = {"class": "test", "reason": "Error", "message": "exit code 3"}

    assert make_testrun().summary() == "smoke pending"
    assert make_testrun("Pending", reason="Unschedulable", message="no node").summary() == (
        "smoke pending: Unschedulable: no node"
    )
    assert make_testrun("Failed", duration="1m2s", failure=failure, reason="Error").summary() == (
        "smoke failed in 1m2s: test, Error: exit code 3"
    )
    assert make_testrun("TimedOut").summary() == "smoke timed out"


@pytest.mark.parametrize(
    "document", [{}, {"metadata": None, "spec": 3, "status": []}, {"status": {"failure": "x"}}]
)
def test_an_object_without_any_field_has_a_summary(document: dict[str, Any]) -> None:
    found = TestRun(document)

    assert found.summary() == "None pending"
    assert (found.duration(NOW), found.age(NOW), found.definition) == (None, None, "")


def test_the_duration_counts_until_the_end_or_now() -> None:
    started = "2026-01-02T03:04:00Z"

    assert make_testrun("Running", startedAt=started).duration(NOW) == "5s"
    assert make_testrun("Succeeded", startedAt=started, duration="3s").duration(NOW) == "3s"
    assert make_testrun("Failed").duration(NOW) is None
    assert make_testrun().age(NOW) == "1m"


@pytest.mark.parametrize(
    "reference",
    ["smoke", "testrun.sparktest.dev/smoke", "testruns.sparktest.dev/smoke", "strun/smoke"],
)
def test_a_name_may_have_its_kind_before_it(reference: str) -> None:
    assert plain_name(reference) == "smoke"
