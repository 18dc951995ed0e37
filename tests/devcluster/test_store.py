"""The store: versions, restarts, history."""

import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparktest.devcluster.api_errors import StatusError
from sparktest.devcluster.store import MAX_EVENTS, Store
from sparktest.devcluster.stored_objects import WatchEvent
from sparktest.errors import UnavailableError

KIND = "/things"


def thing(name: str, uid: str = "", **meta: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "n", "uid": uid or f"uid-{name}", **meta}}


def events_after(store: Store, version: int) -> list[tuple[str, str]]:
    found = store.history(KIND).after(version, 0)
    assert found is not None
    return [(event.type, event.object.name) for event in found]


def test_every_write_has_the_next_version(tmp_path: Path) -> None:
    store = Store(tmp_path / "db")
    first, second = store.put(KIND, thing("a")), store.put(KIND, thing("b"))
    again = store.put(KIND, thing("a"))
    assert first.version < second.version < again.version
    assert again.decode()["metadata"]["resourceVersion"] == str(again.version)
    store.close()


def test_a_restart_keeps_objects_and_continues_versions(tmp_path: Path) -> None:
    store = Store(tmp_path / "db")
    store.put(KIND, thing("a", labels={"x": "y"}, ownerReferences=[{"uid": "o"}]))
    gone = store.remove(KIND, store.put(KIND, thing("b")).decode())
    store.close()
    again = Store(tmp_path / "db")
    (entry,) = again.objects(KIND)
    assert (entry.name, entry.labels, entry.owners) == ("a", {"x": "y"}, ("o",))
    assert again.by_uid("uid-a") == entry
    assert again.dependents("o") == [entry]
    assert again.put(KIND, thing("c")).version > gone.version
    again.close()


def test_a_failed_write_stores_nothing_and_the_next_can_succeed(tmp_path: Path) -> None:
    store = Store(tmp_path / "db")
    kept = store.put(KIND, thing("a"))
    store._database.execute("PRAGMA max_page_count = 1")  # a disk that is full
    with pytest.raises(StatusError, match="cannot store the object: database or disk is full"):
        store.put(KIND, thing("b", text="x" * 100_000))
    assert store.objects(KIND) == [kept]
    store._database.execute("PRAGMA max_page_count = 1000000")
    store.put(KIND, thing("b", text="x" * 100_000))
    store.close()
    again = Store(tmp_path / "db")
    assert [entry.name for entry in again.objects(KIND)] == ["a", "b"]
    again.close()


def test_history_returns_the_events_after_a_version(tmp_path: Path) -> None:
    store = Store(tmp_path / "db")
    version = store.version
    first = store.put(KIND, thing("a"))
    store.put(KIND, thing("a"))
    store.remove(KIND, thing("a"))
    assert events_after(store, version) == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]
    assert events_after(store, first.version) == [("MODIFIED", "a"), ("DELETED", "a")]
    assert events_after(store, store.version) == []
    store.close()


def test_history_returns_none_for_dropped_events(tmp_path: Path) -> None:
    store = Store(tmp_path / "db")
    history = store.history(KIND)
    old = store.version
    entry = store.put(KIND, thing("a"))
    for _ in range(2 * MAX_EVENTS + 1):
        history.add(WatchEvent("MODIFIED", entry, None))
    assert history.after(old, 0) is None
    history.discard(store.version)
    assert history.after(store.version - 1, 0) is None
    assert history.after(store.version, 0) == []
    store.close()


def test_a_write_wakes_a_waiting_reader(tmp_path: Path) -> None:
    store = Store(tmp_path / "db")
    found: list[Any] = []
    history, version = store.history(KIND), store.version
    waiting = threading.Thread(target=lambda: found.extend(history.after(version, 20) or ()))
    waiting.start()
    store.put(KIND, thing("a"))
    waiting.join(60)
    assert [event.object.name for event in found] == ["a"]
    store.close()


def test_lists_are_in_order_of_namespace_and_name(tmp_path: Path) -> None:
    store = Store(tmp_path / "db")
    for namespace, name in (("b", "x"), ("a", "z"), ("a", "y")):
        obj = thing(name, f"{namespace}{name}")
        obj["metadata"]["namespace"] = namespace
        store.put(KIND, obj)
    assert [(e.namespace, e.name) for e in store.objects(KIND)] == [
        ("a", "y"),
        ("a", "z"),
        ("b", "x"),
    ]
    assert [e.name for e in store.objects(KIND, "a")] == ["y", "z"]
    store.close()


WRITES = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from(["put", "remove"])), max_size=15
)


@settings(max_examples=30, deadline=None)
@given(writes=WRITES, at=st.integers(0, 15))
def test_a_list_and_the_events_after_it_give_the_current_state(
    tmp_path_factory: Any, writes: Any, at: int
) -> None:
    store = Store(tmp_path_factory.mktemp("store") / "db")
    listed: dict[str, str] = {}
    version = store.version
    for index, (name, verb) in enumerate(writes):
        if index == at:
            listed = {e.name: e.uid for e in store.objects(KIND)}
            version = store.version
        if verb == "put":
            store.put(KIND, thing(name, f"{name}-{index}"))
        elif store.get(KIND, "n", name):
            store.remove(KIND, thing(name))
    for event in store.history(KIND).after(version, 0) or ():
        if event.type == "DELETED":
            listed.pop(event.object.name)
        else:
            listed[event.object.name] = event.object.uid
    expected = {e.name: e.uid for e in store.objects(KIND)}
    if at < len(writes):
        assert listed == expected
    store.close()


def test_a_file_that_is_not_a_database_is_reported_and_closed(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    path.write_text("this is no database, " * 100)

    with pytest.raises(UnavailableError, match="sparktest devcluster reset"):
        Store(path)

    held = [link.readlink() for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    assert path not in held
