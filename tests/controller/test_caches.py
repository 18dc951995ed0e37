"""The objects of a run are found by its key; one that is not cached may still exist."""

import copy
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from sparktest.controller import caches as module
from sparktest.controller.caches import Caches
from sparktest.controller.informer import STOP_SECONDS
from sparktest.controller.testruns import Key, parse_testrun
from sparktest.errors import UnavailableError
from sparktest.kube.cluster import Cluster
from sparktest.kube.jobs import LABELS
from sparktest.kube.pod_view import LogSource, PodState
from sparktest.kube.resources import JOBS, PODS, TESTRUNS, Resource
from sparktest.times import format_time
from tests.controller.fake_cluster import FakeCluster
from tests.controller.fake_kubernetes import NAMESPACE
from tests.controller.faults import Faults

Object = dict[str, Any]


@pytest.mark.parametrize(("phase", "state"), [("Running", "running"), ("Failed", "ended")])
def test_a_pod_that_no_watch_has_delivered_is_read_live(phase: str, state: str) -> None:
    cluster = FakeCluster(lambda: datetime.now(UTC), Faults())
    caches = Caches(cast("Cluster", cluster), (), lambda key: None)
    assert caches.log_source(NAMESPACE, "a", "test") == LogSource(PodState.GONE)
    metadata = {"name": "a", "namespace": NAMESPACE}
    cluster.put(PODS, {"metadata": metadata, "status": {"phase": phase}})
    assert caches.log_source(NAMESPACE, "a", "test").state is PodState(state)


def test_a_container_of_a_lost_node_writes_nothing_more() -> None:
    cluster = FakeCluster(lambda: datetime.now(UTC), Faults())
    caches = Caches(cast("Cluster", cluster), (), lambda key: None)
    statuses = [{"name": "test", "state": {"running": {}}, "restartCount": 2}]
    for minutes, state in ((1, PodState.RUNNING), (3, PodState.ENDED)):
        deleted = format_time(datetime.now(UTC) - timedelta(minutes=minutes, seconds=-30))
        metadata = {"name": "a", "namespace": NAMESPACE, "deletionTimestamp": deleted}
        status = {"phase": "Running", "containerStatuses": statuses}
        cluster.put(PODS, {"metadata": metadata, "status": status})
        assert caches.log_source(NAMESPACE, "a", "test") == LogSource(state, 2)


def test_an_unreachable_cluster_does_not_mean_that_a_pod_is_gone() -> None:
    class Unreachable(FakeCluster):
        def get(self, *_: object) -> dict[str, object]:
            raise UnavailableError("no answer")

    cluster = Unreachable(lambda: datetime.now(UTC), Faults())
    caches = Caches(cast("Cluster", cluster), (), lambda key: None)
    assert caches.log_source(NAMESPACE, "a", "test") == LogSource(PodState.RUNNING)


def test_informers_that_hang_are_waited_for_together(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]

    class Stuck:
        def is_alive(self) -> bool:
            return True

        def join(self, seconds: float) -> None:
            now[0] += seconds

    caches = Caches(
        cast("Cluster", FakeCluster(lambda: datetime.now(UTC), Faults())), "abc", lambda key: None
    )
    for informer in caches._informers():
        monkeypatch.setattr(informer, "_thread", Stuck())
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now[0]))
    caches.stop()
    assert now[0] == STOP_SECONDS
    assert all(informer._stopped.is_set() for informer in caches._informers())


# --- the state of a run, by its key --------------------------------------------------------------


class Watched:
    """Caches whose informers are not started: `event` delivers what a watch would."""

    def __init__(self, *namespaces: str) -> None:
        self.cluster = FakeCluster(lambda: datetime.now(UTC), Faults())
        self.keys: list[Key] = []
        self.caches = Caches(cast("Cluster", self.cluster), namespaces, self.keys.append)

    def event(self, resource: Resource, obj: Object, *, deleted: bool = False) -> None:
        """Deliver an event of a watch."""
        informer = self.caches._by_resource[resource].of(obj["metadata"]["namespace"])
        assert informer is not None
        informer._apply("DELETED" if deleted else "ADDED", copy.deepcopy(obj))


