"""How many events a limit allows, in bursts and in the long run."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparktest.api import rate_limit
from sparktest.api.rate_limit import RateLimit

LIMIT, SECONDS = 5, 10.0


@given(st.lists(st.floats(0, 100), max_size=100))
def test_no_window_has_more_than_twice_the_limit(times):
    limit = RateLimit(LIMIT, SECONDS)
    allowed = [now for now in sorted(times) if limit.acquire("a", now) == 0]
    for start in allowed:
        assert sum(start <= now < start + SECONDS for now in allowed) <= 2 * LIMIT


@given(st.lists(st.floats(0, 100), max_size=100))
def test_after_the_wait_the_next_event_is_allowed(times):
    limit = RateLimit(LIMIT, SECONDS)
    for now in sorted(times):
        left = limit.acquire("a", now)
        assert 0 <= left <= SECONDS / LIMIT + 0.001
        if left:
            assert limit.wait("a", now + left) == 0


def test_a_burst_then_one_at_a_time():
    limit = RateLimit(LIMIT, SECONDS)
    assert [limit.acquire("a", 0) for _ in range(5)] == [0] * 5
    assert limit.acquire("a", 0) == pytest.approx(2.0)
    assert limit.acquire("a", 1.0) == pytest.approx(1.0)
    assert limit.acquire("a", 2.0) == 0
    assert limit.acquire("a", 2.0) == pytest.approx(2.0)
    assert [limit.acquire("a", 12.0) for _ in range(5)] == [0] * 5


def test_keys_are_independent_and_few_are_kept(monkeypatch):
    monkeypatch.setattr(rate_limit, "MAX_KEYS", 3)
    limit = RateLimit(1, SECONDS)
    assert [limit.acquire(key, 0) for key in "abcd"] == [0] * 4
    assert len(limit._free_at) <= 3
    assert limit.acquire("d", 0) > 0
