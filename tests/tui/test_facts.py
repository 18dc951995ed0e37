from datetime import timedelta

import pytest

from sparktest.domain import Failure, FailureClass, Log, LogState, Origin, Status
from sparktest.tui import facts
from tests.tui.fakes import NOW, changed, make_run


def everything(run):
    return dict(facts.overview(run, NOW) + facts.more(run, NOW))


def failed(run):
    why = facts.failure(run)
    assert why is not None
    return why


def test_a_pending_run_says_what_it_waits_for():
    said = everything(make_run(0))
    assert said["Waits for"] == "Unschedulable: 0/3 nodes have enough memory"
    assert said["Job"].endswith("(not created yet)")
    assert "Started" not in said


def test_the_env_is_named_and_its_values_are_not_shown():
    said = everything(make_run(2))
    assert said["Env"] == "BASE_URL, TOKEN"
    assert "do-not-show" not in str(said)


def test_the_image_of_a_run_on_a_dev_cluster_is_only_a_name():
    uid = "facade00-1111-4222-8333-444444444444"
    assert everything(make_run(2, cluster=uid))["Image"].endswith(" (named, not pulled)")
    assert "pulled" not in everything(make_run(2))["Image"]


def test_an_exec_form_and_its_sources_are_shown():
    run = make_run(
        2,
        commands=(),
        entrypoint=("pytest",),
        args=("-q", "tests"),
        env_from=({"secretRef": {"name": "db"}}, {"configMapRef": {"name": "urls"}}, {"x": 1}),
        service_account_name="tester",
        labels={"team": "web"},
    )
    said = everything(run)
    assert said["Command"] == "pytest"
    assert said["Args"] == "-q tests"
    assert said["Env from"] == "secret db, config map urls, ?"
    assert said["Account"] == "tester"
    assert said["Labels"] == "team=web"
    assert "Commands" not in said


def test_a_run_that_is_being_stopped_says_so_until_it_has():
    asked = changed(make_run(1), cancel_requested_at=NOW)
    assert "asked to stop" in facts.status(asked, NOW)
    assert "asked to stop" not in facts.status(changed(asked, status=Status.CANCELLED), NOW)


@pytest.mark.parametrize("kind", FailureClass)
def test_every_class_of_failure_has_a_meaning_of_its_own(kind):
    run = make_run(2, failure=Failure(class_=kind, reason="Evicted", message="disk pressure"))
    why = failed(run)
    assert why.headline == f"{kind} · Evicted"
    assert why.meaning
    assert why.message == "disk pressure"


def test_the_exit_code_is_in_the_headline_even_when_it_is_zero():
    failure = Failure(class_=FailureClass.TEST, reason="Error", exit_code=0)
    assert failed(make_run(2, failure=failure)).headline.endswith("exit code 0")


def test_only_a_run_that_ended_badly_failed():
    assert facts.failure(make_run(0)) is None
    assert facts.failure(make_run(3)) is None
    assert failed(make_run(2, failure=None)).headline == "failed"


def test_only_a_run_of_a_testrun_has_a_source():
    assert facts.source(make_run(2)) == [("Namespace", "team-web"), ("TestRun", "search-load-2")]
    assert facts.source(make_run(1)) == []
    assert facts.source(make_run(2, origin=Origin.API)) == []


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (make_run(0), "the container has not started"),
        (make_run(1), "No output yet"),
        (make_run(2, log=Log(state=LogState.NONE, reason="NodeLost")), "NodeLost"),
        (make_run(3), "empty"),
    ],
)
def test_an_empty_log_says_why_it_is(run, words):
    assert words in facts.empty_log(run)


def test_a_log_that_is_not_whole_says_so():
    partial = make_run(3, log=Log(state=LogState.PARTIAL, reason="NodeLost"))
    assert facts.log(partial) == "incomplete: NodeLost"
    assert facts.log(make_run(3)) == ""
    assert facts.log(make_run(1)) == "live"


def test_a_clock_that_is_behind_shows_no_negative_time():
    said = dict(facts.overview(make_run(1), NOW - timedelta(hours=1)))
    assert said["Status"] == "● running for <1s"
