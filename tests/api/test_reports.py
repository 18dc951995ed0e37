"""Reports only move a run forward."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparktest.api.reports import MAX_MESSAGE, changes
from sparktest.domain import LogState, Status
from sparktest.errors import OffsetError

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


def run(**columns):
    return {
        "status": "pending",
        "status_reason": None,
        "status_message": None,
        "job_uid": None,
        "started_at": None,
        "git_commit": None,
        "finished_at": None,
        "failure": None,
        "log_state": "none",
        "log_reason": None,
        "log_bytes": 0,
    } | columns


@given(before=st.sampled_from(Status), after=st.sampled_from(Status))
def test_a_status_never_moves_back_and_a_final_one_never_changes(before, after):
    changed = changes(run(status=before.value), {"status": after.value}, NOW)
    if before.final or after.rank < before.rank:
        assert changed == {}
    else:
        assert changed.get("status", before) == after


def test_the_first_job_and_the_first_start_are_kept():
    reported = {"status": "running", "job_uid": "second", "started_at": NOW}
    assert changes(run(status="running", job_uid="first", started_at=NOW), reported, NOW) == {}


def test_a_run_does_not_end_before_it_starts():
    reported = {"status": "succeeded", "started_at": NOW, "finished_at": NOW - timedelta(seconds=1)}
    assert changes(run(), reported, NOW)["finished_at"] == NOW


def test_a_success_has_no_failure():
    failure = {"class": "test", "reason": "Error", "message": ""}
    assert "failure" not in changes(run(), {"status": "succeeded", "failure": failure}, NOW)


def test_messages_are_truncated():
    reported = {"status": "pending", "status_message": "x" * (MAX_MESSAGE + 1)}
    assert len(changes(run(), reported, NOW)["status_message"]) == MAX_MESSAGE


@pytest.mark.parametrize("state", ["partial", "complete"])
@pytest.mark.parametrize("status", ["running", "succeeded"])
def test_a_report_of_a_log_of_which_less_is_stored_is_refused(status, state):
    report = {"status": "succeeded", "log": {"state": state, "bytes": 9}}
    with pytest.raises(OffsetError) as raised:
        changes(run(status=status, log_bytes=8), report, NOW)
    assert raised.value.stored == 8
    assert changes(run(status=status, log_bytes=9), report, NOW)["log_state"] == state


@pytest.mark.parametrize("before", LogState)
@pytest.mark.parametrize("after", LogState)
def test_after_the_end_the_log_only_becomes_more_complete(before, after):
    order = [LogState.NONE, LogState.PARTIAL, LogState.COMPLETE]
    ended = run(status="failed", log_state=before.value)
    changed = changes(ended, {"status": "failed", "log": {"state": after.value}}, NOW)
    assert changed == (
        {"log_state": after.value} if order.index(after) > order.index(before) else {}
    )
