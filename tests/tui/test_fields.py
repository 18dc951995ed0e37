from datetime import timedelta

import pytest

from sparktest.domain import Failure, FailureClass, Log, LogState, Origin
from sparktest.run_fields import run_fields
from sparktest.tui import fields
from tests.tui.fakes import NOW, make_run


def all_fields(run):
    overview, rest = fields.field_rows(run, NOW)
    return dict(overview + rest)


def failure_of(run, last_log_line=""):
    failure = fields.failure_text(run, last_log_line)
    assert failure is not None
    return failure


def test_a_pending_run_shows_what_it_waits_for():
    shown = all_fields(make_run(0))
    assert shown["Waits for"] == "Unschedulable: 0/3 nodes have enough memory"
    assert shown["Job"].endswith("(not created yet)")
    assert "Started" not in shown


def test_every_field_of_a_run_is_shown_once_without_env_values():
    run = make_run(2)
    overview, rest = fields.field_rows(run, NOW)
    labels = [label for label, _ in overview + rest]
    assert sorted(labels) == sorted(set(run_fields(run, NOW)) - set(fields.OMITTED))
    assert [label for label, _ in overview] == ["Status", "ID", "Definition", "Job"]
    assert dict(rest)["Env"] == "BASE_URL, TOKEN"
    assert "do-not-show" not in str(rest)


def test_a_rerun_names_the_run_that_it_repeats():
    run = make_run(2, rerun_of=make_run(3).id)
    overview, _ = fields.field_rows(run, NOW, make_run(3))
    assert dict(overview)["Rerun of"] == "5eed0003 (payments-contract-3)"


@pytest.mark.parametrize("kind", FailureClass)
def test_every_class_of_failure_has_an_explanation(kind):
    failure = failure_of(make_run(2, failure=Failure(class_=kind, reason="Evicted")))
    assert failure.headline == f"{kind} · Evicted"
    assert failure.explanation
    assert failure.message == ""


@pytest.mark.parametrize(
    ("kind", "explained"),
    [
        (FailureClass.TEST, True),
        (FailureClass.INFRA, True),
        (FailureClass.CONFIG, True),
        (FailureClass.TIMEOUT, False),
        (FailureClass.CANCELLED, False),
    ],
)
def test_the_message_of_a_timeout_or_a_cancellation_replaces_the_explanation(kind, explained):
    run = make_run(2, failure=Failure(class_=kind, reason="Evicted", message="disk pressure"))
    failure = failure_of(run)
    assert bool(failure.explanation) == explained
    assert failure.message == "disk pressure"


def test_the_exit_code_is_in_the_headline_even_when_it_is_zero():
    failure = Failure(class_=FailureClass.TEST, reason="Error", exit_code=0)
    assert failure_of(make_run(2, failure=failure)).headline.endswith("exit code 0")


def test_only_an_unsuccessful_run_has_a_failure():
    assert fields.failure_text(make_run(0)) is None
    assert fields.failure_text(make_run(3)) is None
    assert failure_of(make_run(2, failure=None)).headline == "failed"


def test_only_a_run_of_a_testrun_has_a_source():
    assert fields.source_rows(make_run(2)) == [
        ("Namespace", "team-web"),
        ("TestRun", "search-load-2"),
    ]
    assert fields.source_rows(make_run(1)) == []
    assert fields.source_rows(make_run(2, origin=Origin.API)) == []


@pytest.mark.parametrize(
    ("run", "text"),
    [
        (make_run(0), "the container has not started"),
        (make_run(1), "No output yet"),
        (make_run(2, log=Log(state=LogState.NONE, reason="NodeLost")), "NodeLost"),
        (
            make_run(2, log=Log(state=LogState.NONE, reason="NotStarted")),
            "No log: the container never started",
        ),
        (make_run(2, log=Log(state=LogState.NONE)), "No log was stored."),
        (make_run(3), "empty"),
    ],
)
def test_an_empty_log_shows_why(run, text):
    assert text in fields.empty_log_text(run)


def test_an_empty_log_names_the_init_container_that_failed():
    failure = Failure(class_=FailureClass.CONFIG, reason="Init:Error", container="clone")
    run = make_run(2, failure=failure, started_at=None)
    assert "t shows the log of clone" in fields.empty_log_text(run)


def test_an_incomplete_log_shows_its_reason():
    partial = make_run(3, log=Log(state=LogState.PARTIAL, reason="NodeLost"))
    assert fields.log_state(partial, is_empty=False) == "incomplete: NodeLost"
    assert fields.log_state(make_run(3), is_empty=False) == ""
    assert fields.log_state(make_run(1), is_empty=True) == "live"


def test_another_containers_log_has_no_state_of_its_own():
    ended = make_run(3, log=Log(state=LogState.NONE, reason="NodeLost"))
    assert fields.log_state(ended, is_empty=False, container="setup") == ""
    assert fields.empty_log_text(ended, "setup") == "No output of setup."
    assert fields.log_state(make_run(0), is_empty=True, container="setup") == "live"
    assert fields.empty_log_text(make_run(0), "setup") == "No output yet."


def test_a_run_of_several_containers_names_the_one_whose_log_is_shown():
    run = make_run(3, containers=("unit", "setup", "proxy"))
    assert fields.container_text(run, None) == "unit (1 of 3, t: next)"
    assert fields.container_text(run, "proxy") == "proxy (3 of 3, t: next)"
    assert fields.container_text(make_run(3), None) == ""


def test_the_reason_for_no_log_is_in_the_state_only_where_lines_are_shown():
    run = make_run(3, log=Log(state=LogState.NONE, reason="NodeLost"))
    assert fields.log_state(run, is_empty=False) == "none stored: NodeLost"
    assert fields.log_state(run, is_empty=True) == ""


def test_a_clock_that_is_behind_shows_no_negative_duration():
    overview, _ = fields.field_rows(make_run(1), NOW - timedelta(hours=1))
    assert dict(overview)["Status"] == "● running for <1s"


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("exit code 1", "last line of the log: assert 1 == 2"),
        ("", "last line of the log: assert 1 == 2"),
        ("exit code 1: out of disk", "out of disk"),
        ("disk pressure", "disk pressure"),
    ],
)
def test_the_exit_code_is_shown_once_and_the_last_line_of_the_log_where_there_is_no_message(
    message, shown
):
    failure = Failure(class_=FailureClass.TEST, reason="Error", exit_code=1, message=message)
    text = failure_of(make_run(2, failure=failure), "assert 1 == 2")
    assert text.headline == "test · Error · exit code 1"
    assert text.message == shown


def test_without_a_message_and_a_log_only_the_headline_is_shown():
    failure = Failure(class_=FailureClass.TEST, reason="Error", exit_code=1, message="exit code 1")
    assert failure_of(make_run(2, failure=failure)).message == ""
