"""The representations of an answer."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from sparktest.devcluster.clock import Clock
from sparktest.devcluster.kinds import JOBS, NODES, Kind, kinds_of
from sparktest.devcluster.representation import Representation
from sparktest.devcluster.stored_objects import StoredObject, stored_object
from tests.devcluster.client import MAPS, Client, config_map


class FixedClock(Clock):
    def now(self) -> datetime:
        return datetime(2026, 1, 2, tzinfo=UTC)


def table(kind: Kind, obj: StoredObject, include: str) -> dict[str, Any]:
    return Representation(kind, "Table", include, FixedClock()).table([obj], {})


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("application/json", "ConfigMapList"),
        ("application/vnd.kubernetes.protobuf,application/json", "ConfigMapList"),
        ("application/json;as=Table;v=v1;g=meta.k8s.io,application/json", "Table"),
        ("application/json;as=Table;v=v9;g=meta.k8s.io,application/json", "ConfigMapList"),
        (
            "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io",
            "PartialObjectMetadataList",
        ),
    ],
)
def test_the_representation_is_the_first_that_the_client_accepts(
    client: Client, accept: str, kind: str
) -> None:
    client.create(MAPS, config_map("a"))
    assert client.get(MAPS, accept=accept)["kind"] == kind


def test_an_unknown_representation_is_rejected(client: Client) -> None:
    assert client.call("GET", MAPS, accept="application/yaml").code == 406
    assert client.call("POST", MAPS, b"a: b", content_type="application/yaml").code == 415


def stored(kind: Kind, obj: dict[str, Any]) -> StoredObject:
    meta = {"uid": "u", "resourceVersion": "1", "creationTimestamp": "2026-01-01T23:59:00Z"}
    obj["metadata"] = {"name": "n"} | meta
    return stored_object(kind.key, obj, msgspec.json.encode(obj))


def test_a_row_has_a_cell_for_every_column(testrun_crd: Any) -> None:
    (kind,) = kinds_of(testrun_crd)
    run = stored(kind, {"spec": {"image": "busybox"}, "status": {"phase": "Failed"}})
    found = table(kind, run, "Metadata")
    names = [column.name for column in found["columnDefinitions"]]
    cells = dict(zip(names, found["rows"][0]["cells"], strict=True))
    assert cells["Name"] == "n"
    assert cells["Phase"] == "Failed"
    assert cells["Definition"] == "busybox"
    assert cells["Age"] == "60s"
    assert cells["Reason"] is None
    assert found["rows"][0]["object"]["kind"] == "PartialObjectMetadata"


def test_the_columns_of_a_job_show_its_progress() -> None:
    spec = {
        "completions": 2,
        "template": {"spec": {"containers": [{"name": "a", "image": "i"}]}},
        "selector": {"matchLabels": {"k": "v"}},
    }
    status = {"startTime": "2026-01-01T23:59:30Z", "succeeded": 1}
    found = table(JOBS, stored(JOBS, {"spec": spec, "status": status}), "None")
    assert found["rows"] == [{"cells": ["n", "Running", "1/2", "30s", "60s", "a", "i", "k=v"]}]


@pytest.mark.parametrize("include", ["Object", "Metadata", "None"])
def test_the_client_chooses_which_part_of_the_object_a_row_carries(include: str) -> None:
    info = dict.fromkeys(
        ("kubeletVersion", "osImage", "kernelVersion", "containerRuntimeVersion"), "x"
    )
    node = stored(NODES, {"status": {"addresses": [{"address": "1"}], "nodeInfo": info}})
    (row,) = table(NODES, node, include)["rows"]
    assert ("object" in row) == (include != "None")
    if include == "Object":
        assert row["object"]["status"]["nodeInfo"] == info
