"""What a TestRun says is read as it was meant, even where an older schema let anything through."""

from typing import Any

import pytest

from sparktest.controller import testruns
from sparktest.kube.jobs import FINALIZER


def made(spec: Any = None, status: Any = None, **metadata: Any) -> dict[str, Any]:
    given = {"name": "smoke", "namespace": "tests", "uid": "0b1c-2d3e-4f"} | metadata
    return {"metadata": given, "spec": spec, "status": status}


def test_the_key_is_namespace_and_name_of_its_job() -> None:
    assert testruns.key_of(made()) == ("tests", "testrun-smoke-0b1c2d3e")


def test_a_body_that_registers_it_holds_what_the_run_is_made_of() -> None:
    spec = {
        "image": "busybox",
        "commands": ["true"],
        "env": {"A": "1"},
        "timeoutSeconds": 60,
        "cancelled": True,
        "unknown": 1,
        "args": None,
    }
    assert testruns.create_run_payload(made(spec), "here") == {
        "name": "smoke",
        "origin": "crd",
        "cluster": "here",
        "k8sRef": {"namespace": "tests", "name": "smoke", "uid": "0b1c-2d3e-4f"},
        "image": "busybox",
        "commands": ["true"],
        "env": {"A": "1"},
        "timeoutSeconds": 60,
    }


def test_a_name_longer_than_a_run_may_have_is_cut_and_the_reference_has_it_whole() -> None:
    body = testruns.create_run_payload(made(name="n" * 253), "here")
    assert len(body["name"]) == testruns.MAX_NAME
    assert body["k8sRef"]["name"] == "n" * 253


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        (made({"ttlSecondsAfterFinished": 0}), 0),
        (made({"ttlSecondsAfterFinished": "soon"}), None),
        (made(None), None),
        (made([]), None),
    ],
)
def test_a_ttl_is_a_number_or_there_is_none(found: dict[str, Any], wanted: int | None) -> None:
    assert testruns.ttl_seconds(found) == wanted


def test_only_a_plain_true_cancels() -> None:
    assert testruns.is_cancelled(made({"cancelled": True}))
    for value in (False, "true", 1, None):
        assert not testruns.is_cancelled(made({"cancelled": value}))


def test_only_the_annotation_true_abandons() -> None:
    assert testruns.is_abandoned(made(annotations={testruns.ABANDON: "true"}))
    for annotations in (None, {}, {testruns.ABANDON: "false"}):
        assert not testruns.is_abandoned(made(annotations=annotations))


@pytest.mark.parametrize("phase", ["Succeeded", "Failed", "TimedOut", "Cancelled"])
def test_an_end_is_recorded_once_the_status_says_so(phase: str) -> None:
    assert testruns.status_is_final(made(status={"phase": phase}))


@pytest.mark.parametrize("status", [None, {}, {"phase": "Running"}, {"phase": "Error"}, "Failed"])
def test_what_is_no_end_records_none(status: Any) -> None:
    assert not testruns.status_is_final(made(status=status))


def test_it_is_held_by_our_finalizer_only() -> None:
    assert testruns.has_finalizer(made(finalizers=["theirs", FINALIZER]))
    assert not testruns.has_finalizer(made(finalizers=["theirs"]))
    assert not testruns.has_finalizer(made(finalizers=None))


def test_one_that_somebody_asked_to_delete_is_being_deleted() -> None:
    assert testruns.is_deleting(made(deletionTimestamp="2026-11-24T12:00:00Z"))
    assert not testruns.is_deleting(made())
