from datetime import UTC, datetime, timedelta
from typing import cast

import pytest

from sparktest.controller.events import record_event
from sparktest.controller.testruns import build_warning_event, parse_testrun
from sparktest.errors import ForbiddenError
from sparktest.kube.cluster import Cluster
from sparktest.kube.resources import EVENTS
from tests.controller.fake_cluster import FakeCluster, Object
from tests.controller.faults import Faults

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
TESTRUN = parse_testrun(
    {"metadata": {"name": "smoke", "namespace": "tests", "uid": "u-1", "resourceVersion": "1"}}
)


@pytest.fixture
def fake() -> FakeCluster:
    return FakeCluster(lambda: NOW, Faults())


def record(fake: FakeCluster, reason: str, message: str, minutes: int = 0, *, again: bool) -> None:
    event = build_warning_event(TESTRUN, reason, message, NOW + timedelta(minutes=minutes))
    record_event(cast("Cluster", fake), event, again=again)


def only(fake: FakeCluster) -> Object:
    (event,) = fake.all(EVENTS)
    return event


def test_a_reason_that_comes_again_is_counted_up_with_its_last_message(fake: FakeCluster) -> None:
    record(fake, "ImagePullBackOff", "x", again=True)
    record(fake, "Unschedulable", "0/3 nodes", again=True)
    record(fake, "Unschedulable", "0/2 nodes", 5, again=True)
    record(fake, "Unschedulable", "0/1 nodes", 9, again=True)
    other, event = fake.all(EVENTS)
    assert other["count"] == 1
    assert (event["count"], event["message"]) == (3, "0/1 nodes")
    assert event["firstTimestamp"] == "2026-11-28T12:00:00Z"
    assert event["lastTimestamp"] == "2026-11-28T12:09:00Z"


def test_what_happens_once_is_not_counted_up(fake: FakeCluster) -> None:
    for minutes in range(3):
        record(fake, "SpecChanged", "no effect", minutes, again=False)
    assert only(fake)["count"] == 1


def test_reasons_are_recorded_apart(fake: FakeCluster) -> None:
    for reason in ("Unschedulable", "ImagePullBackOff"):
        record(fake, reason, "x", again=True)
    assert {event["reason"] for event in fake.all(EVENTS)} == {"Unschedulable", "ImagePullBackOff"}


def test_an_event_that_expired_meanwhile_is_left(
    fake: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(fake, "Unschedulable", "x", again=True)
    gone = FakeCluster(lambda: NOW, Faults())
    monkeypatch.setattr(fake, "list", gone.list)
    record(fake, "Unschedulable", "y", again=True)
    assert only(fake)["count"] == 1


def test_an_event_that_cannot_be_created_is_an_error(fake: FakeCluster) -> None:
    fake.create_errors[EVENTS] = ForbiddenError("no right")
    with pytest.raises(ForbiddenError):
        record(fake, "Unschedulable", "x", again=True)
