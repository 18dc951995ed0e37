"""When a program that was killed may start again. Pure but for what it remembers."""

from collections import defaultdict, deque

# So many deaths of one program within this time are a fault that a restart does not mend.
MOST = 10
WITHIN_SECONDS = 60.0
FIRST_SECONDS = 0.25
LONGEST_SECONDS = 5.0


class Restarts:
    """Counts the deaths of each program."""

    def __init__(self) -> None:
        self._deaths: defaultdict[str, deque[float]] = defaultdict(deque)

    def delay(self, name: str, now: float) -> float | None:
        """How many seconds to wait after a death that happened now; None if it was one too many.

        Twice as long for each death that is not long ago, up to a limit.
        """
        deaths = self._deaths[name]
        deaths.append(now)
        while deaths[0] <= now - WITHIN_SECONDS:
            deaths.popleft()
        if len(deaths) > MOST:
            return None
        return min(FIRST_SECONDS * 2.0 ** (len(deaths) - 1), LONGEST_SECONDS)
