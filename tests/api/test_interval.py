"""Keys are due again after an interval, and few of them are kept."""

from hypothesis import given
from hypothesis import strategies as st

from sparktest.api import interval
from sparktest.api.interval import Interval


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 20)), max_size=50))
def test_a_key_is_due_once_in_an_interval(calls):
    every = Interval(5.0)
    last: dict[str, float] = {}
    for key, now in sorted(calls, key=lambda call: call[1]):
        due = key not in last or now >= last[key] + 5.0
        assert every.is_due(key, now) is due
        if due:
            last[key] = now


def test_it_keeps_few_keys_and_forgets_first_those_that_are_due(monkeypatch):
    monkeypatch.setattr(interval, "MAX_KEYS", 3)
    every = Interval(5.0)
    assert all(every.is_due(key, now) for key, now in (("a", 0), ("b", 3), ("c", 3)))
    assert every.is_due("d", 6)
    assert not every.is_due("b", 6)
    assert every.is_due("e", 6)
    assert len(every._next) <= 3
