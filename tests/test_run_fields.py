import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sparktest.domain import Failure, FailureClass, K8sRef, Log, LogState, Origin, Run, Status
from sparktest.run_fields import (
    explain_status,
    lacks_message,
    last_line,
    pod_text,
    reason,
    run_duration,
    run_fields,
    status_text,
)

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def run(**fields: Any) -> Run:
    defaults: dict[str, Any] = {
        "id": "17",
        "name": "smoke",
        "status": Status.RUNNING,
        "origin": Origin.API,
        "created_at": NOW - timedelta(minutes=5),
        "job_name": "test-run-17",
    }
    return Run(**{**defaults, **fields})


def failure(message: str = "", exit_code: int | None = None) -> Failure:
    return Failure(class_=FailureClass.TEST, reason="Error", message=message, exit_code=exit_code)


def test_fields_without_a_value_are_left_out() -> None:
    assert list(run_fields(run(), NOW)) == [
        "Name",
        "ID",
        "Status",
        "Source",
        "Job",
        "Timeout",
        "Created",
        "Log",
    ]


CONTAINERS = [{"name": "test", "env": [{"name": "TOKEN", "value": "secret"}]}]


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ({"containers": CONTAINERS}, ""),
        (
            {
                "initContainers": [{}, {}, {"restartPolicy": "Always"}],
                "containers": [*CONTAINERS, {"name": "proxy"}],
                "volumes": [{"name": "data"}, {"name": "config"}],
                "nodeSelector": {"disk": "ssd"},
            },
            "2 init containers, 1 sidecar, 1 other container, volumes data, config, nodeSelector",
        ),
        ({"initContainers": [{}], "volumes": [{"name": "data"}]}, "1 init container, volume data"),
        ({"initContainers": "x", "volumes": [5], "containers": None}, ""),
        ([], ""),
    ],
)
def test_a_pod_is_told_by_the_names_of_its_parts(spec: Any, text: str) -> None:
    assert pod_text({"metadata": {}, "spec": spec}) == text
    assert run_fields(run(template={"spec": spec}), NOW).get("Pod", "") == text


def test_a_repository_has_its_ref_path_and_commit_but_no_password() -> None:
    git = {"url": "https://me:secret@example.org/shop.git", "ref": "main", "path": "tests"}

    fields = run_fields(run(git=git, git_commit="0123456789abcdef0123456789abcdef01234567"), NOW)

    assert fields["Git"] == "https://example.org/shop.git, main, path tests, commit 0123456789ab"
    assert run_fields(run(git={"url": "git@example.org:a/b"}), NOW)["Git"] == "git@example.org:a/b"


def test_containers_are_listed_when_there_are_several() -> None:
    assert run_fields(run(containers=("unit", "setup")), NOW)["Containers"] == "unit, setup"
    assert "Containers" not in run_fields(run(), NOW)


def test_a_rerun_names_the_known_original() -> None:
    original = run(id="0123456789abcdef", name="nightly")

    fields = run_fields(run(rerun_of=original.id), NOW, original=original)

    assert fields["Rerun of"] == "01234567 (nightly)"


def test_every_field_of_a_run_is_listed() -> None:
    fields = run_fields(
        run(
            name="night\nly",
            origin=Origin.CRD,
            k8s_ref=K8sRef(namespace="shop", name="nightly-7"),
            definition_name="nightly",
            rerun_of="16",
            image="busybox",
            commands=("echo a", "echo b"),
            entrypoint=("pytest",),
            args=("-k", "a b", "$x"),
            env={"TOKEN": "secret", "BASE_URL": "http://x"},
            env_from=({"secretRef": {"name": "db"}}, {"configMapRef": {"name": "urls"}}, {"x": 1}),
            service_account_name="tester",
            labels={"team": "web"},
            timeout_seconds=90,
            job_created=True,
            log=Log(state=LogState.PARTIAL, reason="NodeLost", bytes=12345),
        ),
        NOW,
    )

    assert fields["Name"] == "night ly"
    assert fields["Source"] == "TestRun shop/nightly-7"
    assert fields["Job"] == "shop/test-run-17"
    assert fields["Definition"] == "nightly"
    assert fields["Rerun of"] == "16"
    assert fields["Commands"] == "echo a\necho b"
    assert fields["Command"] == "pytest"
    assert fields["Args"] == "-k 'a b' '$x'"
    assert fields["Env"] == "BASE_URL, TOKEN"
    assert fields["Env from"] == "secret db, config map urls, ?"
    assert fields["Account"] == "tester"
    assert fields["Labels"] == "team=web"
    assert fields["Timeout"] == "1m30s"
    assert fields["Log"] == "partial (NodeLost), 12,345 bytes"
    assert fields["Created"].endswith("(5m ago)")


