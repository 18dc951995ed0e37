from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparktest.cli.plugin.testrun import TestRun, parse_testrun, plain_name
from sparktest.domain import Failure, FailureClass, K8sRef, Origin, Status
from sparktest.errors import SparkTestError
from sparktest.run_fields import run_duration
from sparktest.times import format_duration

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
METADATA = {
    "name": "smoke",
    "namespace": "team-a",
    "uid": "u1",
    "creationTimestamp": "2026-01-02T03:03:05Z",
    "labels": {"team": "shop"},
}


def make_testrun(spec: dict[str, Any] | None = None, **status: Any) -> TestRun:
    return parse_testrun(
        {"metadata": METADATA, "spec": spec or {"image": "busybox"}, "status": status}
    )


def test_a_testrun_has_the_fields_of_its_run() -> None:
    spec = {
        "image": "busybox",
        "command": ["sh", "-c"],
        "args": ["true"],
        "env": {"A": "b"},
        "envFrom": [{"secretRef": {"name": "s"}}],
        "timeoutSeconds": 7,
        "serviceAccountName": "robot",
    }
    failure = {"class": "test", "reason": "Error", "message": "exit code 3", "exitCode": 3}

    testrun = make_testrun(
        spec,
        phase="TimedOut",
        runId="17",
        jobName="testrun-smoke",
        startedAt="2026-01-02T03:03:10Z",
        finishedAt="2026-01-02T03:04:10Z",
        duration="1m00s",
        failure=failure,
    )

    assert (testrun.id, testrun.name, testrun.namespace, testrun.uid) == (
        "17",
        "smoke",
        "team-a",
        "u1",
    )
    assert testrun.k8s_ref == K8sRef(namespace="team-a", name="smoke", uid="u1")
    assert (testrun.origin, testrun.status) == (Origin.CRD, Status.TIMED_OUT)
    assert testrun.created_at == datetime(2026, 1, 2, 3, 3, 5, tzinfo=UTC)
    assert testrun.started_at == datetime(2026, 1, 2, 3, 3, 10, tzinfo=UTC)
    assert testrun.finished_at == datetime(2026, 1, 2, 3, 4, 10, tzinfo=UTC)
    assert testrun.duration == 60
    assert testrun.failure == Failure(
        class_=FailureClass.TEST, reason="Error", message="exit code 3", exit_code=3
    )
    assert (testrun.entrypoint, testrun.args) == (("sh", "-c"), ("true",))
    assert (testrun.env, testrun.labels) == ({"A": "b"}, {"team": "shop"})
    assert testrun.env_from == ({"secretRef": {"name": "s"}},)
    assert (testrun.timeout_seconds, testrun.service_account_name) == (7, "robot")
    assert testrun.job_name == "testrun-smoke"


@pytest.mark.parametrize("status", Status)
def test_the_phase_is_the_status(status: Status) -> None:
    assert make_testrun(phase=status.phase).status is status


def test_a_testrun_without_a_status_is_pending_and_not_handled() -> None:
    testrun = make_testrun()

    assert (testrun.status, testrun.id, testrun.is_handled) == (Status.PENDING, "", False)
    assert make_testrun(phase="Pending").is_handled
    assert parse_testrun({"metadata": METADATA | {"finalizers": ["f"]}}).is_handled


def test_a_waiting_testrun_has_a_reason_and_a_message() -> None:
    testrun = make_testrun(phase="Pending", reason="Unschedulable", message="no node")

    assert (testrun.status_reason, testrun.status_message) == ("Unschedulable", "no node")


@pytest.mark.parametrize(
    ("spec", "subject"),
    [
        ({"definitionName": "checkout"}, "checkout"),
        ({"definitionId": "0f0e"}, "0f0e"),
        ({"image": "busybox"}, "busybox"),
    ],
)
def test_the_subject_is_a_definition_or_an_image(spec: dict[str, Any], subject: str) -> None:
    assert make_testrun(spec).subject == subject


@pytest.mark.parametrize(
    "document", [{}, {"metadata": METADATA, "spec": {"env": 3}}, {"metadata": {"name": "x"}}]
)
def test_an_object_that_the_crd_does_not_allow_is_an_error(document: dict[str, Any]) -> None:
    with pytest.raises(SparkTestError, match="cannot be read"):
        parse_testrun(document)


def test_the_duration_counts_until_the_end_or_now() -> None:
    started = "2026-01-02T03:04:00Z"

    assert run_duration(make_testrun(phase="Running", startedAt=started), NOW) == "5s"
    # It never started.
    assert run_duration(make_testrun(phase="Failed", duration="0s"), NOW) is None


@given(seconds=st.floats(0, 10**7))
def test_the_duration_is_shown_as_the_controller_wrote_it(seconds: float) -> None:
    written = format_duration(seconds)

    testrun = make_testrun(phase="Failed", startedAt="2026-01-02T03:04:00Z", duration=written)

    shown = run_duration(testrun, NOW)
    assert shown == written or (written, shown) == ("<0.1s", "<1s")


@pytest.mark.parametrize(
    "reference",
    ["smoke", "testrun.sparktest.dev/smoke", "testruns.sparktest.dev/smoke", "strun/smoke"],
)
def test_a_name_may_have_its_kind_before_it(reference: str) -> None:
    assert plain_name(reference) == "smoke"


def test_image_and_containers_come_from_the_template() -> None:
    inits = [{"name": "setup", "image": "b"}]
    template = {"spec": {"initContainers": inits, "containers": [{"name": "unit", "image": "a"}]}}

    of_template = make_testrun({"template": template})
    of_git = make_testrun({"template": template, "git": {"url": "https://git.example/a"}})
    of_both = make_testrun({"image": "short", "template": {"spec": {"initContainers": inits}}})

    assert (of_template.image, of_template.containers) == ("a", ("unit", "setup"))
    assert (of_both.image, of_both.containers) == ("short", ("test", "setup"))
    assert of_git.containers == ("unit", "sparktest-git", "setup")
    assert of_template.subject == "a"
