"""Parse and format RFC 3339 times; format durations and ages for people. Pure."""

from datetime import UTC, datetime, timedelta
from typing import Any


def parse_time(text: Any) -> datetime | None:
    """Return an RFC 3339 time in UTC, with all of its digits.

    Return None for anything else, also for a time without a zone and for the zero time
    (`0001-01-01T00:00:00Z`) that Go programs write where they have no time.
    """
    if not isinstance(text, str):
        return None
    try:
        parsed = datetime.fromisoformat(text)
        if parsed.tzinfo is None or parsed.year <= 1970:
            return None
        return parsed.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def format_time(at: datetime) -> str:
    """Return a time as Kubernetes writes it: RFC 3339, UTC, whole seconds."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def format_duration(seconds: float) -> str:
    """Return how long something took: `<1s`, `0.4s`, `12s`, `1m12s`, `2h05m`, `3d04h`.

    Kubernetes reports whole seconds, so exactly 0 is a duration below one second: `<1s`.
    A negative duration counts as 0.
    """
    if seconds <= 0:
        return "<1s"
    if seconds < 0.95:
        return "<0.1s" if seconds < 0.05 else f"{seconds:.1f}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02}s"
    if whole < 86400:
        return f"{whole // 3600}h{whole % 3600 // 60:02}m"
    return f"{whole // 86400}d{whole % 86400 // 3600:02}h"


def format_age(age: timedelta) -> str:
    """Return how long ago something was, in its largest unit: `5s`, `12m`, `3h`, `4d`."""
    whole = max(int(age.total_seconds()), 0)
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if whole >= size:
            return f"{whole // size}{unit}"
    return f"{whole}s"
