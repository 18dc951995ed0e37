"""Events on TestRuns: one per reason, and nothing waits for them."""

from typing import cast

import pytest

from sparktest.controller import events
from sparktest.errors import ForbiddenError
from sparktest.kube.cluster import EVENTS, Cluster
from tests.controller.fake_cluster import FakeCluster
from tests.controller.faults import Faults
from tests.controller.objects import NOW, a_testrun

TESTRUN = a_testrun()


@pytest.fixture
def cluster() -> FakeCluster:
    return FakeCluster(lambda: NOW, Faults())


def warn(cluster: FakeCluster, reason: str, message: str = "") -> None:
    events.record_warning(cast("Cluster", cluster), TESTRUN, reason, message)


def test_an_event_refers_to_the_testrun_as_kubectl_describe_expects(cluster: FakeCluster) -> None:
    warn(cluster, "Unschedulable", "no node fits")
    (event,) = cluster.all(EVENTS)
    assert event["involvedObject"] == {
        "apiVersion": "sparktest.dev/v1alpha1",
        "kind": "TestRun",
        "namespace": "tests",
        "name": "smoke",
        "uid": "u",
    }
    assert (event["type"], event["reason"]) == ("Warning", "Unschedulable")
    assert event["message"] == "no node fits"
    assert event["metadata"]["namespace"] == "tests"


def test_each_reason_is_recorded_once(cluster: FakeCluster) -> None:
    for reason in ("Unschedulable", "Unschedulable", "ImagePullBackOff"):
        warn(cluster, reason)
    assert [event["reason"] for event in cluster.all(EVENTS)] == [
        "Unschedulable",
        "ImagePullBackOff",
    ]


def test_a_rejected_event_raises_nothing(cluster: FakeCluster) -> None:
    cluster.create_errors[EVENTS] = ForbiddenError("no right")
    warn(cluster, "Unschedulable")
    assert cluster.all(EVENTS) == []


def test_name_and_message_are_short_enough_for_kubernetes() -> None:
    event = events.build_event(a_testrun(name="n" * 253), "Reason", "m" * 5000, NOW)
    assert len(event["metadata"]["name"]) <= 253
    assert len(event["message"]) == 1024
    assert event["firstTimestamp"] == event["lastTimestamp"] == "2026-11-24T12:00:00Z"
