import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sparktest.backoff import Backoff
from sparktest.controller.informer import Informer
from sparktest.controller.informer_options import Skip, Timings
from sparktest.kube import cluster as cluster_module
from sparktest.kube.cluster import Cluster
from sparktest.kube.resources import TESTRUNS
from sparktest.kube.transport import Timeouts
from tests.e2e.program import until
from tests.kube.apiserver import Apiserver, apiserver, cluster_of
from tests.kube.faults import Fault, chunks, drop, hang, refuse, reply

FAST = Timings(backoff=Backoff(first=0.01, cap=0.05), not_installed_seconds=0.02)
Changes = list[tuple[str, str]]


@pytest.fixture
def api() -> Iterator[Apiserver]:
    with apiserver() as server:
        yield server


@pytest.fixture
def cluster(api: Apiserver, tmp_path: Path) -> Iterator[Cluster]:
    timeouts = Timeouts(connect=1.0, read=5.0, watch=5.0)
    opened = cluster_of(api.kubeconfig(tmp_path / "kubeconfig"), timeouts)
    yield opened
    opened.close()


@pytest.fixture
def changes() -> Changes:
    """Name and resourceVersion of every reported object."""
    return []


@pytest.fixture
def make(cluster: Cluster, changes: Changes) -> Iterator[Callable[..., Informer[Any]]]:
    """Make an informer, start it and wait until it has synced; stop it after the test."""
    made: list[Informer[Any]] = []

    def record(obj: dict[str, Any]) -> None:
        changes.append((obj["metadata"]["name"], obj["metadata"]["resourceVersion"]))

    def start(**given: Any) -> Informer[Any]:
        given.setdefault("on_change", record)
        given.setdefault("parse", dict)
        informer = Informer(cluster, TESTRUNS, timings=given.pop("timings", FAST), **given)
        made.append(informer)
        informer.start()
        assert informer.synced.wait(60)
        return informer

    yield start
    for informer in made:
        informer.stop()
        assert not informer._thread.is_alive()


def names(informer: Informer[Any]) -> set[str]:
    return {obj["metadata"]["name"] for obj in informer.items()}


def soon(what: str, check: Callable[[], Any]) -> None:
    until(what, check, every=0.005)


def watches(api: Apiserver) -> int:
    return sum("watch" in request.query for request in api.requests)


def lists(api: Apiserver) -> int:
    return sum("limit" in request.query for request in api.requests)


def wait_until_current(api: Apiserver, informer: Informer[Any]) -> None:
    """Wait until the informer has seen all earlier changes."""
    marker = f"marker-{len(api.requests)}"
    api.put(marker)
    soon("the marker is seen", lambda: informer.get("default", marker))
    api.remove(marker)
    soon("the marker is gone", lambda: informer.get("default", marker) is None)


