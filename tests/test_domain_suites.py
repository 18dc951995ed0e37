"""The status of a suite run, from its runs."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparktest.domain import Status
from sparktest.domain_suites import moved, suite_status

counts: st.SearchStrategy[dict[str, int]] = st.dictionaries(
    st.sampled_from([str(status) for status in Status]), st.integers(0, 3)
).filter(lambda found: any(found.values()))


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ("pending", "pending"),
        ("pending succeeded", "running"),
        ("running pending", "running"),
        ("failed pending", "running"),
        ("succeeded", "succeeded"),
        ("succeeded cancelled", "cancelled"),
        ("succeeded cancelled failed", "failed"),
        ("timed_out cancelled", "failed"),
    ],
)
def test_the_runs_decide_the_status(statuses: str, expected: str) -> None:
    assert suite_status(Counter(statuses.split())) == expected


@given(counts)
def test_a_suite_run_has_ended_when_all_runs_have(found: dict[str, int]) -> None:
    present = {Status(status) for status, count in found.items() if count}
    assert suite_status(found).final == all(status.final for status in present)


@given(counts)
def test_a_suite_run_succeeds_only_if_all_runs_do(found: dict[str, int]) -> None:
    present = {Status(status) for status, count in found.items() if count}
    assert (suite_status(found) is Status.SUCCEEDED) == (present == {Status.SUCCEEDED})


@given(counts, st.sampled_from(Status), st.sampled_from(Status))
def test_a_move_keeps_the_number_of_runs(
    found: dict[str, int], before: Status, after: Status
) -> None:
    found = {**found, before: found.get(before, 0) + 1}
    assert sum(moved(found, before, after).values()) == sum(found.values())
    assert moved(moved(found, before, after), after, before) == {
        status: count for status, count in found.items() if count
    }
