"""What `kubectl get` prints: paths, ages, words."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from sparktest.devcluster import jsonpath
from sparktest.devcluster.ages import age, duration
from sparktest.devcluster.columns import pod_word
from sparktest.devcluster.entries import Entry, entry_of
from sparktest.devcluster.kinds import JOBS, NODES, Kind, kinds_of
from sparktest.devcluster.tables import table

NOW = datetime(2026, 1, 2, tzinfo=UTC)
OBJECT: dict[str, Any] = {
    "spec": {"a": "x", "b.c": "y", "list": [{"t": "R", "s": "1"}, {"t": "S", "s": "2"}]}
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (".spec.a", ["x"]),
        ("{.spec.a}", ["x"]),
        (r".spec.b\.c", ["y"]),
        (".spec['nope','a','b.c']", ["x", "y"]),
        (".spec.list[1].s", ["2"]),
        (".spec.list[-1].s", ["2"]),
        (".spec.list[9].s", []),
        (".spec.list[*].t", ["R", "S"]),
        ('.spec.list[?(@.t=="S")].s', ["2"]),
        (".nope.a", []),
        (".spec[broken", []),
    ],
)
def test_a_path_finds_what_it_says(path: str, found: list[str]) -> None:
    assert jsonpath.values(path, OBJECT) == found


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
def test_a_duration_is_told_in_few_letters(seconds: int, text: str) -> None:
    assert duration(seconds) == text


def test_the_age_of_nothing_and_of_nonsense() -> None:
    assert age(None, NOW) == "<unknown>"
    assert age("yesterday", NOW) == "<invalid>"
    assert age("2026-01-01T00:00:00Z", NOW) == "24h"


@pytest.mark.parametrize(
    ("status", "word"),
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
        (
            {"phase": "Pending", "initContainerStatuses": [{"state": {"running": {}}}]},
            "Init:0/1",
        ),
        (
            {
                "phase": "Pending",
                "initContainerStatuses": [{"state": {"waiting": {"reason": "Bad"}}}],
            },
            "Init:Bad",
        ),
    ],
)
def test_a_pod_is_told_in_one_word(status: dict[str, Any], word: str) -> None:
    spec: dict[str, Any] = {"containers": [{}], "initContainers": [{}]}
    pod = {"metadata": {}, "spec": spec, "status": status}
    assert pod_word(pod) == word
    pod["metadata"] = {"deletionTimestamp": "2026-01-01T00:00:00Z"}
    assert pod_word(pod) == (word if status["phase"] == "Failed" else "Terminating")


def stored(kind: Kind, obj: dict[str, Any]) -> Entry:
    meta = {"uid": "u", "resourceVersion": "1", "creationTimestamp": "2026-01-01T23:59:00Z"}
    obj["metadata"] = {"name": "n"} | meta
    return entry_of(kind.key, obj, msgspec.json.encode(obj))


def test_a_row_has_a_cell_for_every_column(testrun_crd: Any) -> None:
    (kind,) = kinds_of(testrun_crd)
    run = stored(kind, {"spec": {"image": "busybox"}, "status": {"phase": "Failed"}})
    found = table(kind, [run], {}, "Metadata", NOW)
    names = [column["name"] for column in found["columnDefinitions"]]
    cells = dict(zip(names, found["rows"][0]["cells"], strict=True))
    assert cells["Name"] == "n"
    assert cells["Phase"] == "Failed"
    assert cells["Definition"] == "busybox"
    assert cells["Age"] == "60s"
    assert cells["Reason"] is None
    assert found["rows"][0]["object"]["kind"] == "PartialObjectMetadata"


def test_the_columns_of_jobs_tell_how_far_it_is() -> None:
    spec = {
        "completions": 2,
        "template": {"spec": {"containers": [{"name": "a", "image": "i"}]}},
        "selector": {"matchLabels": {"k": "v"}},
    }
    status = {"startTime": "2026-01-01T23:59:30Z", "succeeded": 1}
    found = table(JOBS, [stored(JOBS, {"spec": spec, "status": status})], {}, "None", NOW)
    assert found["rows"] == [{"cells": ["n", "Running", "1/2", "30s", "60s", "a", "i", "k=v"]}]


@pytest.mark.parametrize("include", ["Object", "Metadata", "None"])
def test_what_goes_along_with_a_row_is_the_clients_choice(include: str) -> None:
    info = dict.fromkeys(
        ("kubeletVersion", "osImage", "kernelVersion", "containerRuntimeVersion"), "x"
    )
    node = stored(NODES, {"status": {"addresses": [{"address": "1"}], "nodeInfo": info}})
    (row,) = table(NODES, [node], {}, include, NOW)["rows"]
    assert ("object" in row) == (include != "None")
    if include == "Object":
        assert row["object"]["status"]["nodeInfo"] == info
