"""Parsing of Jobs and Events, even if fields are missing or have the wrong type."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparktest.domain import Failure, FailureClass
from sparktest.kube.jobs import RUN_ID, STOP, encode_stop_reason
from sparktest.kube.pod_view import parse_pod
from sparktest.kube.views import Condition, EventView, parse_event, parse_job
from tests.kube.objects import JOB_UID, T0, a_condition, a_job, at, text

CANCEL = Failure(class_=FailureClass.CANCELLED, reason="Cancelled", message="by Ann")
OWNERS = [{"uid": "other"}, {"uid": "owner", "controller": True}]

# --- Jobs ----------------------------------------------------------------------------------------


def test_a_job_has_its_identity_owner_and_run() -> None:
    job = a_job()
    job["metadata"] |= {"ownerReferences": OWNERS, "labels": {RUN_ID: "run-1"}}
    view = parse_job(job)
    assert (view.namespace, view.name, view.uid) == ("tests", "test-run-1", JOB_UID)
    assert (view.owner_uid, view.run_id) == ("owner", "run-1")
    assert (view.created_at, view.started_at) == (T0, T0)


def test_a_job_has_the_reason_of_its_stop() -> None:
    job = a_job()
    assert parse_job(job).stop_reason is None
    job["metadata"]["annotations"][STOP] = encode_stop_reason(CANCEL)
    assert parse_job(job).stop_reason == CANCEL


def test_a_job_has_the_conditions_that_are_true() -> None:
    job = parse_job(
        a_job(
            a_condition("Complete", "False"),
            a_condition("Failed", seconds=3, reason="DeadlineExceeded", message="late"),
        )
    )
    assert job.complete is None
    assert job.failed == Condition("True", "DeadlineExceeded", "late", at(3))
    assert job.is_finished
    assert job.deadline_exceeded


def test_a_job_without_a_condition_has_not_finished() -> None:
    job = parse_job(a_job(suspend=True, ttlSecondsAfterFinished=0))
    assert not job.is_finished
    assert not job.deadline_exceeded
    assert (job.suspend, job.ttl_seconds) == (True, 0)


# --- Events --------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["lastTimestamp", "eventTime"])
def test_an_event_has_one_of_two_times(field: str) -> None:
    event = {"reason": "FailedCreate", "message": "why", field: text(3)}
    assert parse_event(event) == EventView("FailedCreate", "why", at(3))


def test_an_event_names_the_container_that_it_is_about() -> None:
    event = {"involvedObject": {"fieldPath": "spec.containers{test}"}}
    assert parse_event(event).field_path == "spec.containers{test}"
    assert parse_event({"involvedObject": {"fieldPath": 5}}).field_path == ""


# --- properties -----------------------------------------------------------------------------------

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just(text(3)),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(
                [
                    "name",
                    "uid",
                    "labels",
                    "annotations",
                    "ownerReferences",
                    "controller",
                    "deletionTimestamp",
                    "deletionGracePeriodSeconds",
                    "conditions",
                    "containerStatuses",
                    "initContainerStatuses",
                    "state",
                    "terminated",
                    "waiting",
                    "reason",
                    "exitCode",
                    "type",
                    "status",
                    RUN_ID,
                    STOP,
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["metadata", "spec", "status"]), ANYTHING))
def test_any_object_can_be_parsed(obj: dict[str, Any]) -> None:
    job, pod, event = parse_job(obj), parse_pod(obj), parse_event(obj)
    assert isinstance(job.name, str)
    assert isinstance(pod.is_terminal or pod.is_active or pod.has_log, bool)
    assert isinstance(event.message, str)
