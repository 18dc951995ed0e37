"""What was last seen of a run is found by its key; what was never seen is not taken for gone."""

import copy
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from sparktest.controller.caches import Caches
from sparktest.controller.logs.stream import PodState
from sparktest.controller.testruns import Key, key_of
from sparktest.errors import UnavailableError
from sparktest.kube.cluster import JOBS, PODS, TESTRUNS, Cluster, Resource
from tests.controller.fake_cluster import FakeCluster
from tests.controller.fake_kubernetes import NAMESPACE
from tests.controller.faults import Faults

Object = dict[str, Any]


@pytest.mark.parametrize(("phase", "state"), [("Running", "running"), ("Failed", "ended")])
def test_a_pod_that_no_watch_has_told_of_yet_is_not_taken_for_gone(phase: str, state: str) -> None:
    cluster = FakeCluster(lambda: datetime.now(UTC), Faults())
    caches = Caches(cast("Cluster", cluster), (), lambda key: None)
    assert caches.pod_state(NAMESPACE, "a") is PodState.GONE
    metadata = {"name": "a", "namespace": NAMESPACE}
    cluster.put(PODS, {"metadata": metadata, "status": {"phase": phase}})
    assert caches.pod_state(NAMESPACE, "a") is PodState(state)


def test_a_cluster_that_does_not_answer_does_not_say_that_a_pod_is_gone() -> None:
    class Away(FakeCluster):
        def get(self, *_: object) -> dict[str, object]:
            raise UnavailableError("no answer")

    cluster = Away(lambda: datetime.now(UTC), Faults())
    caches = Caches(cast("Cluster", cluster), (), lambda key: None)
    assert caches.pod_state(NAMESPACE, "a") is PodState.RUNNING


# --- what is found by the key of a run -----------------------------------------------------------


class Scene:
    """Views whose informers are not started: what a watch would bring is put in by hand."""

    def __init__(self, *namespaces: str) -> None:
        self.cluster = FakeCluster(lambda: datetime.now(UTC), Faults())
        self.last_status: list[Key] = []
        self.caches = Caches(cast("Cluster", self.cluster), namespaces, self.last_status.append)

    def comes(self, resource: Resource, obj: Object, *, deleted: bool = False) -> None:
        """A watch brings the object."""
        kinds = {TESTRUNS: self.caches._testruns, JOBS: self.caches._jobs, PODS: self.caches._pods}
        informers = kinds[resource]
        informer = informers.get(obj["metadata"]["namespace"]) or informers[None]
        informer._apply("DELETED" if deleted else "ADDED", copy.deepcopy(obj))


def made(name: str, version: int = 1, **fields: Any) -> Object:
    metadata = {"name": name, "namespace": NAMESPACE, "uid": f"{name}-uid"}
    metadata |= {"resourceVersion": str(version)}
    return {"metadata": metadata | fields.pop("metadata", {}), **fields}


def pod_of(job: str, name: str, version: int = 1) -> Object:
    return made(name, version, metadata={"labels": {"job-name": job}})


TESTRUN = made("smoke")
KEY = key_of(TESTRUN)


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_testrun_job_and_pods_of_a_run_are_found_by_its_key(scene: Scene) -> None:
    scene.comes(TESTRUNS, TESTRUN)
    scene.comes(JOBS, made(KEY[1]))
    for name in ("a", "b"):
        scene.comes(PODS, pod_of(KEY[1], name))
    scene.comes(PODS, pod_of("another", "c"))
    assert scene.last_status == [KEY] * 4 + [(NAMESPACE, "another")]
    testrun, job, pods = scene.caches.seen(KEY)
    assert (testrun, (job or {})["metadata"]["name"]) == (TESTRUN, KEY[1])
    assert {pod["metadata"]["name"] for pod in pods} == {"a", "b"}


