"""Runs whose namespace is deleted."""

from collections.abc import Callable

import pytest

from sparktest.domain import Run, Status
from sparktest.errors import ForbiddenError, NotFoundError
from sparktest.kube.resources import EVENTS, JOBS
from tests.controller.fake_environment import FakeEnvironment
from tests.controller.fake_kubernetes import NAMESPACE
from tests.controller.lifecycles import begin, only_run, status, stopped


@pytest.fixture
def environment() -> FakeEnvironment:
    return FakeEnvironment()


def why(run: Run) -> tuple[str, str]:
    assert run.failure is not None
    return run.failure.class_, run.failure.reason


def delete_job(environment: FakeEnvironment) -> None:
    environment.delete_job(only_run(environment).job_name)


def delete_testrun(environment: FakeEnvironment) -> None:
    environment.delete_testrun()


def delete_both(environment: FakeEnvironment) -> None:
    environment.delete_testrun()
    delete_job(environment)


@pytest.mark.parametrize("delete", [delete_job, delete_testrun, delete_both])
def test_a_run_of_a_deleted_namespace_names_it_whatever_was_deleted_first(
    environment: FakeEnvironment, delete: Callable[[FakeEnvironment], None]
) -> None:
    begin(environment)
    environment.cluster.terminating.add(NAMESPACE)
    delete(environment)

    run = stopped(environment)

    assert run.status is Status.FAILED
    assert why(run) == ("infra", "NamespaceDeleted")
    assert run.failure is not None
    assert run.failure.message == f"the namespace {NAMESPACE} was deleted before the run ended"
    # With a finalizer, the namespace would never be gone.
    testrun = environment.testrun()
    assert testrun is None or testrun["metadata"]["finalizers"] == []


def test_a_run_that_gets_no_job_in_a_deleted_namespace_ends_at_once(
    environment: FakeEnvironment,
) -> None:
    environment.apply()
    environment.cluster.terminating.add(NAMESPACE)

    environment.settle()

    assert why(only_run(environment)) == ("infra", "NamespaceDeleted")
    assert status(environment)["phase"] == "Failed"
    assert environment.cluster.all(JOBS) == []


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (NotFoundError('namespaces "tests" not found'), "NamespaceDeleted"),
        (ForbiddenError("User cannot create resource events"), "JobDeleted"),
    ],
    ids=["gone", "rights are gone"],
)
def test_the_end_is_reported_after_the_namespace_or_its_role_is_gone(
    environment: FakeEnvironment, answer: Exception, reason: str
) -> None:
    begin(environment)
    delete_job(environment)
    environment.cluster.create_errors[EVENTS] = answer

    environment.settle()

    assert why(only_run(environment)) == ("infra", reason)
