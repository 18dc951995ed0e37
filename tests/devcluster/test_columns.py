"""Printer columns: durations, ages, and the STATUS of a pod."""

from datetime import UTC, datetime
from typing import Any

import pytest

from sparktest.devcluster.columns import human_duration, pod_status_text, timestamp_since

NOW = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "<invalid>"),
        (-1, "0s"),
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (125, "2m5s"),
        (599, "9m59s"),
        (600, "10m"),
        (10799, "179m"),
        (10800, "3h"),
        (11000, "3h3m"),
        (8 * 3600, "8h"),
        (47 * 3600, "47h"),
        (48 * 3600, "2d"),
        (50 * 3600, "2d2h"),
        (8 * 86400, "8d"),
        (729 * 86400, "729d"),
        (730 * 86400, "2y"),
        (740 * 86400, "2y10d"),
        (9 * 365 * 86400, "9y"),
    ],
)
def test_a_duration_has_the_format_of_kubectl(seconds: int, text: str) -> None:
    assert human_duration(seconds) == text


def test_an_age_of_no_time_is_unknown_and_of_no_valid_time_is_invalid() -> None:
    assert timestamp_since(None, NOW) == "<unknown>"
    assert timestamp_since("yesterday", NOW) == "<invalid>"
    assert timestamp_since("2026-01-01T00:00:00Z", NOW) == "24h"


@pytest.mark.parametrize(
    ("status", "text"),
    [
        ({"phase": "Pending"}, "Pending"),
        ({"phase": "Failed", "reason": "Evicted"}, "Evicted"),
        ({"phase": "Running", "containerStatuses": [{"state": {"running": {}}}]}, "Running"),
        (
            {"phase": "Pending", "containerStatuses": [{"state": {"waiting": {"reason": "Err"}}}]},
            "Err",
        ),
        (
            {
                "phase": "Failed",
                "containerStatuses": [
                    {"state": {"terminated": {"exitCode": 3, "reason": "Error"}}}
                ],
            },
            "Error",
        ),
        ({"phase": "Pending", "initContainerStatuses": [{"state": {"running": {}}}]}, "Init:0/1"),
        (
            {
                "phase": "Pending",
                "initContainerStatuses": [{"state": {"waiting": {"reason": "Bad"}}}],
            },
            "Init:Bad",
        ),
    ],
)
def test_the_status_of_a_pod_is_the_reason_of_a_container_else_its_own(
    status: dict[str, Any], text: str
) -> None:
    spec: dict[str, Any] = {"containers": [{}], "initContainers": [{}]}
    pod = {"metadata": {}, "spec": spec, "status": status}
    assert pod_status_text(pod) == text
    pod["metadata"] = {"deletionTimestamp": "2026-01-01T00:00:00Z"}
    assert pod_status_text(pod) == (text if status["phase"] == "Failed" else "Terminating")


@pytest.mark.parametrize(
    ("first", "second", "initialized", "text"),
    [
        ({"running": {}}, {"waiting": {"reason": "PodInitializing"}}, "False", "Init:1/2"),
        ({"running": {}}, {"terminated": {"exitCode": 2}}, "False", "Init:ExitCode:2"),
        ({"running": {}}, {"terminated": {"reason": "Completed"}}, "True", "Running"),
        (
            {"terminated": {"reason": "Error"}},
            {"terminated": {"reason": "Completed"}},
            "True",
            "Init:Error",
        ),
    ],
)
def test_a_running_sidecar_does_not_hide_the_other_containers(
    first: Any, second: Any, initialized: str, text: str
) -> None:
    sidecar = {"name": "side", "restartPolicy": "Always"}
    init = [{"name": "side", "state": first}, {"name": "init", "state": second}]
    status = {
        "phase": "Running",
        "conditions": [{"type": "Initialized", "status": initialized}],
        "initContainerStatuses": init,
        "containerStatuses": [{"state": {"running": {}}}],
    }
    spec = {"initContainers": [sidecar, {"name": "init"}], "containers": [{}]}
    assert pod_status_text({"metadata": {}, "spec": spec, "status": status}) == text