def made(name: str, version: int = 1, **fields: Any) -> Object:
    metadata = {"name": name, "namespace": NAMESPACE, "uid": f"{name}-uid"}
    metadata |= {"resourceVersion": str(version)}
    return {"metadata": metadata | fields.pop("metadata", {}), **fields}


def pod_of(job: str, name: str, version: int = 1) -> Object:
    return made(name, version, metadata={"labels": {"job-name": job}})


TESTRUN = made("smoke")
KEY = parse_testrun(TESTRUN).key


@pytest.fixture
def watched() -> Watched:
    return Watched()


def test_testrun_job_and_pods_of_a_run_are_found_by_its_key(watched: Watched) -> None:
    watched.event(TESTRUNS, TESTRUN)
    watched.event(JOBS, made(KEY[1]))
    for name in ("a", "b"):
        watched.event(PODS, pod_of(KEY[1], name))
    watched.event(PODS, pod_of("another", "c"))
    assert watched.keys == [KEY] * 4 + [(NAMESPACE, "another")]
    testrun, job, pods = watched.caches.get(KEY)
    assert testrun == parse_testrun(TESTRUN)
    assert job is not None
    assert job.name == KEY[1]
    assert {pod.name for pod in pods} == {"a", "b"}


def test_a_deleted_object_is_not_found_and_its_key_is_reported(watched: Watched) -> None:
    watched.event(TESTRUNS, TESTRUN)
    watched.event(PODS, pod_of(KEY[1], "a"))
    watched.keys.clear()
    watched.event(TESTRUNS, made("smoke", 2), deleted=True)
    watched.event(PODS, pod_of(KEY[1], "a", 2), deleted=True)
    assert watched.keys == [KEY, KEY]
    assert watched.caches.get(KEY) == (None, None, [])
    assert (watched.caches._pod_names, watched.caches._testrun_names) == ({}, {})


