from datetime import UTC, datetime
from typing import Any

import pytest

from sparktest.cli.exits import Exit
from sparktest.cli.plugin.testrun import STATUSES, TestRun, plain_name
from sparktest.domain import Status

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def told_by(phase: str | None = None, **status: Any) -> TestRun:
    given = {"phase": phase, **status} if phase else status
    return TestRun(
        {
            "metadata": {"name": "smoke", "creationTimestamp": "2026-01-02T03:03:05Z"},
            "spec": {"image": "busybox"},
            "status": given,
        }
    )


def test_the_phases_are_those_of_the_domain() -> None:
    assert {status.phase: status.value for status in Status} == STATUSES


@pytest.mark.parametrize("status", Status)
def test_what_has_ended_is_what_the_domain_calls_final(status: Status) -> None:
    assert told_by(status.phase).ended == status.final


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
def test_the_exit_code_says_how_it_ended(phase: str, kind: str | None, code: Exit) -> None:
    failure = {"class": kind, "reason": "Because"} if kind else None

    assert told_by(phase, failure=failure).exit_code() is code


def test_one_line_tells_how_it_is() -> None:
    failure = {"class": "test", "reason": "Error", "message": "exit code 3"}

    assert told_by().told() == "smoke pending"
    assert told_by("Pending", reason="Unschedulable", message="no node").told() == (
        "smoke pending: Unschedulable: no node"
    )
    assert told_by("Failed", duration="1m2s", failure=failure, reason="Error").told() == (
        "smoke failed in 1m2s: test, Error: exit code 3"
    )
    assert told_by("TimedOut").told() == "smoke timed out"


@pytest.mark.parametrize(
    "document", [{}, {"metadata": None, "spec": 3, "status": []}, {"status": {"failure": "x"}}]
)
def test_an_object_that_lacks_everything_can_be_told(document: dict[str, Any]) -> None:
    found = TestRun(document)

    assert found.told() == "None pending"
    assert (found.took(NOW), found.age(NOW), found.what) == (None, None, "")


def test_how_long_it_took_counts_until_its_end_or_now() -> None:
    started = "2026-01-02T03:04:00Z"

    assert told_by("Running", startedAt=started).took(NOW) == "5s"
    assert told_by("Succeeded", startedAt=started, duration="3s").took(NOW) == "3s"
    assert told_by("Failed").took(NOW) is None
    assert told_by().age(NOW) == "1m"


@pytest.mark.parametrize(
    "reference",
    ["smoke", "testrun.sparktest.dev/smoke", "testruns.sparktest.dev/smoke", "strun/smoke"],
)
def test_a_name_may_have_its_kind_before_it(reference: str) -> None:
    assert plain_name(reference) == "smoke"
