"""Per-run state between reconciles."""

from datetime import timedelta

import pytest

from sparktest.controller.observation import Registration
from sparktest.controller.run_states import RunState, RunStates
from sparktest.domain import Run, RunReport, Status
from tests.controller.objects import NOW, run

KEY = ("default", "testrun-smoke-1")


REPORT = RunReport(status=Status.RUNNING)


@pytest.mark.parametrize(
    ("after", "last_report"),
    [
        (run(version=2), REPORT),
        (run(version=3), REPORT),
        (run(version=1), None),
        (run(id="run-2", version=3), None),
    ],
)
def test_an_older_version_or_another_run_gets_every_report_again(
    after: Run, last_report: RunReport | None
) -> None:
    state = RunState()
    state.set_run(run(version=2), NOW)
    state.last_report = REPORT
    state.set_run(after, NOW)
    assert (state.run, state.last_report) == (after, last_report)


def test_the_same_version_read_again_updates_the_time() -> None:
    state, later = RunState(), NOW + timedelta(seconds=9)
    state.set_run(run(), NOW)
    state.set_run(run(), later)
    assert state.run_fetched_at == later


def test_another_run_of_the_same_key_replaces_the_old_one_of_any_version() -> None:
    state = RunState()
    state.set_run(run(version=9), NOW)
    state.set_run(run(id="run-2", version=1), NOW)
    assert state.run == run(id="run-2", version=1)


def test_the_uid_of_the_job_is_kept_before_the_api_has_it() -> None:
    state = RunState()
    state.job_uid = "job-1"
    state.set_run(run(), NOW)
    assert state.job_uid == "job-1"
    state.set_run(run(job_uid="job-2", version=2), NOW)
    assert state.job_uid == "job-2"


def test_a_run_that_the_api_does_not_have_is_cleared() -> None:
    state = RunState()
    state.set_run(run(), NOW)
    assert state.registration is Registration.REGISTERED
    state.clear_run(Registration.DELETED)
    assert (state.run, state.registration) == (None, Registration.DELETED)


@pytest.mark.parametrize(
    ("back", "discards"),
    [(run(), False), (run(version=2), False), (run(version=0), True), (run(id="run-2"), True)],
)
def test_the_logs_of_a_run_that_comes_back_are_collected_again_only_if_it_is_another_or_older(
    back: Run, discards: bool
) -> None:
    state = RunState()
    state.set_run(run(), NOW)
    state.discard_logs = False
    state.clear_run(Registration.NOT_FOUND)
    state.clear_run(Registration.NOT_FOUND)
    state.set_run(back, NOW)
    assert state.discard_logs is discards


def test_waiting_counts_from_the_last_change_of_its_reason() -> None:
    state, later = RunState(), NOW + timedelta(seconds=9)
    assert state.track_waiting(None, NOW) is None
    assert state.track_waiting("pull", NOW) == NOW
    assert state.track_waiting("pull", later) == NOW
    assert state.track_waiting("config", later) == later
    assert state.track_waiting(None, later) is None


def test_an_end_counts_from_when_it_was_first_seen() -> None:
    state, later = RunState(), NOW + timedelta(seconds=9)
    assert state.track_end(False, NOW) is None
    assert state.track_end(True, NOW) == NOW
    assert state.track_end(True, later) == NOW
    assert state.track_end(False, later) is None
    assert state.track_end(True, later) == later


def test_an_update_is_true_only_for_a_new_or_newer_run() -> None:
    run_states = RunStates()
    found = run(version=2)
    assert run_states.update(found, NOW)
    assert not run_states.update(found, NOW)
    assert run_states.update(run(version=3), NOW)
    assert run_states.update(run(Status.RUNNING, version=3), NOW)
    assert run_states.update(run(id="run-2"), NOW)


def test_a_polled_run_that_is_older_than_before_is_read_again_before_it_counts() -> None:
    run_states = RunStates()
    run_states.update(run(version=2), NOW)
    assert run_states.update(run(version=1), NOW)
    state = run_states.get(KEY)
    assert (state.run, state.verify_exists, state.run_fetched_at) == (run(version=2), True, None)


def test_unfinished_runs_are_listed() -> None:
    run_states = RunStates()
    run_states.update(run(), NOW)
    run_states.update(run(Status.SUCCEEDED, id="run-2", job_name="other"), NOW)
    run_states.get(("tests", "asked-for-and-nothing-known"))
    assert run_states.unfinished() == {KEY: run()}


def test_a_removed_state_is_gone() -> None:
    run_states = RunStates()
    run_states.update(run(), NOW)
    run_states.verify_exists(KEY)
    assert run_states.get(KEY).verify_exists
    run_states.remove(KEY)
    assert run_states._states == {}
    assert run_states.get(KEY).run is None
    run_states.remove(("tests", "unknown"))
