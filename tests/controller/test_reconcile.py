"""A reconcile runs until nothing is left to do; the state of a finished run is dropped."""

from datetime import timedelta

import pytest

from sparktest.controller import reconcile
from sparktest.controller.steps import FetchRun
from sparktest.domain import Status
from sparktest.errors import ConflictError, UnavailableError
from sparktest.kube.jobs import STOP
from tests.controller.fake_environment import FakeEnvironment
from tests.controller.lifecycles import begin, end, only_job, only_run


@pytest.fixture
def environment() -> FakeEnvironment:
    return FakeEnvironment()


def test_one_pass_goes_from_the_testrun_to_its_job(environment: FakeEnvironment) -> None:
    environment.apply()
    environment.controller.deliver()
    (key,) = environment.controller.queue
    environment.controller.reconciler.reconcile(key)
    run = only_run(environment)
    assert environment.cluster.jobs_created() == [run.job_name]
    assert run.job_uid is not None


def test_a_failed_reconcile_can_be_repeated(environment: FakeEnvironment) -> None:
    environment.apply()
    environment.controller.deliver()
    (key,) = environment.controller.queue
    environment.faults.next = [None, None, "after"]
    with pytest.raises(UnavailableError):
        environment.controller.reconciler.reconcile(key)
    environment.controller.reconciler.reconcile(key)
    assert environment.cluster.jobs_created() == [only_run(environment).job_name]


def test_the_state_of_a_finished_run_is_dropped(environment: FakeEnvironment) -> None:
    begin(environment)
    assert len(environment.controller.run_states._states) == 1
    end(environment)
    assert len(environment.controller.run_states._states) == 0
    assert environment.controller.log_collector._logs == {}


def test_a_plan_that_never_ends_is_an_error_that_names_its_steps(
    environment: FakeEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = environment.api.add()
    monkeypatch.setattr(reconcile, "plan", lambda observed, now: [FetchRun(run.id)])
    with pytest.raises(ConflictError, match=r"20 passes.*FetchRun"):
        environment.controller.reconciler.reconcile((run.namespace, run.job_name))


def test_a_test_is_stopped_while_every_call_that_the_api_may_get_hangs(
    environment: FakeEnvironment,
) -> None:
    run = begin(environment)
    controller, key = environment.controller, (run.namespace, run.job_name)
    environment.delete_testrun()
    controller.deliver()
    controller.run_states.verify_exists(key)
    with controller.bulkhead.call(("tests", "another")):
        controller.work()
        assert STOP in only_job(environment)["metadata"]["annotations"]
        assert controller.queue == {}
    assert list(controller.queue) == [key]


@pytest.mark.parametrize(
    ("seconds", "just_fetched"), [(0, True), (1, True), (2, False), (-1, False)]
)
def test_a_run_is_just_fetched_for_two_seconds_and_never_from_the_future(
    environment: FakeEnvironment, seconds: int, just_fetched: bool
) -> None:
    run = environment.api.add(status=Status.PENDING)
    key = (run.namespace, run.job_name)
    state = environment.controller.run_states.get(key)
    state.set_run(run, environment.now)
    now = environment.now + timedelta(seconds=seconds)
    assert environment.controller.reconciler.observe(key, state, now).just_fetched is just_fetched


def test_nothing_is_kept_of_a_finished_run_but_a_few_fields(environment: FakeEnvironment) -> None:
    begin(environment)
    run = end(environment)
    controller = environment.controller
    assert controller.run_states._states == {}
    assert controller.caches.get((run.namespace, run.job_name)) == (None, None, [])
    assert controller.caches.finished_ids() == {run.id: (run.namespace, run.job_name)}


def test_a_finished_run_is_not_read_again_for_a_late_event(
    environment: FakeEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(environment)
    run = end(environment)
    monkeypatch.setattr(environment.cluster, "get", None)
    environment.controller.reconciler.reconcile((run.namespace, run.job_name))
    assert environment.controller.run_states._states == {}


def test_a_change_of_a_finished_testrun_is_acknowledged(environment: FakeEnvironment) -> None:
    begin(environment)
    run = end(environment)
    environment.edit(cancelled=True)
    environment.settle()
    testrun = environment.testrun()
    assert testrun is not None
    assert testrun["status"]["observedGeneration"] == 2
    assert testrun["status"]["runId"] == run.id
    assert testrun["status"]["conditions"]
