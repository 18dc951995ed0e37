from typing import Any

import pytest

from sparktest.controller.object_cache import Entry, ObjectCache, make_entry


def obj(name: str, version: int, uid: str = "u") -> Entry[str]:
    return Entry(("ns", name), uid, version, name)


@pytest.fixture
def cache() -> ObjectCache[str]:
    """A cache with a (version 10) and b (version 11)."""
    filled: ObjectCache[str] = ObjectCache()
    filled.replace([obj("a", 10), obj("b", 11)], "11")
    return filled


def test_a_list_reports_new_changed_and_deleted_objects_only(cache: ObjectCache[str]) -> None:
    changed = cache.replace([obj("b", 11), obj("c", 12)], "13")
    assert changed == [obj("a", 10), obj("c", 12)]
    assert cache.items() == [obj("b", 11), obj("c", 12)]
    assert cache.version == "13"


def test_an_object_that_was_put_after_the_list_was_read_stays(cache: ObjectCache[str]) -> None:
    assert cache.put(obj("new", 20))
    assert cache.put(obj("a", 21))
    assert cache.replace([obj("a", 10), obj("b", 11)], "12") == []
    assert cache.items() == [obj("a", 21), obj("b", 11), obj("new", 20)]


def test_an_empty_list_without_a_version_empties_the_cache(cache: ObjectCache[str]) -> None:
    cache.put(obj("new", 20))
    assert len(cache.replace([], "")) == 3
    assert cache.items() == []


def test_a_list_of_a_restored_store_replaces_what_is_newer(cache: ObjectCache[str]) -> None:
    cache.put(obj("new", 20))
    assert len(cache.replace([obj("a", 5)], "6")) == 3
    assert cache.items() == [obj("a", 5)]
    assert cache.version == "6"


def test_versions_are_compared_as_numbers(cache: ObjectCache[str]) -> None:
    assert cache.put(obj("a", 9)) is False
    assert cache.put(obj("a", 100)) is True
    assert cache.put(obj("b", 12)) is True


def test_an_older_event_only_advances_the_version(cache: ObjectCache[str]) -> None:
    cache.put(obj("a", 20))
    assert cache.apply(obj("a", 15), deleted=False) == []
    assert cache.get(("ns", "a")) == obj("a", 20)
    assert cache.version == "15"


def test_a_new_version_with_the_same_value_is_cached_and_not_reported(
    cache: ObjectCache[str],
) -> None:
    assert cache.apply(obj("a", 12), deleted=False) == []
    assert cache.get(("ns", "a")) == obj("a", 12)
    assert cache.apply(Entry(("ns", "a"), "u", 13, "other"), deleted=False)


@pytest.mark.parametrize(
    ("name", "version", "has"),
    [("a", "9", True), ("a", "10", True), ("a", "11", False), ("c", "9", False), ("a", {}, True)],
)
def test_a_version_is_cached_if_it_is_not_newer_than_the_cached_one(
    cache: ObjectCache[str], name: str, version: Any, *, has: bool
) -> None:
    metadata = {"name": name, "namespace": "ns", "resourceVersion": version}
    assert cache.has({"metadata": metadata}) is has


@pytest.mark.parametrize("value", [None, [], {"metadata": 7}, {"metadata": {"name": ["a"]}}])
def test_a_malformed_object_is_not_cached(cache: ObjectCache[str], value: Any) -> None:
    assert not cache.has(value)


def test_the_deletion_of_an_object_whose_name_is_taken_is_reported_and_the_newer_one_stays(
    cache: ObjectCache[str],
) -> None:
    cache.put(obj("a", 20, uid="second"))
    assert cache.apply(obj("a", 15), deleted=True) == [obj("a", 15)]
    assert cache.get(("ns", "a")) == obj("a", 20, uid="second")


def test_an_object_that_replaces_another_with_its_name_reports_both(
    cache: ObjectCache[str],
) -> None:
    second = obj("a", 20, uid="second")
    assert cache.apply(second, deleted=False) == [obj("a", 10), second]


def test_a_deletion_is_reported_once(cache: ObjectCache[str]) -> None:
    assert cache.apply(obj("a", 12), deleted=True) == [obj("a", 12)]
    assert cache.apply(obj("a", 12), deleted=True) == []


@pytest.mark.parametrize(
    ("value", "key"),
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
def test_the_key_is_namespace_and_name(value: Any, key: tuple[str, str] | None) -> None:
    entry = make_entry(value, dict)
    assert (entry.key if entry else None) == key


@pytest.mark.parametrize(("given", "version"), [("7", 7), ("x", 0), (7, 0), (None, 0)])
def test_an_entry_has_uid_version_and_value_of_its_object(given: Any, version: int) -> None:
    obj = {"metadata": {"name": "a", "uid": "u", "resourceVersion": given}}
    assert make_entry(obj, len) == Entry(("", "a"), "u", version, 1)


def test_a_discarded_object_is_put_again_only_by_a_restore(cache: ObjectCache[str]) -> None:
    entry = cache.get(("ns", "a"))
    assert entry is not None
    assert cache.discard(entry)
    assert not cache.put(entry), "it looks like one that was deleted"
    cache.restore(entry)
    assert cache.get(("ns", "a")) is entry


def test_an_object_that_has_changed_is_neither_discarded_nor_replaced_by_a_restore(
    cache: ObjectCache[str],
) -> None:
    old = cache.get(("ns", "a"))
    assert old is not None
    cache.put(obj("a", 20))
    assert not cache.discard(old)
    cache.restore(old)
    assert cache.get(("ns", "a")) == obj("a", 20)
