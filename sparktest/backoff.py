"""Exponential back-off: how long to wait before the next retry."""

import random

import msgspec


class Backoff(msgspec.Struct, frozen=True, kw_only=True):
    """Delays that double from `first` to `cap` seconds, each shortened by up to half at random.

    Every retry loop of SparkTest takes its delays from here.
    """

    first: float
    cap: float

    def delay(self, failures: int, rng: random.Random | None = None) -> float:
        """Return the seconds to wait after `failures` earlier failures; 0 gives about `first`.

        The jitter comes from the module `random` unless `rng` is given.
        """
        # 2**64 is beyond any cap; a larger exponent would overflow a float.
        whole = min(self.first * 2.0 ** min(failures, 64), self.cap)
        uniform = rng.uniform if rng else random.uniform
        return whole * uniform(0.5, 1.0)
