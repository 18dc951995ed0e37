import pytest

from sparktest.domain import Status
from sparktest.kubectl import Clusters, Target
from sparktest.tui.screens.confirm import Question, cancel_question, delete_question
from tests.tui.fakes import CLUSTER, KNOWN, NOW, changed, make_run


def question_of(answer: Question | str) -> Question:
    assert isinstance(answer, Question)
    return answer


def test_a_cancel_names_the_run_and_its_command():
    question = question_of(cancel_question(make_run(1)))
    assert question.details[0] == "login-flow-1"
    assert make_run(1).id in question.details
    assert question.command == f"sparktest cancel {make_run(1).id}"


@pytest.mark.parametrize("status", [status for status in Status if status.final])
def test_a_finished_run_is_not_cancelled(status):
    assert "has already ended" in cancel_question(changed(make_run(1), status=status))


def test_a_run_is_cancelled_once():
    assert "is already being cancelled" in cancel_question(
        changed(make_run(1), cancel_requested_at=NOW)
    )


def test_a_delete_explains_that_the_testrun_is_kept_and_how_to_delete_it():
    question = question_of(delete_question(make_run(2), KNOWN))
    assert "The TestRun object is kept." in question.details
    assert question.command == "kubectl delete testruns.sparktest.dev search-load-2 -n team-web"


def test_a_delete_names_the_cluster_of_the_run():
    prod = Clusters({CLUSTER: Target(context="prod")})
    question = question_of(delete_question(make_run(2), prod))
    assert question.command.endswith(" --context prod")


def test_a_delete_on_an_unknown_cluster_warns():
    warning = f"cluster {CLUSTER} is not known here"
    assert warning in question_of(delete_question(make_run(2), Clusters())).command_title
    assert warning not in question_of(delete_question(make_run(2), KNOWN)).command_title


def test_an_unfinished_run_is_not_deleted():
    assert "cancel it first" in delete_question(make_run(1), KNOWN)
