"""The informers of one kind find an object by its namespace."""

from datetime import UTC, datetime
from typing import Any, cast

from sparktest.controller.informer_options import Skip
from sparktest.controller.informers import Informers
from sparktest.kube.cluster import Cluster
from sparktest.kube.resources import TESTRUNS
from tests.controller.fake_cluster import FakeCluster
from tests.controller.faults import Faults


def made(*namespaces: str | None) -> Informers[dict[str, Any]]:
    cluster = cast("Cluster", FakeCluster(lambda: datetime.now(UTC), Faults()))
    return Informers(
        cluster, TESTRUNS, namespaces, parse=dict, on_change=lambda _: None, skip=Skip()
    )


def obj(namespace: str, version: int = 1) -> dict[str, Any]:
    return {"metadata": {"name": "a", "namespace": namespace, "resourceVersion": str(version)}}


def test_an_object_is_found_in_its_namespace() -> None:
    informers = made("shop", "bank")
    informers.put(obj("shop"))
    informers.put(obj("elsewhere"))
    assert informers.get("shop", "a") == obj("shop")
    assert informers.get("bank", "a") is None
    assert informers.get("elsewhere", "a") is None
    assert list(informers.items()) == [obj("shop")]


def test_one_informer_may_have_all_namespaces() -> None:
    informers = made(None)
    informers.put(obj("shop"))
    informers.put(obj("bank"))
    assert informers.of("shop") is informers.of("bank") is informers.of(None)
    assert informers.get("bank", "a") == obj("bank")


def test_a_discarded_object_can_be_restored() -> None:
    informers = made(None)
    informers.put(obj("shop"))
    entry = informers.entry("shop", "a")
    assert entry is not None
    assert informers.discard(entry)
    assert informers.get("shop", "a") is None
    assert informers.restore(obj("shop")) == obj("shop")
    assert informers.get("shop", "a") == obj("shop")
    assert informers.restore({"metadata": {}}) is None