def test_existing_and_new_objects_are_cached(
    api: Apiserver, make: Callable[..., Informer[Any]], changes: Changes
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


def test_a_list_of_several_pages_is_cached_as_a_whole(
    api: Apiserver, make: Callable[..., Informer[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_module, "PAGE_SIZE", 3)
    for number in range(10):
        api.put(f"run-{number}")
    assert len(make().items()) == 10


def test_namespace_and_selector_are_part_of_every_request(
    api: Apiserver, make: Callable[..., Informer[Any]]
) -> None:
    make(namespace="team", label_selector="app=sparktest")
    soon("it watches", lambda: api.watching == 1)
    for request in api.requests:
        assert request.path == "/apis/sparktest.dev/v1alpha1/namespaces/team/testruns"
        assert request.query["labelSelector"] == "app=sparktest"


def test_a_broken_watch_is_resumed_without_a_list(
    api: Apiserver, make: Callable[..., Informer[Any]], changes: Changes
) -> None:
    api.put("a")
    informer = make()
    for number in range(5):
        wait_until_current(api, informer)
        api.cut()
        api.put(f"later-{number}")
    soon("all is known", lambda: len(informer.items()) == 6)
    assert lists(api) == 1
    assert len(changes) == len(set(changes)), "nothing is reported twice"


def test_a_bookmark_advances_the_version_to_resume_from(
    api: Apiserver, make: Callable[..., Informer[Any]]
) -> None:
    informer = make()
    soon("it watches", lambda: api.watching == 1)
    api.send("BOOKMARK", {"metadata": {"resourceVersion": "4711"}})
    api.cut()
    soon("it watches again", lambda: watches(api) >= 2)
    assert api.requests[-1].query["resourceVersion"] == "4711"
    assert informer.items() == []


@pytest.mark.parametrize("where", ["as a response", "in the stream"])
def test_an_expired_version_causes_a_list_that_reports_only_changes(
    api: Apiserver, make: Callable[..., Informer[Any]], changes: Changes, where: str
) -> None:
    for name in ("same", "changed", "removed"):
        api.put(name)
    informer = make()
    wait_until_current(api, informer)
    changes.clear()
    if where == "in the stream":
        gone = b'{"type": "ERROR", "object": {"code": 410, "message": "too old"}}\n'
        api.faults.append(chunks(gone))
    with api.unseen():
        changed = api.put("changed")
        api.remove("removed")
        api.put("new")
        if where == "as a response":
            api.forget()
    soon("the new one is known", lambda: informer.get("default", "new"))
    assert names(informer) == {"same", "changed", "new"}
    assert informer.get("default", "changed") == changed
    soon("all is reported", lambda: {name for name, _ in changes} == {"changed", "removed", "new"})
    assert len(changes) == 3
    assert lists(api) == 2


def test_an_object_that_was_deleted_and_created_again_is_reported_in_both_states(
    api: Apiserver, make: Callable[..., Informer[Any]]
) -> None:
    uids: list[str] = []
    api.put("a", uid="old")
    informer = make(on_change=lambda obj: uids.append(obj["metadata"]["uid"]))
    soon("it watches", lambda: api.watching == 1)
    with api.unseen():
        api.remove("a")
        api.put("a", uid="new")
        api.forget()
    soon("both are reported", lambda: uids == ["old", "old", "new"])
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
        reply(b"{}"),
    ],
    ids=["500", "429", "403", "drop", "cut", "half", "error", "no json", "ends at once"],
)
def test_a_failing_watch_is_retried_and_no_change_is_lost(
    api: Apiserver, make: Callable[..., Informer[Any]], fault: Fault
) -> None:
    api.put("a")
    informer = make()
    soon("it watches", lambda: api.watching == 1)
    api.faults += [fault] * 3
    api.cut()
    api.put("b")
    soon("b is known", lambda: informer.get("default", "b"))
    soon("no problem is left", lambda: informer.problem is None)


def test_a_failing_first_list_is_retried(
    api: Apiserver, make: Callable[..., Informer[Any]]
) -> None:
    api.put("a")
    api.faults += [refuse(500, "etcd"), drop, reply(b"<html>"), refuse(410, "expired")]
    assert names(make()) == {"a"}


def test_an_error_is_the_problem_until_the_next_success(
    api: Apiserver, make: Callable[..., Informer[Any]]
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


def test_consecutive_failures_are_retried_with_growing_delays(
    api: Apiserver, make: Callable[..., Informer[Any]], caplog: pytest.LogCaptureFixture
) -> None:
    make(timings=Timings(backoff=Backoff(first=0.02, cap=10.0)))
    soon("it watches", lambda: api.watching == 1)
    api.faults += [refuse(500, "etcd")] * 1000
    began = time.monotonic()
    api.cut()
    soon("five failures", lambda: caplog.text.count("watch failed") >= 5)
    assert time.monotonic() - began >= 0.01 + 0.02 + 0.04 + 0.08


def test_retry_after_is_respected(api: Apiserver, make: Callable[..., Informer[Any]]) -> None:
    informer = make()
    soon("it watches", lambda: api.watching == 1)
    api.faults += [refuse(429, "slow down", headers={"Retry-After": "30"})]
    api.cut()
    soon("it is rejected", lambda: informer.problem == "slow down")
    began, sent = time.monotonic(), len(api.requests)
    informer.stop()
    assert time.monotonic() - began < 2, "stop does not wait for it"
    assert len(api.requests) == sent


def test_a_half_open_watch_is_noticed(api: Apiserver, tmp_path: Path) -> None:
    api.kubeconfig(tmp_path / "kubeconfig")
    cluster = cluster_of(tmp_path / "kubeconfig", Timeouts(connect=1.0, read=5.0, watch=0.2))
    informer = Informer(cluster, TESTRUNS, parse=dict, on_change=lambda _: None, timings=FAST)
    api.faults += [reply(b'{"items": [], "metadata": {"resourceVersion": "1"}}'), hang]
    informer.start()
    api.put("a")
    soon("a is known", lambda: informer.get("default", "a"))
    informer.stop()


def test_a_kind_that_is_not_installed_is_empty_until_it_is_installed(
    api: Apiserver, make: Callable[..., Informer[Any]], changes: Changes
) -> None:
    api.installed = False
    api.put("a")
    informer = make()
    assert not informer.installed
    assert informer.items() == []
    api.installed = True
    soon("it is installed and watched", lambda: informer.installed and api.watching == 1)
    assert names(informer) == {"a"}
    api.installed = False
    api.cut()
    soon("it is gone again", lambda: not informer.installed)
    assert informer.items() == []
    soon("the removal is reported", lambda: len(changes) == 2)


def test_malformed_objects_are_skipped_and_logged(
    api: Apiserver, make: Callable[..., Informer[Any]], caplog: pytest.LogCaptureFixture
) -> None:
    def parse(obj: dict[str, Any]) -> dict[str, Any]:
        assert "unreadable" not in obj, "unreadable"
        return obj

    informer = make(parse=parse)
    soon("it watches", lambda: api.watching == 1)
    malformed: list[Any] = [
        {},
        {"metadata": None},
        {"metadata": {"name": 7}},
        {"metadata": {"name": "x", "namespace": None}},
        {"metadata": {"name": "x", "namespace": "default"}, "unreadable": True},
    ]
    for obj in malformed:
        api.send("ADDED", obj)
    api.send("BOOKMARK", {"metadata": 7})
    api.put("a")
    soon("a is known", lambda: informer.get("default", "a"))
    assert names(informer) == {"a"}
    assert caplog.text.count("malformed object skipped") == len(malformed)
    assert "Traceback" not in caplog.text


def test_an_error_in_on_change_does_not_stop_the_informer(
    api: Apiserver, make: Callable[..., Informer[Any]], caplog: pytest.LogCaptureFixture
) -> None:
    def fail(obj: dict[str, Any]) -> None:
        raise ValueError("a bug")

    api.put("a")
    informer = make(on_change=fail)
    api.put("b")
    soon("b is known", lambda: informer.get("default", "b"))
    soon("both failures are logged", lambda: caplog.text.count("on_change failed") == 2)
    assert lists(api) == 1


def test_the_response_to_a_write_is_cached_and_not_reported(
    api: Apiserver, make: Callable[..., Informer[Any]], changes: Changes
) -> None:
    informer = make()
    with api.lock:  # the watch cannot be faster than the response to the write
        written = api.put("a")
        informer.put(dict(written))
        assert informer.get("default", "a") == written
    wait_until_current(api, informer)
    assert "a" not in [name for name, _ in changes]


def test_an_older_response_does_not_replace_a_newer_object(
    api: Apiserver, make: Callable[..., Informer[Any]]
) -> None:
    old = api.put("a")
    new = api.put("a")
    informer = make()
    informer.put(old)
    assert informer.get("default", "a") == new


def test_a_response_that_comes_after_the_deletion_is_ignored(
    api: Apiserver, make: Callable[..., Informer[Any]]
) -> None:
    late = api.put("a")
    informer = make()
    api.remove("a")
    soon("a is gone", lambda: informer.get("default", "a") is None)
    informer.put(late)
    assert informer.get("default", "a") is None


def test_the_parsed_value_is_cached_and_reported(
    api: Apiserver, make: Callable[..., Informer[Any]]
) -> None:
    api.put("a")
    reported: list[str] = []
    informer = make(parse=lambda obj: obj["metadata"]["name"], on_change=reported.append)
    assert informer.get("default", "a") == "a"
    assert informer.items() == reported == ["a"]


def test_a_stop_ends_a_silent_watch_at_once_and_keeps_the_cache(
    api: Apiserver, make: Callable[..., Informer[Any]]
) -> None:
    api.put("a")
    informer = make()
    soon("it watches", lambda: api.watching == 1)
    began = time.monotonic()
    informer.stop()
    assert time.monotonic() - began < 2
    assert names(informer) == {"a"}


def test_an_object_that_is_skipped_is_neither_cached_nor_reported_unless_it_is_cached(
    api: Apiserver, make: Callable[..., Informer[Any]], changes: Changes
) -> None:
    skipped: list[str] = []
    deleted: list[str] = []
    skips: set[str] = {"a", "b"}
    skip = Skip[Any](
        skips=lambda entry: entry.key[1] in skips,
        deleted=lambda entry: deleted.append(entry.key[1]),
        listed=lambda names, namespace, version: skipped.extend(name for _, name in names),
    )
    api.put("a")
    informer = make(skip=skip)
    assert skipped == ["a"]
    api.put("b")
    api.put("c")
    soon("c is known", lambda: informer.get("default", "c"))
    skips.add("c")
    api.put("c")
    api.remove("a")
    soon("the deletion is reported", lambda: deleted == ["a"])
    assert names(informer) == {"c"}
    assert [name for name, _ in changes] == ["c", "c"]


def test_a_skipped_event_advances_the_version_to_resume_from(
    api: Apiserver, make: Callable[..., Informer[Any]]
) -> None:
    make(skip=Skip[Any](skips=lambda entry: True))
    soon("it watches", lambda: api.watching == 1)
    version = api.put("a")["metadata"]["resourceVersion"]
    soon("it is seen", lambda: informer_version(api) == version)


def informer_version(api: Apiserver) -> str:
    """Break the watch; return the version that the next one resumes from."""
    before = watches(api)
    api.cut()
    soon("it watches again", lambda: watches(api) > before)
    return api.requests[-1].query["resourceVersion"]


def test_an_informer_lists_after_the_one_before_it(api: Apiserver, cluster: Cluster) -> None:
    first = Informer(cluster, TESTRUNS, parse=dict, on_change=lambda _: None, timings=FAST)
    second = Informer(
        cluster, TESTRUNS, parse=dict, on_change=lambda _: None, after=first, timings=FAST
    )
    second.start()
    assert not api.requests
    first.start()
    soon("both have listed", lambda: first.synced.is_set() and second.synced.is_set())
    for informer in (first, second):
        informer.stop()
    waiting = Informer(
        cluster,
        TESTRUNS,
        parse=dict,
        on_change=lambda _: None,
        after=Informer(cluster, TESTRUNS, parse=dict, on_change=lambda _: None),
    )
    waiting.start()
    waiting.stop()
    assert not waiting._thread.is_alive()
