import pytest

from sparktest.cli.exits import Exit, ExitError
from sparktest.cli.manifests.starting import start_all
from sparktest.errors import InvalidError


def fail() -> str:
    raise InvalidError("is wrong")


def test_all_are_started_in_order() -> None:
    shown: list[str] = []

    started = start_all([("x", lambda: "a"), ("y", lambda: "b")], shown.append)

    started.finish()
    assert started.runs == shown == ["a", "b"]


def test_after_an_error_the_others_are_not_started() -> None:
    shown: list[str] = []

    started = start_all([("x", lambda: "a"), ("y", fail), ("z", lambda: "c")], shown.append)

    assert started.runs == shown == ["a"]
    with pytest.raises(ExitError, match="y: is wrong; 1 of 3 were started") as raised:
        started.finish()
    assert raised.value.code is Exit.USAGE


def test_an_only_one_fails_as_itself() -> None:
    with pytest.raises(InvalidError):
        start_all([("x", fail)], print)
