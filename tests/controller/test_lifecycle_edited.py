"""A spec that is changed after its run was started, where the API server does not refuse that."""

import pytest

from sparktest.kube.resources import EVENTS
from tests.controller.fake_environment import FakeEnvironment
from tests.controller.lifecycles import begin, end, status, stopped, warnings


@pytest.fixture
def environment() -> FakeEnvironment:
    return FakeEnvironment()


def test_a_change_during_the_run_gets_one_warning_and_has_no_effect(
    environment: FakeEnvironment,
) -> None:
    run = begin(environment)
    environment.edit(image="other:1")
    environment.settle()
    environment.restart()
    environment.settle()

    assert warnings(environment) == ["SpecChanged"]
    (event,) = environment.cluster.all(EVENTS)
    assert "generation 2" in event["message"]
    assert status(environment)["observedGeneration"] == 2
    assert end(environment).image == run.image
    assert warnings(environment) == ["SpecChanged"]


def test_a_change_after_the_end_gets_one_warning(environment: FakeEnvironment) -> None:
    begin(environment)
    end(environment)
    ended = status(environment)
    environment.edit(image="other:1")
    environment.settle()

    assert warnings(environment) == ["SpecChanged"]
    assert status(environment) == ended | {"observedGeneration": 2}
    writes = len(environment.cluster.writes)
    environment.restart()
    environment.settle()
    assert len(environment.cluster.writes) == writes


def test_each_change_gets_a_warning(environment: FakeEnvironment) -> None:
    begin(environment)
    for image in ("other:1", "other:2"):
        environment.edit(image=image)
        environment.settle()
    assert warnings(environment) == ["SpecChanged"] * 2


@pytest.mark.parametrize("cancelled", [True, False])
@pytest.mark.parametrize("deleted", [True, False])
def test_neither_a_cancel_nor_a_delete_is_a_change(
    environment: FakeEnvironment, cancelled: bool, deleted: bool
) -> None:
    begin(environment)
    if cancelled:
        environment.edit(cancelled=True)
    if deleted:
        environment.delete_testrun()
    stopped(environment)
    assert warnings(environment) == []


def test_a_change_before_the_controller_starts_the_run_counts_as_part_of_its_spec(
    environment: FakeEnvironment,
) -> None:
    environment.apply()
    environment.edit(image="other:1")
    environment.settle()
    assert warnings(environment) == []
    assert environment.api.runs.popitem()[1].image == "other:1"
