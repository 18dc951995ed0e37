"""Reading fields of objects of any shape."""

from typing import Any

import pytest

from sparktest.kube.fields import integer, items, mapping, text, texts

WRONG: list[Any] = [None, 7.5, [], {}, object()]


def test_a_field_of_the_right_type_is_returned() -> None:
    obj = {"map": {"a": 1}, "list": [{"b": 2}], "texts": ["d"], "text": "c", "number": 3}
    assert mapping(obj, "map") == {"a": 1}
    assert items(obj, "list") == [{"b": 2}]
    assert text(obj, "text") == "c"
    assert texts(obj, "texts") == ["d"]
    assert integer(obj, "number") == 3


@pytest.mark.parametrize("value", WRONG, ids=lambda value: type(value).__name__)
def test_a_field_of_a_wrong_type_is_absent(value: Any) -> None:
    obj = {"field": value}
    assert mapping(obj, "field") == {}
    assert items(obj, "field") == []
    assert texts(obj, "field") == []
    assert text(obj, "field") == ""
    assert integer(obj, "field") is None


def test_a_missing_field_and_a_missing_parent_are_absent() -> None:
    assert mapping({}, "field") == mapping(None, "field") == {}
    assert (items({}, "field"), text({}, "field"), integer({}, "field")) == ([], "", None)


def test_entries_of_another_type_are_left_out() -> None:
    assert integer({"field": True}, "field") is None
    assert items({"field": [1, None, {"a": 1}]}, "field") == [{"a": 1}]
    assert texts({"field": [1, None, "a"]}, "field") == ["a"]
