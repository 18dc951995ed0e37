import threading
from contextlib import ExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparktest.controller.bulkhead import Bulkhead, BulkheadFullError
from sparktest.controller.testruns import Key
from sparktest.controller.workqueue import LOW_PRIORITY, NORMAL_PRIORITY

LIMIT = 2


class Setup:
    """A bulkhead, the keys that it queued, and the priorities of others."""

    def __init__(self, limit: int = LIMIT) -> None:
        self.queued: list[str] = []
        self.priorities: dict[str, int] = {}
        self.bulkhead = Bulkhead(
            limit,
            on_key=lambda key: self.queued.append(key[1]),
            priority=lambda key: self.priorities.get(key[1], NORMAL_PRIORITY),
        )

    def enter(self, name: str) -> ExitStack:
        """Begin a call, which ends with the stack."""
        stack = ExitStack()
        stack.enter_context(self.bulkhead.call(key(name)))
        return stack

    def is_full_for(self, name: str) -> bool:
        try:
            self.enter(name).close()
        except BulkheadFullError:
            return True
        return False


def key(name: str) -> Key:
    return ("tests", name)


@pytest.fixture
def setup() -> Setup:
    return Setup()


def test_a_key_that_finds_no_room_is_queued_when_a_call_has_ended(setup: Setup) -> None:
    first, second = setup.enter("a"), setup.enter("b")
    assert setup.is_full_for("c")
    assert setup.queued == []
    first.close()
    assert setup.queued == ["c"]
    assert not setup.is_full_for("c")
    second.close()
    assert setup.queued == ["c"]


def test_keys_of_the_backlog_are_queued_last(setup: Setup) -> None:
    calls = [setup.enter("a"), setup.enter("b")]
    setup.priorities = {"backlog": LOW_PRIORITY}
    for name in ("backlog", "first", "second"):
        assert setup.is_full_for(name)
    for call in calls:
        call.close()
    assert setup.queued == ["first", "second", "backlog"]


def test_a_call_that_fails_makes_room_too(setup: Setup) -> None:
    for _ in range(LIMIT + 1):
        with pytest.raises(ValueError, match="refused"), setup.bulkhead.call(key("a")):
            raise ValueError("refused")
    assert not setup.is_full_for("a")


def test_a_queued_key_that_needs_no_call_any_more_does_not_block_the_others() -> None:
    setup = Setup(1)
    call = setup.enter("a")
    assert setup.is_full_for("b")
    assert setup.is_full_for("c")
    call.close()
    assert setup.queued == ["b"]
    # Its reconcile ends without a call.
    setup.bulkhead.wake()
    assert setup.queued == ["b", "c"]


@given(limit=st.integers(1, 3), callers=st.integers(1, 8))
def test_of_many_callers_no_more_than_the_limit_call_at_once_and_all_do(
    limit: int, callers: int
) -> None:
    setup = Setup(limit)
    setup.queued = [str(number) for number in range(callers)]
    lock, calling, most = threading.Lock(), 0, 0
    done: list[str] = []

    def work() -> None:
        nonlocal calling, most
        while len(done) < callers:
            with lock:
                name = setup.queued.pop(0) if setup.queued else None
            if name is None:
                continue
            try:
                with setup.bulkhead.call(key(name)):
                    with lock:
                        calling += 1
                        most = max(most, calling)
                    with lock:
                        calling -= 1
                done.append(name)
            except BulkheadFullError:
                pass
            finally:
                setup.bulkhead.wake()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(done) == sorted({str(number) for number in range(callers)})
    assert most <= limit
