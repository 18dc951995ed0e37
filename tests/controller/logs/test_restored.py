"""A log that is stored again, because a part of it was lost with the database."""

from collections.abc import Callable

import pytest

from sparktest.controller.logs.cursor import GAP
from sparktest.domain import Log, LogState
from sparktest.errors import NotFoundError, SparkTestError, UnavailableError
from tests.controller.logs.fake_kubelet import Part
from tests.controller.logs.fake_log_store import LogStore
from tests.controller.logs.test_collector import LINE, Setup, key, setup, soon

__all__ = ["setup"]
SECOND = b"2026-11-24T12:00:02.5Z two\n"


@pytest.mark.parametrize("left", [[LINE, SECOND], [SECOND]])
def test_a_log_that_a_restored_database_lost_is_read_again_from_its_start(
    setup: Callable[..., Setup], left: list[Part]
) -> None:
    store = LogStore()
    at = setup(store=store)
    at.kubelet.scripts = [[*at.blocked(), SECOND], left]
    at.collect("a")
    soon("the first line is stored", lambda: store.stored)
    store.stored = b"o"
    at.gate.set()
    log = at.stored("a")
    if LINE in left:
        assert store.stored == b"one\ntwo\n"
        assert log == Log(state=LogState.COMPLETE, bytes=8)
    else:
        assert store.stored == b"o" + GAP + b"two\n"
        assert (log.state, log.reason) == (LogState.PARTIAL, "LogRotated")


def test_a_discarded_log_is_collected_again(setup: Callable[..., Setup]) -> None:
    at = setup([LINE], [LINE])
    at.collect("a")
    at.stored("a")
    at.store.stored = b""
    at.done.clear()
    at.collector.discard(key("a"))
    assert at.collector.logs(key("a")) == {}
    at.collect("a")
    assert at.stored("a") == Log(state=LogState.COMPLETE, bytes=4)


def test_a_log_that_is_discarded_while_it_is_collected_is_collected_anew(
    setup: Callable[..., Setup],
) -> None:
    at = setup()
    at.kubelet.scripts = [at.blocked(), [LINE, SECOND]]
    at.collect("a")
    soon("it is read", lambda: at.store.stored)
    at.store.stored = b""
    at.collector.discard(key("a"))
    assert not at.collector.in_progress(key("a"))
    assert at.collect("a")
    assert at.stored("a") == Log(state=LogState.COMPLETE, bytes=8)
    at.gate.set()
    soon("both have ended", at.idle)
    assert at.store.stored == b"one\ntwo\n"
    assert at.done == [key("a")]


@pytest.mark.parametrize("error", [NotFoundError("no such run"), UnavailableError("unreachable")])
def test_a_discarded_log_is_no_longer_sent(
    setup: Callable[..., Setup], error: SparkTestError
) -> None:
    at = setup([LINE], store=LogStore(*[error] * 100_000))
    at.collect("a")
    soon("it has been tried", lambda: len(at.store.faults) < 100_000)
    at.collector.discard(key("a"))
    soon("it has ended", at.idle)
    assert at.collector.logs(key("a")) == {}
    assert at.done == []