def test_a_pod_that_was_deleted_during_its_test_is_kept_as_long_as_its_job(
    watched: Watched,
) -> None:
    job = made("job")
    ended = {"terminated": {"exitCode": 0, "finishedAt": "2026-01-01T00:00:09Z"}}
    pod = pod_of("job", "pod")
    pod["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:15Z"
    pod["status"] = {"containerStatuses": [{"name": "test", "state": ended}]}
    watched.event(JOBS, job)
    watched.event(PODS, pod)
    pod["metadata"]["resourceVersion"] = "2"
    watched.event(PODS, pod, deleted=True)
    assert [kept.name for kept in watched.caches.get((NAMESPACE, "job")).pods] == ["pod"]
    job["metadata"]["resourceVersion"] = "3"
    watched.event(JOBS, job, deleted=True)
    assert watched.caches.get((NAMESPACE, "job")).pods == []


def test_the_kubelets_final_delete_does_not_move_the_time_of_a_pods_deletion(
    watched: Watched,
) -> None:
    pod, key = pod_of("job", "pod"), (NAMESPACE, "job")
    watched.event(JOBS, made("job"))
    ended = {"terminated": {"exitCode": 0, "finishedAt": "2026-01-01T00:00:09Z"}}
    pod["status"] = {"containerStatuses": [{"name": "test", "state": ended}]}

    def times() -> set[str | None]:
        watched.cluster.put(PODS, pod)
        pods = watched.caches.get(key).pods + watched.caches.read_live(key, None).pods
        return {format_time(pod.deletion_requested_at) for pod in pods if pod.deletion_requested_at}

    for version, deletes_at, grace in (("1", "19", 10), ("2", "19", 10), ("3", "11", 0)):
        pod["metadata"] |= {
            "resourceVersion": version,
            "deletionTimestamp": f"2026-01-01T00:00:{deletes_at}Z",
            "deletionGracePeriodSeconds": grace,
        }
        watched.event(PODS, pod)
        assert times() == {"2026-01-01T00:00:09Z"}
    pod["metadata"]["resourceVersion"] = "4"
    watched.cluster.delete(PODS, NAMESPACE, "pod")
    watched.event(PODS, pod, deleted=True)
    kept = watched.caches.get(key).pods
    assert [
        format_time(each.deletion_requested_at) for each in kept if each.deletion_requested_at
    ] == ["2026-01-01T00:00:09Z"]
    assert watched.caches._deletions == {}


def test_a_testrun_recreated_under_its_name_is_another_run(watched: Watched) -> None:
    watched.event(TESTRUNS, TESTRUN)
    again = made("smoke", 2, metadata={"uid": "another"})
    second = parse_testrun(again)
    watched.event(TESTRUNS, again)
    assert watched.keys == [KEY, KEY, second.key]
    assert watched.caches.get(KEY).testrun is None
    assert watched.caches.get(second.key).testrun == second


def test_a_pod_without_a_job_is_ignored(watched: Watched) -> None:
    watched.event(PODS, made("stray", metadata={"labels": None}))
    assert watched.keys == []


def test_runs_are_found_in_the_watched_namespaces_only() -> None:
    watched = Watched(NAMESPACE, "other")
    for obj in (TESTRUN, made("smoke", metadata={"namespace": "other"})):
        watched.event(TESTRUNS, obj)
        testrun = parse_testrun(obj)
        assert watched.caches.get(testrun.key).testrun == testrun
    elsewhere = made("smoke", metadata={"namespace": "third"})
    watched.caches.put(TESTRUNS, elsewhere)
    assert watched.caches.get(parse_testrun(elsewhere).key) == (None, None, [])


def test_the_object_that_a_write_returns_is_cached_at_once(watched: Watched) -> None:
    watched.caches.put(JOBS, made(KEY[1], spec={"suspend": True}))
    job = watched.caches.get(KEY).job
    assert job is not None
    assert job.suspend


def test_a_live_read_finds_what_no_watch_has_delivered(watched: Watched) -> None:
    watched.cluster.put(TESTRUNS, TESTRUN)
    watched.cluster.put(JOBS, made(KEY[1]))
    watched.cluster.put(PODS, pod_of(KEY[1], "a"))
    testrun, job, pods = watched.caches.read_live(KEY, "smoke")
    assert testrun is not None
    assert job is not None
    assert [pod.name for pod in pods] == ["a"]
    assert watched.caches.read_live(KEY, None).testrun is None
    assert watched.caches.read_live((NAMESPACE, "another"), "smoke") == (None, None, [])


def test_a_cached_object_is_smaller_than_two_kilobytes(watched: Watched) -> None:
    noise = {"managedFields": [{"fields": "x" * 9000}], "annotations": {"note": "x" * 9000}}
    spec = {"template": {"spec": {"containers": [{"command": ["x" * 9000]}]}}}
    watched.event(JOBS, made(KEY[1], spec=spec, metadata=noise))
    watched.event(TESTRUNS, made("smoke", spec={"commands": ["x" * 9000]}, metadata=noise))
    watched.event(
        TESTRUNS, made("smoke", 2, spec={"commands": ["x" * 9000]}, status={"phase": "Failed"})
    )
    testrun, job, _ = watched.caches.get(KEY)
    assert len(repr(job)) < 2000
    assert len(repr(testrun)) < 2000


# --- finished runs -------------------------------------------------------------------------------

ENDED = made("smoke", 9, status={"phase": "Succeeded", "runId": "run-1"})


def with_finished_run(watched: Watched) -> None:
    """Deliver the objects of a run that has finished, and compact it."""
    watched.event(TESTRUNS, made("smoke", 2, status={"phase": "Running", "runId": "run-1"}))
    watched.event(JOBS, made(KEY[1], 3))
    watched.event(PODS, pod_of(KEY[1], "a", 4))
    watched.event(TESTRUNS, ENDED)
    watched.caches.compact(KEY)
    watched.keys.clear()


def test_of_a_finished_run_no_object_is_kept(watched: Watched) -> None:
    with_finished_run(watched)
    caches = watched.caches
    assert caches.get(KEY) == (None, None, [])
    assert [list(informers.items()) for informers in caches._by_resource.values()] == [[], [], []]
    assert (caches._pod_names, caches._testrun_names) == ({}, {})
    assert caches.finished_ids() == {"run-1": KEY}


def test_later_events_of_a_finished_run_are_not_reported(watched: Watched) -> None:
    with_finished_run(watched)
    watched.event(TESTRUNS, made("smoke", 8, status={"phase": "Running"}))
    watched.event(JOBS, made(KEY[1], 10))
    watched.event(PODS, pod_of(KEY[1], "a", 11))
    watched.event(PODS, pod_of(KEY[1], "a", 12), deleted=True)
    watched.event(JOBS, made(KEY[1], 13), deleted=True)
    assert watched.keys == []
    watched.event(TESTRUNS, made("smoke", 14), deleted=True)
    assert watched.keys == []
    assert watched.caches.finished_ids() == {}


def test_a_change_during_the_compaction_is_kept(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched.event(TESTRUNS, made("smoke", 2, status={"phase": "Running"}))
    watched.event(TESTRUNS, ENDED)
    add = watched.caches.finished.add

    def add_late(*given: Any) -> None:
        add(*given)
        edited = made("smoke", 10, metadata={"generation": 2}, status=ENDED["status"])
        watched.event(TESTRUNS, edited)

    monkeypatch.setattr(watched.caches.finished, "add", add_late)
    watched.caches.compact(KEY)
    testrun = watched.caches.get(KEY).testrun
    assert testrun is not None
    assert testrun.generation == 2


def test_a_finished_run_is_cached_again_by_a_reload(watched: Watched) -> None:
    with_finished_run(watched)
    watched.cluster.objects = {
        (TESTRUNS, NAMESPACE, "smoke"): ENDED,
        (JOBS, NAMESPACE, KEY[1]): made(KEY[1], 3),
        (PODS, NAMESPACE, "a"): pod_of(KEY[1], "a", 4),
    }
    watched.caches.reload(KEY)
    testrun, job, pods = watched.caches.get(KEY)
    assert testrun is not None
    assert job is not None
    assert [pod.name for pod in pods] == ["a"]
    assert KEY not in watched.caches.finished
    watched.event(JOBS, made(KEY[1], 15, spec={"suspend": True}))
    assert watched.keys == [KEY]
    watched.event(JOBS, made(KEY[1], 16), deleted=True)
    assert watched.caches.get(KEY).job is None


def test_a_reload_that_fails_can_be_repeated(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_finished_run(watched)

    def fail(*_: object, **__: object) -> None:
        raise UnavailableError("no answer")

    monkeypatch.setattr(watched.cluster, "list", fail)
    with pytest.raises(UnavailableError):
        watched.caches.reload(KEY)
    assert watched.caches.finished_ids() == {"run-1": KEY}


def test_a_run_whose_objects_are_gone_is_not_known_after_a_reload(watched: Watched) -> None:
    with_finished_run(watched)
    watched.caches.reload(KEY)
    assert watched.caches.get(KEY) == (None, None, [])
    assert watched.caches.finished_ids() == {}


def test_a_first_list_caches_nothing_of_finished_runs(watched: Watched) -> None:
    job = made(KEY[1], 3, metadata={"labels": dict(LABELS)})
    pod = pod_of(KEY[1], "a", 4)
    pod["metadata"]["labels"] |= LABELS
    watched.cluster.objects = {
        (TESTRUNS, NAMESPACE, "smoke"): ENDED,
        (JOBS, NAMESPACE, KEY[1]): job,
        (PODS, NAMESPACE, "a"): pod,
    }
    for informer in watched.caches._informers():
        informer._list()
    assert watched.keys == []
    assert watched.caches.get(KEY) == (None, None, [])
    assert watched.caches.finished_ids() == {"run-1": KEY}
    del watched.cluster.objects[TESTRUNS, NAMESPACE, "smoke"]
    watched.cluster.objects[PODS, NAMESPACE, "b"] = pod_of("another", "b", 20)
    for informer in watched.caches._informers():
        informer._list()
    assert watched.caches.finished_ids() == {}


def test_caches_are_synced_when_every_kind_in_every_namespace_is_listed() -> None:
    caches = Watched("a", "b").caches
    for informer in caches._informers():
        assert not caches.synced(0)
        informer.synced.set()
    assert caches.synced(0)


def test_each_problem_is_listed_once() -> None:
    caches = Watched("a", "b").caches
    for informer in caches._informers():
        informer.problem = "refused"
    caches._informers()[0].problem = None
    assert caches.problems() == ["refused"]
