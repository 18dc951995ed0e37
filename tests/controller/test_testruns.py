"""Parsing of TestRuns of any shape, and what is built from them."""

from typing import Any

import pytest

from sparktest.controller import testruns
from sparktest.controller.testruns import (
    build_warning_event,
    create_run_payload,
    parse_cached_testrun,
    parse_testrun,
)
from sparktest.domain import MAX_NAME_LENGTH
from sparktest.kube.jobs import FINALIZER
from tests.controller.objects import NOW


def made(spec: Any = None, status: Any = None, **metadata: Any) -> testruns.TestRunView:
    given = {"name": "smoke", "namespace": "tests", "uid": "0b1c-2d3e-4f"} | metadata
    return parse_testrun({"metadata": given, "spec": spec, "status": status})


def test_the_key_is_namespace_and_job_name() -> None:
    assert made().key == ("tests", "testrun-smoke-0b1c2d3e")


def test_the_payload_has_only_the_fields_of_a_run() -> None:
    spec = {
        "image": "busybox",
        "commands": ["true"],
        "env": {"A": "1"},
        "timeoutSeconds": 60,
        "cancelled": True,
        "unknown": 1,
        "args": None,
    }
    assert create_run_payload(made(spec), "here", None) == {
        "name": "smoke",
        "origin": "crd",
        "cluster": "here",
        "k8sRef": {"namespace": "tests", "name": "smoke", "uid": "0b1c-2d3e-4f"},
        "image": "busybox",
        "commands": ["true"],
        "env": {"A": "1"},
        "timeoutSeconds": 60,
    }


def test_a_name_that_is_too_long_for_a_run_is_truncated_except_in_the_reference() -> None:
    payload = create_run_payload(made(name="n" * 253), "here", None)
    assert len(payload["name"]) == MAX_NAME_LENGTH
    assert payload["k8sRef"]["name"] == "n" * 253


def test_a_cache_keeps_neither_spec_nor_labels_of_a_finished_testrun_but_its_ttl() -> None:
    spec, labels = {"image": "busybox", "ttlSecondsAfterFinished": 5}, {"team": "shop"}
    testrun = {"metadata": {"name": "smoke", "labels": labels}, "spec": spec}
    assert parse_cached_testrun(testrun).spec == spec
    assert parse_cached_testrun(testrun).labels == labels
    finished = parse_cached_testrun(testrun | {"status": {"phase": "Failed"}})
    assert (finished.spec, finished.labels, finished.ttl_seconds) == ({}, {}, 5)


@pytest.mark.parametrize(
    ("spec", "ttl_seconds"),
    [
        ({"ttlSecondsAfterFinished": 0}, 0),
        ({"ttlSecondsAfterFinished": "soon"}, None),
        ({"ttlSecondsAfterFinished": True}, None),
        (None, None),
        ([], None),
    ],
)
def test_a_ttl_is_an_integer_or_none(spec: Any, ttl_seconds: int | None) -> None:
    assert made(spec).ttl_seconds == ttl_seconds


def test_only_true_cancels() -> None:
    assert made({"cancelled": True}).is_cancelled
    for value in (False, "true", 1, None):
        assert not made({"cancelled": value}).is_cancelled


def test_only_the_annotation_true_abandons() -> None:
    assert made(annotations={testruns.ABANDON: "true"}).is_abandoned
    for annotations in (None, {}, {testruns.ABANDON: "false"}, "true"):
        assert not made(annotations=annotations).is_abandoned


@pytest.mark.parametrize("phase", ["Succeeded", "Failed", "TimedOut", "Cancelled"])
def test_a_status_with_a_final_phase_is_final(phase: str) -> None:
    assert made(status={"phase": phase}).status_is_final


@pytest.mark.parametrize(
    "status", [None, {}, {"phase": "Running"}, {"phase": "Error"}, {"phase": []}, "Failed"]
)
def test_any_other_status_is_not_final(status: Any) -> None:
    assert not made(status=status).status_is_final


def test_only_the_finalizer_of_sparktest_counts() -> None:
    assert made(finalizers=["theirs", FINALIZER]).has_finalizer
    for finalizers in (["theirs"], None, FINALIZER):
        assert not made(finalizers=finalizers).has_finalizer


def test_a_testrun_with_a_deletion_timestamp_is_being_deleted() -> None:
    assert made(deletionTimestamp="2026-11-24T12:00:00Z").is_deleting
    assert not made().is_deleting


@pytest.mark.parametrize("obj", [{}, {"metadata": []}, {"metadata": {"name": 7, "uid": None}}])
def test_an_object_without_a_usable_field_can_be_parsed(obj: dict[str, Any]) -> None:
    view = parse_testrun(obj)
    assert (view.name, view.uid, view.finalizers) == ("", "", ())


# --- Events --------------------------------------------------------------------------------------


def test_an_event_refers_to_the_testrun_as_kubectl_describe_expects() -> None:
    event = build_warning_event(made(), "Unschedulable", "no node fits", NOW)
    assert event["involvedObject"] == {
        "apiVersion": "sparktest.dev/v1alpha1",
        "kind": "TestRun",
        "namespace": "tests",
        "name": "smoke",
        "uid": "0b1c-2d3e-4f",
    }
    assert (event["type"], event["reason"]) == ("Warning", "Unschedulable")
    assert event["message"] == "no node fits"
    assert event["metadata"]["namespace"] == "tests"
    assert event["firstTimestamp"] == event["lastTimestamp"] == "2026-11-24T12:00:00Z"


def test_name_and_message_of_an_event_are_short_enough_for_kubernetes() -> None:
    event = build_warning_event(made(name="n" * 253), "Reason", "m" * 5000, NOW)
    assert len(event["metadata"]["name"]) <= 253
    assert len(event["message"]) == 1024


def test_the_labels_of_a_testrun_are_registered() -> None:
    labels = {"team": "shop", "empty": "", f"{'p' * 253}/{'n' * 63}": "v"}
    assert create_run_payload(made(labels=labels), "here", None)["labels"] == labels
    assert "labels" not in create_run_payload(made(), "here", None)


@pytest.mark.parametrize(
    "labels", ["team", [], {"team": 5}, {"": "x"}, {"k" * 318: "x"}, {"team": "x" * 254}]
)
def test_labels_that_a_run_cannot_have_are_left_out(labels: Any) -> None:
    assert create_run_payload(made(labels=labels), "here", None) == create_run_payload(
        made(), "here", None
    )


def test_of_too_many_labels_the_first_are_registered() -> None:
    labels = {f"label-{number:04}": "" for number in reversed(range(2000))}
    assert list(made(labels=labels).labels) == [f"label-{number:04}" for number in range(1000)]