def test_what_is_gone_is_told_once_more_and_not_found(scene: Scene) -> None:
    scene.comes(TESTRUNS, TESTRUN)
    scene.comes(PODS, pod_of(KEY[1], "a"))
    scene.last_status.clear()
    scene.comes(TESTRUNS, made("smoke", 2), deleted=True)
    scene.comes(PODS, pod_of(KEY[1], "a", 2), deleted=True)
    assert scene.last_status == [KEY, KEY]
    assert scene.caches.seen(KEY) == (None, None, [])
    assert (scene.caches._pod_names, scene.caches._testrun_names) == ({}, {})


def test_a_testrun_made_again_under_its_name_is_another_run(scene: Scene) -> None:
    scene.comes(TESTRUNS, TESTRUN)
    second = made("smoke", 2, metadata={"uid": "another"})
    scene.comes(TESTRUNS, second)
    assert scene.last_status == [KEY, KEY, key_of(second)]
    assert scene.caches.seen(KEY).testrun is None
    assert scene.caches.seen(key_of(second)).testrun == second


def test_a_pod_of_no_job_is_nobodys(scene: Scene) -> None:
    scene.comes(PODS, made("stray", metadata={"labels": None}))
    assert scene.last_status == []


def test_in_each_namespace_that_is_watched_a_run_is_found_and_elsewhere_none() -> None:
    scene = Scene(NAMESPACE, "other")
    elsewhere = made("smoke", metadata={"namespace": "other"})
    for testrun in (TESTRUN, elsewhere):
        scene.comes(TESTRUNS, testrun)
        assert scene.caches.seen(key_of(testrun)).testrun == testrun
    unseen = made("smoke", metadata={"namespace": "third"})
    scene.caches.put(TESTRUNS, unseen)
    assert scene.caches.seen(key_of(unseen)) == (None, None, [])


def test_what_a_write_answered_is_seen_at_once(scene: Scene) -> None:
    scene.caches.put(JOBS, made(KEY[1], spec={"suspend": True}))
    assert (scene.caches.seen(KEY).job or {})["spec"] == {"suspend": True}


def test_a_live_read_finds_what_no_watch_has_told_of(scene: Scene) -> None:
    scene.cluster.put(TESTRUNS, TESTRUN)
    scene.cluster.put(JOBS, made(KEY[1]))
    scene.cluster.put(PODS, pod_of(KEY[1], "a"))
    testrun, job, pods = scene.caches.read(KEY, "smoke")
    assert testrun is not None
    assert job is not None
    assert [pod["metadata"]["name"] for pod in pods] == ["a"]
    assert scene.caches.read(KEY, None).testrun is None
    assert scene.caches.read((NAMESPACE, "another"), "smoke") == (None, None, [])


def test_of_a_job_and_a_pod_only_what_is_read_is_kept(scene: Scene) -> None:
    noise = {"managedFields": [{}], "annotations": {"a": "b"}}
    spec = {"suspend": False, "template": {"spec": {"containers": [{}]}}, "nodeName": "n"}
    scene.comes(JOBS, made(KEY[1], spec=spec, metadata=noise))
    scene.comes(PODS, pod_of(KEY[1], "a") | {"spec": spec, "status": {"phase": "Running", "x": 1}})
    _, job, (pod,) = scene.caches.seen(KEY)
    assert (job or {})["spec"] == {"suspend": False}
    assert (job or {})["metadata"]["annotations"] == {"a": "b"}
    assert "managedFields" not in (job or {})["metadata"]
    assert (pod["spec"], pod["status"]) == ({"nodeName": "n"}, {"phase": "Running"})


def test_it_has_seen_all_only_when_each_kind_in_each_namespace_is_listed() -> None:
    caches = Scene("a", "b").caches
    for informer in caches._informers():
        assert not caches.synced(0)
        informer.synced.set()
    assert caches.synced(0)


def test_problems_are_named_once() -> None:
    caches = Scene("a", "b").caches
    for informer in caches._informers():
        informer.problem = "refused"
    caches._informers()[0].problem = None
    assert caches.problems() == ["refused"]
