"""Which logs of a run are collected, and the state of all of them together."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparktest.controller.observation import Observation
from sparktest.controller.run_logs import log_state, to_collect
from sparktest.domain import Log, LogState, RunReport, Status
from sparktest.kube.outcome import CollectedLog
from sparktest.kube.pod_view import PodView
from tests.controller.objects import NOW, job, observation, pod, run

CONTAINERS = ("test", "fixtures", "proxy", "second")
RUN = run(Status.RUNNING, containers=CONTAINERS, job_uid="job-1", started_at=NOW)
STARTED = RunReport(status=Status.SUCCEEDED, started_at=NOW)
RUNNING: dict[str, Any] = {"running": {}}
WAITING: dict[str, Any] = {"waiting": {"reason": "PodInitializing"}}
ENDED: dict[str, Any] = {"terminated": {"exitCode": 1, "reason": "Error"}}
ROTATED = Log(state=LogState.PARTIAL, reason="LogRotated")
COMPLETE = Log(state=LogState.COMPLETE, bytes=3)


def a_pod(phase: str = "Pending", **states: Any) -> PodView:
    """Return a pod whose containers have these states; the sidecar is `proxy`."""
    given = [{"name": name, "state": state} for name, state in states.items()]
    plain = [each for each in given if each["name"] in ("test", "second")]
    inits = [each for each in given if each not in plain]
    sidecars = {"initContainers": [{"name": "proxy", "restartPolicy": "Always"}]}
    statuses = {"containerStatuses": plain, "initContainerStatuses": inits}
    return pod("running", spec=sidecars, phase=phase, **statuses)


def seen(
    *pods: PodView, logs: dict[str, Log] | None = None, in_progress: tuple[str, ...] = ()
) -> Observation:
    return observation(
        RUN,
        job=job(),
        pods=list(pods),
        logs={name: CollectedLog(log) for name, log in (logs or {}).items()},
        logs_in_progress=frozenset(in_progress),
    )


@pytest.mark.parametrize(
    ("phase", "states", "containers"),
    [
        ("Pending", {"fixtures": RUNNING, "test": WAITING}, ["fixtures"]),
        ("Pending", {"fixtures": ENDED, "test": WAITING}, ["fixtures"]),
        ("Pending", {"proxy": RUNNING, "test": WAITING}, ["proxy"]),
        ("Pending", {"proxy": ENDED, "test": WAITING}, []),
        (
            "Running",
            {"proxy": RUNNING, "test": RUNNING, "second": ENDED},
            ["test", "proxy", "second"],
        ),
        ("Running", {"proxy": RUNNING, "test": ENDED, "second": WAITING}, ["test", "proxy"]),
        ("Running", {"proxy": ENDED, "test": ENDED}, ["test", "proxy"]),
        ("Failed", {"fixtures": ENDED, "proxy": ENDED, "test": WAITING}, ["fixtures", "proxy"]),
        ("Running", {"test": RUNNING, "mesh": RUNNING, "mesh-init": ENDED}, ["test"]),
    ],
)
def test_the_log_of_every_container_of_the_runs_own_spec_is_read_from_its_start(
    phase: str, states: dict[str, Any], containers: list[str]
) -> None:
    assert to_collect(seen(a_pod(phase, **states)), RUN) == containers


def test_a_sidecar_that_waits_for_its_next_attempt_is_read_at_the_end_of_the_pod() -> None:
    waits = {"waiting": {"reason": "CrashLoopBackOff"}}
    status = {"name": "proxy", "state": waits, "lastState": ENDED, "restartCount": 3}
    given = {"spec": {"initContainers": [{"name": "proxy", "restartPolicy": "Always"}]}}
    for phase, expected in (("Pending", []), ("Failed", ["proxy"])):
        found = pod(
            "running", **given, phase=phase, initContainerStatuses=[status], containerStatuses=[]
        )
        assert to_collect(seen(found), RUN) == expected


def test_a_log_is_collected_once() -> None:
    found = a_pod("Running", fixtures=ENDED, proxy=RUNNING, test=RUNNING)
    assert to_collect(seen(found, in_progress=("proxy",), logs={"fixtures": COMPLETE}), RUN) == [
        "test"
    ]


def test_without_a_pod_there_is_nothing_to_collect() -> None:
    assert to_collect(seen(), RUN) == []


def test_the_logs_are_complete_if_all_are_and_their_bytes_are_added() -> None:
    found = seen(a_pod(test=ENDED), logs={"test": COMPLETE, "fixtures": COMPLETE})
    assert log_state(found, RUN, STARTED) == Log(state=LogState.COMPLETE, bytes=6)


def test_a_container_that_never_started_does_not_count() -> None:
    report = RunReport(status=Status.FAILED)
    found = seen(a_pod("Failed", test=WAITING), logs={"fixtures": COMPLETE})
    assert log_state(found, RUN, report) == COMPLETE


@pytest.mark.parametrize(
    ("logs", "state", "reason"),
    [
        ({"proxy": Log(reason="NodeLost")}, "partial", "proxy: NodeLost"),
        (
            {"proxy": Log(state=LogState.PARTIAL, reason="LogRotated", bytes=2)},
            "partial",
            "proxy: LogRotated",
        ),
        (
            {
                "test": Log(state=LogState.PARTIAL, reason="LogRotated"),
                "proxy": Log(reason="NoLog"),
            },
            "partial",
            "proxy: NoLog",
        ),
        ({"test": Log(reason="NoLog"), "proxy": Log(reason="NodeLost")}, "partial", "NoLog"),
        ({"test": Log(reason="NoLog"), "fixtures": Log(reason="x")}, "none", "NoLog"),
    ],
)
def test_the_worst_log_counts_and_the_reason_names_its_container(
    logs: dict[str, Log], state: str, reason: str
) -> None:
    found = seen(a_pod(test=ENDED), logs={"test": COMPLETE, "fixtures": COMPLETE, **logs})
    stored = log_state(found, RUN, STARTED)
    assert (stored.state.value, stored.reason) == (state, reason)


def test_a_test_that_ran_but_has_no_log_counts_as_lost() -> None:
    found = seen(a_pod(test=ENDED), logs={"fixtures": COMPLETE})
    expected = Log(state=LogState.PARTIAL, reason="PodDeleted", bytes=3)
    assert log_state(found, RUN, STARTED) == expected


def test_the_logs_of_a_deleted_pod_that_were_not_read_count_as_lost() -> None:
    found = seen(logs={"test": COMPLETE, "fixtures": COMPLETE})
    expected = Log(state=LogState.PARTIAL, reason="proxy: PodDeleted", bytes=6)
    assert log_state(found, RUN, STARTED) == expected


LOGS = st.builds(
    Log, state=st.sampled_from(LogState), reason=st.just("why"), bytes=st.integers(0, 9)
)


@given(st.dictionaries(st.sampled_from(CONTAINERS), LOGS), st.booleans())
def test_the_logs_are_complete_only_if_each_is(logs: dict[str, Log], started: bool) -> None:
    report = STARTED if started else RunReport(status=Status.FAILED)
    stored = log_state(seen(a_pod(test=ENDED), logs=logs), RUN, report)
    complete = all(log.state is LogState.COMPLETE for log in logs.values())
    assert (stored.state is LogState.COMPLETE) == (
        bool(logs) and complete and (not started or "test" in logs)
    )
    assert (stored.reason is None) == (stored.state is LogState.COMPLETE)
    assert stored.bytes == sum(log.bytes for log in logs.values())
