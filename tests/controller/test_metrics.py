from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from sparktest.controller.metrics import ControllerMetrics
from sparktest.domain import Failure, FailureClass, Log, LogState, Origin, Run, Status
from sparktest.errors import NotFoundError, UnavailableError

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
PENDING = Run(id="1", name="smoke", status=Status.PENDING, origin=Origin.API, created_at=NOW)


@pytest.fixture
def metrics() -> ControllerMetrics:
    return ControllerMetrics()


def value(metrics: ControllerMetrics, name: str, /, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def changed(run: Run, **fields: Any) -> Run:
    return msgspec.structs.replace(run, **fields)


def test_reconciles_are_counted_by_result_with_their_duration(metrics: ControllerMetrics) -> None:
    metrics.reconciled(0.5, False)
    metrics.reconciled(1.5, True)
    for result in ("success", "error"):
        name = "controller_runtime_reconcile_total"
        assert value(metrics, name, controller="testrun", result=result) == 1
    errors = value(metrics, "controller_runtime_reconcile_errors_total", controller="testrun")
    seconds = value(metrics, "controller_runtime_reconcile_time_seconds_sum", controller="testrun")
    assert (errors, seconds) == (1, 2.0)


def test_requests_are_counted_by_status_and_lost_ones_as_client_go_does(
    metrics: ControllerMetrics,
) -> None:
    metrics.requested_kubernetes("https://k:6443", "GET", 200)
    metrics.requested_kubernetes("https://k:6443", "GET", None)
    for code in ("200", "<error>"):
        labels = {"code": code, "method": "GET", "host": "k:6443"}
        assert value(metrics, "rest_client_requests_total", **labels) == 1


def test_errors_of_the_api_are_counted_by_status(metrics: ControllerMetrics) -> None:
    metrics.requested_api("PUT", None)
    metrics.requested_api("PUT", NotFoundError("x"))
    metrics.requested_api("PUT", UnavailableError("x"))
    for code in ("2xx", "404", "503"):
        assert value(metrics, "sparktest_api_requests_total", code=code, method="PUT") == 1


def test_the_time_to_start_is_counted_once(metrics: ControllerMetrics) -> None:
    running = changed(PENDING, status=Status.RUNNING, started_at=NOW + timedelta(seconds=3))
    metrics.reported(PENDING, running)
    metrics.reported(running, running)
    assert value(metrics, "sparktest_run_start_seconds_count") == 1
    assert value(metrics, "sparktest_run_start_seconds_sum") == 3.0


def test_a_start_that_was_rounded_to_before_the_creation_took_no_time(
    metrics: ControllerMetrics,
) -> None:
    started = NOW - timedelta(seconds=0.4)
    metrics.reported(PENDING, changed(PENDING, status=Status.RUNNING, started_at=started))
    assert value(metrics, "sparktest_run_start_seconds_sum") == 0.0


def test_an_ended_run_is_counted_once_by_status_and_class_with_its_log(
    metrics: ControllerMetrics,
) -> None:
    failed = changed(
        PENDING,
        status=Status.FAILED,
        failure=Failure(FailureClass.INFRA, "NodeLost", "gone"),
        log=Log(state=LogState.PARTIAL, bytes=7),
    )
    metrics.reported(PENDING, failed)
    metrics.reported(failed, failed)
    counted = {"status": "failed", "class": "infra"}
    assert value(metrics, "sparktest_runs_finished_total", **counted) == 1
    assert value(metrics, "sparktest_log_bytes_stored_total") == 7
    metrics.reported(PENDING, changed(PENDING, status=Status.SUCCEEDED))
    succeeded = {"status": "succeeded", "class": ""}
    assert value(metrics, "sparktest_runs_finished_total", **succeeded) == 1


def test_the_leader_and_the_number_of_workers_have_the_names_of_controller_runtime(
    metrics: ControllerMetrics,
) -> None:
    leading = [True]
    metrics.leader("lease", lambda: leading[0])
    metrics.workers(12)
    assert value(metrics, "leader_election_master_status", name="lease") == 1
    leading[0] = False
    assert value(metrics, "leader_election_master_status", name="lease") == 0
    name = "controller_runtime_max_concurrent_reconciles"
    assert value(metrics, name, controller="testrun") == 12


def test_a_gauge_is_read_at_each_scrape(metrics: ControllerMetrics) -> None:
    values = [1.0, 2.0]
    metrics.gauge("here", "A value.", lambda: values.pop(0), name="x")
    assert value(metrics, "here", name="x") == 1.0
    assert value(metrics, "here", name="x") == 2.0


def test_runs_that_have_not_ended_are_counted_by_status(metrics: ControllerMetrics) -> None:
    runs = [PENDING, changed(PENDING, status=Status.RUNNING)]
    metrics.unfinished_runs(lambda: runs)
    assert value(metrics, "sparktest_runs", status="running") == 1
    runs.pop()
    assert value(metrics, "sparktest_runs", status="running") == 0
    assert value(metrics, "sparktest_runs", status="pending") == 1
