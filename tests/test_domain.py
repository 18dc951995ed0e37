from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparktest.domain import (
    Definition,
    Failure,
    FailureClass,
    K8sRef,
    Log,
    LogState,
    Origin,
    Run,
    RunReport,
    Status,
)

CREATED_AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
# Whole milliseconds in UTC: what JSON keeps of a time.
TIMES = st.datetimes(datetime(1990, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - Hypothesis adds it
FAILURES = st.builds(
    Failure,
    class_=st.sampled_from(FailureClass),
    reason=st.text(),
    message=st.text(),
    exit_code=st.none() | st.integers(0, 255),
)
LOGS = st.builds(
    Log, state=st.sampled_from(LogState), reason=st.none() | st.text(), bytes=st.integers(0)
)
TEXTS = st.lists(st.text(), max_size=3).map(tuple)
RUNS = st.builds(
    Run,
    id=st.text(),
    name=st.text(),
    status=st.sampled_from(Status),
    origin=st.sampled_from(Origin),
    created_at=TIMES,
    commands=TEXTS,
    entrypoint=TEXTS,
    env=st.dictionaries(st.text(), st.text(), max_size=3),
    started_at=st.none() | TIMES,
    k8s_ref=st.none() | st.builds(K8sRef, namespace=st.text(), name=st.text()),
    failure=st.none() | FAILURES,
    log=LOGS,
    duration=st.none() | st.floats(0, 1e6),
)


@given(RUNS)
def test_a_run_survives_encoding_and_decoding(run: Run) -> None:
    assert msgspec.json.decode(msgspec.json.encode(run), type=Run) == run


def test_keys_are_in_camel_case_and_defaults_are_left_out() -> None:
    run = Run(
        id="1",
        name="n",
        status=Status.TIMED_OUT,
        origin=Origin.CRD,
        created_at=CREATED_AT,
        k8s_ref=K8sRef(namespace="a", name="b"),
        test_definition_id="d",
        failure=Failure(class_=FailureClass.TIMEOUT, reason="DeadlineExceeded"),
    )

    assert msgspec.to_builtins(run) == {
        "id": "1",
        "name": "n",
        "status": "timed_out",
        "origin": "crd",
        "createdAt": "2026-01-02T03:04:05Z",
        "k8sRef": {"namespace": "a", "name": "b"},
        "testDefinitionId": "d",
        "failure": {"class": "timeout", "reason": "DeadlineExceeded"},
    }


def test_unknown_fields_are_ignored() -> None:
    body = {
        "id": "1",
        "name": "n",
        "status": "pending",
        "origin": "api",
        "createdAt": "2026-01-02T03:04:05+00:00",
        "flavour": {"new": True},
    }

    assert msgspec.convert(body, Run).created_at == CREATED_AT


@pytest.mark.parametrize("value", [Run, RunReport, Definition, Failure, Log, K8sRef])
def test_values_cannot_be_changed_so_threads_may_share_them(value: type[msgspec.Struct]) -> None:
    assert value.__struct_config__.frozen


def test_a_run_only_moves_forward() -> None:
    ranks = {status: status.rank for status in Status}

    assert ranks[Status.PENDING] < ranks[Status.RUNNING] < ranks[Status.SUCCEEDED]
    for status in Status:
        assert status.final == (status.rank == 2)


def test_phases_are_those_of_the_testrun_resource() -> None:
    assert [status.phase for status in Status] == [
        "Pending",
        "Running",
        "Succeeded",
        "Failed",
        "TimedOut",
        "Cancelled",
    ]
