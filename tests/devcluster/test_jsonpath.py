"""JSONPath, as much as printer columns use."""

from typing import Any

import pytest

from sparktest.devcluster import jsonpath

OBJECT: dict[str, Any] = {
    "spec": {"a": "x", "b.c": "y", "list": [{"t": "R", "s": "1"}, {"t": "S", "s": "2"}]}
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (".spec.a", ["x"]),
        ("{.spec.a}", ["x"]),
        (r".spec.b\.c", ["y"]),
        (".spec['nope','a','b.c']", ["x", "y"]),
        (".spec.list[1].s", ["2"]),
        (".spec.list[-1].s", ["2"]),
        (".spec.list[9].s", []),
        (".spec.list[*].t", ["R", "S"]),
        ('.spec.list[?(@.t=="S")].s', ["2"]),
        (".nope.a", []),
        (".spec[broken", []),
    ],
)
def test_a_path_finds_its_values(path: str, found: list[str]) -> None:
    assert jsonpath.find(path, OBJECT) == found


@pytest.mark.parametrize(
    ("value", "text"), [("a", "a"), (True, "true"), ({"a": [1, None]}, '{"a":[1,null]}')]
)
def test_a_value_that_is_not_text_is_shown_as_json(value: Any, text: str) -> None:
    assert jsonpath.to_text(value) == text