def test_the_image_of_a_run_on_a_dev_cluster_is_marked_as_a_name() -> None:
    uid = "facade00-1111-4222-8333-444444444444"

    assert run_fields(run(image="busybox", cluster=uid), NOW)["Image"] == (
        "busybox (named, not pulled)"
    )
    assert run_fields(run(image="busybox", cluster=str(uuid.uuid4())), NOW)["Image"] == "busybox"


def test_a_job_that_does_not_exist_yet_is_marked() -> None:
    assert run_fields(run(), NOW)["Job"] == "default/test-run-17 (not created yet)"
    assert run_fields(run(job_uid="u"), NOW)["Job"] == "default/test-run-17"
    assert "Job" not in run_fields(run(job_name=""), NOW)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"started_at": NOW - timedelta(seconds=12)}, "running for 12s"),
        ({"status": Status.TIMED_OUT, "duration": 3.2}, "timed out after 3s"),
        ({"status": Status.PENDING, "cancel_requested_at": NOW}, "pending, cancellation requested"),
        ({"status": Status.CANCELLED, "cancel_requested_at": NOW}, "cancelled"),
    ],
)
def test_the_status_shows_the_duration_and_a_requested_cancellation(
    fields: dict[str, Any], text: str
) -> None:
    assert status_text(run(**fields), NOW) == text


def test_the_duration_counts_until_the_end_or_until_now() -> None:
    pending = run(status=Status.PENDING)
    later = NOW + timedelta(seconds=72)

    assert run_duration(pending, later) is None
    assert run_duration(run(started_at=NOW), later) == "1m12s"
    assert run_duration(run(started_at=NOW, finished_at=NOW + timedelta(seconds=2)), later) == "2s"
    assert run_duration(run(duration=0.4), later) == "0.4s"


def test_a_pending_run_shows_what_it_waits_for() -> None:
    waiting = run(status_reason="Unschedulable", status_message="0/1 nodes")

    assert explain_status(waiting) == "Unschedulable: 0/1 nodes"
    assert reason(waiting) == "Unschedulable"
    assert explain_status(run()) == ""
    assert reason(run()) is None


@pytest.mark.parametrize(
    ("failed", "text"),
    [
        (failure("no shop", 7), "test, Error: no shop"),
        (failure("exit code 7: no shop", 7), "test, Error: exit code 7: no shop"),
        (failure("", None), 'test, Error; last line of the log: "3 failed"'),
        (failure("", 0), 'test, Error: exit code 0; last line of the log: "3 failed"'),
        (failure("exit code 7", 7), 'test, Error: exit code 7; last line of the log: "3 failed"'),
    ],
)
def test_the_last_line_of_the_log_is_shown_when_there_is_no_message(
    failed: Failure, text: str
) -> None:
    ended = run(status=Status.FAILED, failure=failed)

    assert run_fields(ended, NOW, last_log_line="3 failed")["Why"] == text
    assert lacks_message(failed) == ("3 failed" in text)
    assert reason(ended) == "Error"


@pytest.mark.parametrize(
    ("log", "line"),
    [
        (b"", ""),
        (b"\n \n", ""),
        (b"one\ntwo\n\n", "two"),
        (b"one\n\x1b[31m  red\x1b[0m", "red"),
        (b"a\xff", "a�"),
    ],
)
def test_the_last_line_of_a_log_is_not_blank_and_safe_to_show(log: bytes, line: str) -> None:
    assert last_line(log) == line
