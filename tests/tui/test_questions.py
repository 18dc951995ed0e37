import pytest

from sparktest.domain import Status
from sparktest.kubectl import CURRENT, Target
from sparktest.tui import questions
from sparktest.tui.questions import Question
from tests.tui.fakes import NOW, changed, make_run


def asked(answer: Question | str) -> Question:
    assert isinstance(answer, Question)
    return answer


def test_a_cancel_names_the_run_and_its_command():
    question = asked(questions.cancel(make_run(1)))
    assert question.facts[0] == "login-flow-1"
    assert make_run(1).id in question.facts
    assert question.commands == [f"sparktest cancel {make_run(1).id}"]


@pytest.mark.parametrize("status", [status for status in Status if status.final])
def test_a_run_that_has_ended_is_not_cancelled(status):
    assert "has ended" in questions.cancel(changed(make_run(1), status=status))


def test_a_run_is_asked_to_stop_once():
    assert "asked to stop" in questions.cancel(changed(make_run(1), cancel_requested_at=NOW))


def test_a_delete_says_that_the_testrun_stays_and_how_to_delete_it():
    question = asked(questions.delete(make_run(2), CURRENT))
    assert "The TestRun object stays." in question.facts
    assert question.commands == ["kubectl delete testruns.sparktest.dev search-load-2 -n team-web"]
    assert (
        "--context prod" in asked(questions.delete(make_run(2), Target(context="prod"))).commands[0]
    )


def test_a_run_that_goes_on_is_not_deleted():
    assert "cancel it first" in questions.delete(make_run(1), CURRENT)
