"""JSON Merge Patch (RFC 7396)."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sparktest.merge_patch import merge_patch

VALUES = st.recursive(
    st.booleans() | st.integers() | st.text(max_size=3),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=2), below),
    max_leaves=6,
)
OBJECTS = st.dictionaries(st.text(max_size=2), VALUES, max_size=4)


def diff(old: Any, new: Any) -> Any:
    """Return the merge patch from one value to another."""
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return new
    removed = {key: None for key in old if key not in new}
    return removed | {key: diff(old.get(key), new[key]) for key in new if new[key] != old.get(key)}


@given(OBJECTS, OBJECTS)
def test_a_patch_of_the_difference_gives_the_other_object(old: Any, new: Any) -> None:
    before = repr(old)
    assert merge_patch(old, diff(old, new)) == new
    assert repr(old) == before


def test_null_removes_a_key() -> None:
    assert merge_patch({"a": {"b": 1, "c": 2}}, {"a": {"b": None}}) == {"a": {"c": 2}}
