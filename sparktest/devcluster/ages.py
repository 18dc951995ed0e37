"""How long ago something was, in the few letters that kubectl uses. Pure."""

from datetime import datetime

from sparktest.devcluster.clock import moment

MINUTE, HOUR, DAY = 60, 3600, 86400
YEAR = 365 * DAY


def age(since: object, now: datetime) -> str:
    """How long ago an RFC 3339 time was: `<unknown>` without one, `<invalid>` if it is none."""
    if not since:
        return "<unknown>"
    try:
        return duration((now - moment(str(since))).total_seconds())
    except ValueError:
        return "<invalid>"


def duration(seconds: float) -> str:
    """`119s`, `9m59s`, `2h59m`, `47h`, `7d23h`, `1y`: two units while the first is small."""
    total = int(seconds)
    if total < -1:
        return "<invalid>"
    if total < 2 * MINUTE:
        return f"{max(total, 0)}s"
    for unit, below, big, finer, small in STEPS:
        if total < unit * below:
            whole, rest = divmod(total, unit)
            part = rest // finer if finer else 0
            return f"{whole}{big}" + (f"{part}{small}" if part else "")
    return f"{total // YEAR}y"


# Unit, up to how many of it, its letter; the finer unit beside it (0: none) and its letter.
STEPS = (
    (MINUTE, 10, "m", 1, "s"),
    (MINUTE, 180, "m", 0, ""),
    (HOUR, 8, "h", MINUTE, "m"),
    (HOUR, 48, "h", 0, ""),
    (DAY, 8, "d", HOUR, "h"),
    (DAY, 730, "d", 0, ""),
    (YEAR, 8, "y", DAY, "d"),
)
