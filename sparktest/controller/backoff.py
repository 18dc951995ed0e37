"""How long to wait before trying again."""

import random

import msgspec


class Backoff(msgspec.Struct, frozen=True, kw_only=True):
    """Doubles from `first` to `cap` seconds, each less up to half of itself at random."""

    first: float
    cap: float

    def seconds(self, failures: int, rng: random.Random) -> float:
        """The wait after that many failures before this one."""
        # 2**64 is beyond any cap; more would overflow a float in the end.
        whole = min(self.first * 2.0 ** min(failures, 64), self.cap)
        return whole * rng.uniform(0.5, 1.0)
