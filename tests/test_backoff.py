"""Delays of the exponential back-off."""

import random

from hypothesis import given
from hypothesis import strategies as st

from sparktest.backoff import Backoff

BACKOFF = Backoff(first=0.8, cap=30.0)


@given(failures=st.integers(min_value=0, max_value=10**9), rng=st.randoms())
def test_a_delay_is_between_half_and_all_of_its_step_which_is_at_most_the_cap(
    failures: int, rng: random.Random
) -> None:
    step = min(0.8 * 2 ** min(failures, 10), 30.0)
    assert step / 2 <= BACKOFF.delay(failures, rng) <= step


def test_clients_that_fail_at_the_same_time_retry_at_different_times() -> None:
    delays = {BACKOFF.delay(3) for _ in range(20)}
    assert len(delays) == 20
