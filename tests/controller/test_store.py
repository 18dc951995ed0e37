"""What the store keeps and what it tells, whatever the order in which answers come."""

from typing import Any

import pytest

from sparktest.controller.store import Store, key_of


def run(name: str, version: int, uid: str = "u") -> dict[str, Any]:
    metadata = {"namespace": "ns", "name": name, "uid": uid, "resourceVersion": str(version)}
    return {"metadata": metadata}


@pytest.fixture
def store() -> Store:
    """A store with a (version 10) and b (version 11)."""
    filled = Store()
    filled.replace([run("a", 10), run("b", 11)], "11")
    return filled


def test_a_list_tells_the_new_the_changed_and_the_deleted_but_not_the_same(store: Store) -> None:
    told = store.replace([run("b", 11), run("c", 12)], "13")
    assert told == [run("a", 10), run("c", 12)]
    assert store.items() == [run("b", 11), run("c", 12)]
    assert store.version == "13"


def test_what_was_written_after_the_list_was_read_stays(store: Store) -> None:
    assert store.put(run("new", 20))
    assert store.put(run("a", 21))
    assert store.replace([run("a", 10), run("b", 11)], "12") == []
    assert store.items() == [run("a", 21), run("b", 11), run("new", 20)]


def test_a_list_of_a_kind_that_is_no_longer_there_empties_it(store: Store) -> None:
    store.put(run("new", 20))
    assert len(store.replace([], "")) == 3
    assert store.items() == []


def test_versions_are_numbers_not_text(store: Store) -> None:
    assert store.put(run("a", 9)) is False
    assert store.put(run("a", 100)) is True
    assert store.put(run("b", 12)) is True


def test_an_older_event_changes_nothing_but_moves_the_point_to_resume_from(store: Store) -> None:
    store.put(run("a", 20))
    assert store.apply(run("a", 15), deleted=False) == []
    assert store.get(("ns", "a")) == run("a", 20)
    assert store.version == "15"


def test_the_end_of_one_whose_name_is_taken_by_a_newer_is_told_and_the_newer_stays(
    store: Store,
) -> None:
    store.put(run("a", 20, uid="second"))
    assert store.apply(run("a", 15), deleted=True) == [run("a", 15)]
    assert store.get(("ns", "a")) == run("a", 20, uid="second")


def test_one_that_replaces_another_under_its_name_tells_of_both(store: Store) -> None:
    second = run("a", 20, uid="second")
    assert store.apply(second, deleted=False) == [run("a", 10), second]


def test_a_deletion_is_told_once(store: Store) -> None:
    assert store.apply(run("a", 12), deleted=True) == [run("a", 12)]
    assert store.apply(run("a", 12), deleted=True) == []


@pytest.mark.parametrize(
    ("obj", "key"),
    [
        ({"metadata": {"name": "a", "namespace": "ns"}}, ("ns", "a")),
        ({"metadata": {"name": "a"}}, ("", "a")),
        ({"metadata": {"name": ""}}, None),
        ({"metadata": {"namespace": "ns"}}, None),
        ({"metadata": {"name": "a", "namespace": 7}}, None),
        ({"metadata": []}, None),
        ({}, None),
        (None, None),
    ],
)
def test_an_object_is_known_by_namespace_and_name(obj: Any, key: tuple[str, str] | None) -> None:
    assert key_of(obj) == key
