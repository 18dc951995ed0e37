"""The informer against a server that cuts, forgets, refuses and hangs."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sparktest.backoff import Backoff
from sparktest.controller.informer import LAST_APPLIED, Informer, Pace, strip_noise
from sparktest.kube import cluster as door
from sparktest.kube.cluster import TESTRUNS, Cluster, Timeouts
from tests.e2e.program import until
from tests.kube.apiserver import Apiserver, apiserver, cluster_of
from tests.kube.faults import Fault, chunks, drop, hang, refuse
from tests.kube.faults import reply as answer

FAST = Pace(backoff=Backoff(first=0.01, cap=0.05), absent=0.02, stale=5.0)
Changes = list[tuple[str, str]]


@pytest.fixture
def api() -> Iterator[Apiserver]:
    with apiserver() as server:
        yield server


@pytest.fixture
def cluster(api: Apiserver, tmp_path: Path) -> Iterator[Cluster]:
    patient = Timeouts(connect=1.0, read=5.0, watch=5.0)
    opened = cluster_of(api.kubeconfig(tmp_path / "kubeconfig"), patient)
    yield opened
    opened.close()


@pytest.fixture
def changes() -> Changes:
    """Name and resourceVersion of every object that the informer told of."""
    return []


@pytest.fixture
def make(cluster: Cluster, changes: Changes) -> Iterator[Callable[..., Informer]]:
    """A maker of started and synced informers, which are stopped at the end."""
    made: list[Informer] = []

    def tell(obj: dict[str, Any]) -> None:
        changes.append((obj["metadata"]["name"], obj["metadata"]["resourceVersion"]))

    def start(**given: Any) -> Informer:
        given.setdefault("on_change", tell)
        informer = Informer(cluster, TESTRUNS, pace=given.pop("pace", FAST), **given)
        made.append(informer)
        informer.start()
        assert informer.synced.wait(5)
        return informer

    yield start
    for informer in made:
        informer.stop()
        assert not informer._thread.is_alive()


def names(informer: Informer) -> set[str]:
    return {obj["metadata"]["name"] for obj in informer.items()}


def soon(what: str, check: Callable[[], Any]) -> None:
    until(what, check, seconds=5, every=0.005)


def watches(api: Apiserver) -> int:
    return sum("watch" in request.query for request in api.requests)


def lists(api: Apiserver) -> int:
    return sum("limit" in request.query for request in api.requests)


def settled(api: Apiserver, informer: Informer) -> None:
    """Wait until the informer knows all that is there."""
    marker = f"marker-{len(api.requests)}"
    api.put(marker)
    soon("the marker is seen", lambda: informer.get("default", marker))
    api.remove(marker)
    soon("the marker is gone", lambda: informer.get("default", marker) is None)


def test_it_knows_what_was_there_and_what_comes(
    api: Apiserver, make: Callable[..., Informer], changes: Changes
) -> None:
    first = api.put("a")
    informer = make()
    assert informer.get("default", "a") == first
    api.put("b", namespace="other")
    soon("b is known", lambda: informer.get("other", "b"))
    second = api.put("a")
    soon("a is new", lambda: informer.get("default", "a") == second)
    api.remove("a")
    soon("a is gone", lambda: informer.get("default", "a") is None)
    assert names(informer) == {"b"}
    assert [name for name, _ in changes] == ["a", "b", "a", "a"]
    assert lists(api) == 1


def test_large_lists_are_known_whole_at_the_start(
    api: Apiserver, make: Callable[..., Informer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "PAGE", 3)
    for number in range(10):
        api.put(f"run-{number}")
    assert len(make().items()) == 10


def test_a_namespace_and_a_selector_narrow_what_it_asks_for(
    api: Apiserver, make: Callable[..., Informer]
) -> None:
    make(namespace="team", label_selector="app=sparktest")
    soon("it watches", lambda: api.watching == 1)
    for request in api.requests:
        assert request.path == "/apis/sparktest.dev/v1alpha1/namespaces/team/testruns"
        assert request.query["labelSelector"] == "app=sparktest"


def test_after_a_cut_it_goes_on_from_where_it_was_without_a_list(
    api: Apiserver, make: Callable[..., Informer], changes: Changes
) -> None:
    api.put("a")
    informer = make()
    for number in range(5):
        settled(api, informer)
        api.cut()
        api.put(f"later-{number}")
    soon("all is known", lambda: len(informer.items()) == 6)
    assert lists(api) == 1
    assert len(changes) == len(set(changes)), "nothing is told twice"


def test_a_bookmark_moves_the_point_to_resume_from(
    api: Apiserver, make: Callable[..., Informer]
) -> None:
    informer = make()
    soon("it watches", lambda: api.watching == 1)
    api.send("BOOKMARK", {"metadata": {"resourceVersion": "4711"}})
    api.cut()
    soon("it watches again", lambda: watches(api) >= 2)
    assert api.requests[-1].query["resourceVersion"] == "4711"
    assert informer.items() == []


@pytest.mark.parametrize("where", ["as an answer", "in the stream"])
def test_when_its_version_is_too_old_it_lists_and_tells_only_what_changed_meanwhile(
    api: Apiserver, make: Callable[..., Informer], changes: Changes, where: str
) -> None:
    for name in ("same", "changed", "removed"):
        api.put(name)
    informer = make()
    settled(api, informer)
    changes.clear()
    if where == "in the stream":
        gone = b'{"type": "ERROR", "object": {"code": 410, "message": "too old"}}\n'
        api.faults.append(chunks(gone))
    with api.unseen():
        changed = api.put("changed")
        api.remove("removed")
        api.put("new")
        if where == "as an answer":
            api.forget()
    soon("the new one is known", lambda: informer.get("default", "new"))
    assert names(informer) == {"same", "changed", "new"}
    assert informer.get("default", "changed") == changed
    soon("all is told", lambda: {name for name, _ in changes} == {"changed", "removed", "new"})
    assert len(changes) == 3
    assert lists(api) == 2


def test_one_deleted_and_made_again_unseen_is_told_as_both(
    api: Apiserver, make: Callable[..., Informer]
) -> None:
    told: list[str] = []
    api.put("a", uid="old")
    informer = make(on_change=lambda obj: told.append(obj["metadata"]["uid"]))
    soon("it watches", lambda: api.watching == 1)
    with api.unseen():
        api.remove("a")
        api.put("a", uid="new")
        api.forget()
    soon("both are told", lambda: told == ["old", "old", "new"])
    assert informer.get("default", "a")["metadata"]["uid"] == "new"  # type: ignore[index]


@pytest.mark.parametrize(
    "fault",
    [
        refuse(500, "etcd"),
        refuse(429, "slow down"),
        refuse(403, "forbidden"),
        drop,
        chunks(b'{"type": "ADDED", "obj', end=False),
        chunks(b'{"type": "ADDED", "object": {"metadata": {"name": "half'),
        chunks(b'{"type": "ERROR", "object": {"code": 500}}\n'),
        chunks(b"not json\n"),
        answer(b"{}"),
    ],
    ids=["500", "429", "403", "drop", "cut", "half", "error", "no json", "at once over"],
)
def test_a_failing_watch_is_opened_again_and_nothing_is_lost(
    api: Apiserver, make: Callable[..., Informer], fault: Fault
) -> None:
    api.put("a")
    informer = make()
    soon("it watches", lambda: api.watching == 1)
    api.faults += [fault] * 3
    api.cut()
    api.put("b")
    soon("b is known", lambda: informer.get("default", "b"))
    assert informer.healthy(time.monotonic())
    soon("no problem is left", lambda: informer.problem is None)


def test_a_failing_first_list_is_tried_until_it_works(
    api: Apiserver, make: Callable[..., Informer]
) -> None:
    api.put("a")
    api.faults += [refuse(500, "etcd"), drop, answer(b"<html>"), refuse(410, "expired")]
    assert names(make()) == {"a"}


def test_a_server_that_is_away_is_a_problem_and_later_none(
    api: Apiserver, make: Callable[..., Informer]
) -> None:
    informer = make()
    soon("it watches", lambda: api.watching == 1)
    api.faults += [refuse(403, "testruns is forbidden")] * 1000
    api.cut()
    soon("the problem is named", lambda: informer.problem == "testruns is forbidden")
    api.faults.clear()
    api.put("a")
    soon("a is known", lambda: informer.get("default", "a"))
    assert informer.problem is None


def test_refusals_are_met_with_growing_waits(api: Apiserver, make: Callable[..., Informer]) -> None:
    informer = make(pace=Pace(backoff=Backoff(first=0.02, cap=10.0)))
    soon("it watches", lambda: api.watching == 1)
    api.faults += [refuse(500, "etcd")] * 1000
    began = time.monotonic()
    api.cut()
    soon("five failures", lambda: informer.errors >= 5)
    assert time.monotonic() - began >= 0.01 + 0.02 + 0.04 + 0.08


def test_the_wait_that_the_server_asks_for_is_kept(
    api: Apiserver, make: Callable[..., Informer]
) -> None:
    informer = make()
    soon("it watches", lambda: api.watching == 1)
    api.faults += [refuse(429, "slow down", headers={"Retry-After": "30"})]
    api.cut()
    soon("it is refused", lambda: informer.problem == "slow down")
    began, sent = time.monotonic(), len(api.requests)
    informer.stop()
    assert time.monotonic() - began < 2, "a stop does not wait for it"
    assert len(api.requests) == sent


def test_a_half_open_watch_is_noticed(
    api: Apiserver, changes: Changes, tmp_path: Path, make: Callable[..., Informer]
) -> None:
    del make
    hasty = cluster_of(tmp_path / "kubeconfig", Timeouts(connect=1.0, read=5.0, watch=0.2))
    informer = Informer(hasty, TESTRUNS, pace=FAST)
    api.faults += [answer(b'{"items": [], "metadata": {"resourceVersion": "1"}}'), hang]
    informer.start()
    api.put("a")
    soon("a is known", lambda: informer.get("default", "a"))
    informer.stop()


def test_a_kind_that_is_not_installed_is_empty_until_it_is(
    api: Apiserver, make: Callable[..., Informer], changes: Changes
) -> None:
    api.installed = False
    api.put("a")
    informer = make()
    assert not informer.installed
    assert informer.items() == []
    assert informer.healthy(time.monotonic())
    api.installed = True
    soon("it is installed", lambda: informer.installed)
    assert names(informer) == {"a"}
    api.installed = False
    api.cut()
    soon("it is gone again", lambda: not informer.installed)
    assert informer.items() == []
    soon("the loss is told", lambda: len(changes) == 2)


def test_malformed_objects_are_skipped_and_counted(
    api: Apiserver, make: Callable[..., Informer]
) -> None:
    informer = make()
    soon("it watches", lambda: api.watching == 1)
    malformed: list[Any] = [
        {},
        {"metadata": None},
        {"metadata": {"name": 7}},
        {"metadata": {"name": "x", "namespace": None}},
        {"metadata": {"name": "x", "annotations": "none"}},
    ]
    for obj in malformed:
        api.send("ADDED", obj)
    api.send("BOOKMARK", {"metadata": 7})
    api.put("a")
    soon("a is known", lambda: informer.get("default", "a"))
    assert names(informer) == {"a"}
    assert informer.malformed == len(malformed)


def test_a_listener_that_fails_does_not_stop_it(
    api: Apiserver, make: Callable[..., Informer]
) -> None:
    def fail(obj: dict[str, Any]) -> None:
        raise ValueError("a bug")

    api.put("a")
    informer = make(on_change=fail)
    api.put("b")
    soon("b is known", lambda: informer.get("default", "b"))
    soon("both failures count", lambda: informer.errors == 2)
    assert lists(api) == 1


def test_what_a_write_answered_is_kept_and_not_told_again(
    api: Apiserver, make: Callable[..., Informer], changes: Changes
) -> None:
    informer = make()
    with api.lock:  # the watch cannot be faster than the write's own answer
        written = api.put("a")
        informer.put(dict(written))
        assert informer.get("default", "a") == written
    settled(api, informer)
    assert "a" not in [name for name, _ in changes]


def test_an_older_answer_never_replaces_what_is_known(
    api: Apiserver, make: Callable[..., Informer]
) -> None:
    old = api.put("a")
    new = api.put("a")
    informer = make()
    informer.put(old)
    assert informer.get("default", "a") == new


def test_an_answer_that_comes_after_the_deletion_brings_nothing_back(
    api: Apiserver, make: Callable[..., Informer]
) -> None:
    late = api.put("a")
    informer = make()
    api.remove("a")
    soon("a is gone", lambda: informer.get("default", "a") is None)
    informer.put(late)
    assert informer.get("default", "a") is None


def test_what_nobody_reads_is_not_kept(api: Apiserver, make: Callable[..., Informer]) -> None:
    api.put("a", managedFields=[{}], annotations={LAST_APPLIED: "{}", "mine": "1"})
    metadata = make().get("default", "a")["metadata"]  # type: ignore[index]
    assert "managedFields" not in metadata
    assert metadata["annotations"] == {"mine": "1"}
    assert strip_noise({"metadata": {}}) == {"metadata": {}}


def test_a_strip_of_our_own_may_shrink_the_object(
    api: Apiserver, make: Callable[..., Informer]
) -> None:
    api.put("a")
    informer = make(strip=lambda obj: {"metadata": obj["metadata"]})
    assert list(informer.get("default", "a") or {}) == ["metadata"]


def test_it_is_unhealthy_before_the_start_when_stale_and_after_the_stop(
    api: Apiserver, cluster: Cluster, make: Callable[..., Informer]
) -> None:
    assert not Informer(cluster, TESTRUNS).healthy(time.monotonic())
    informer = make()
    assert informer.healthy(time.monotonic())
    assert not informer.healthy(time.monotonic() + FAST.stale + 1)
    informer.stop()
    assert not informer.healthy(time.monotonic())


def test_a_stop_ends_a_silent_watch_at_once_and_keeps_what_is_known(
    api: Apiserver, make: Callable[..., Informer]
) -> None:
    api.put("a")
    informer = make()
    soon("it watches", lambda: api.watching == 1)
    began = time.monotonic()
    informer.stop()
    assert time.monotonic() - began < 2
    assert names(informer) == {"a"}
