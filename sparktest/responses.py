"""What an answer of the API says beside its document: error, warnings, next page. Pure."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from sparktest.errors import FieldError, OffsetError, SparkTestError, for_status

# RFC 9111: 299 is a warning that stays; the text is in quotes.
WARNING = re.compile(r'\b299 \S+ ("(?:[^"\\]|\\.)*")')

Clean = Callable[[Any], Any]
Warn = Callable[[str], None]


class Problem(msgspec.Struct, frozen=True):
    """The part of problem+json (RFC 9457) that we read."""

    detail: str = ""
    errors: tuple[FieldError, ...] = ()
    stored: int | None = None


def error_of(
    status: int, reason: str, headers: Mapping[str, str], body: bytes, clean: Clean
) -> SparkTestError:
    """The error that the server raised, of the same class.

    Args:
        status: 300 or more. A redirect is an error: the API sends none, and to follow one would
            hand on the token.
        reason: the text behind the status.
        headers: by their names in any case.
        body: of any kind; only problem+json is read.
        clean: makes text safe to show.
    """
    problem = _problem(headers.get("Content-Type", ""), body, clean)
    detail = problem.detail or clean(f"HTTP {status} {reason}".rstrip())
    if problem.stored is not None:
        return OffsetError(detail, stored=problem.stored)
    after = headers.get("Retry-After", "")
    return for_status(status)(
        detail,
        errors=problem.errors,
        retry_after=float(after) if re.fullmatch("[0-9]{1,9}", after) else None,
    )


def warnings_of(headers: Mapping[str, str], clean: Clean) -> list[str]:
    """The texts of the `Warning: 299` headers, in order."""
    texts: list[str] = []
    for quoted in WARNING.findall(headers.get("Warning", "")):
        try:
            texts.append(clean(json.loads(quoted)))
        except ValueError:
            texts.append(clean(quoted.strip('"')))
    return texts


def cursor_of(url: str | None) -> str | None:
    """The cursor of the page after this one, None on the last."""
    try:
        found = parse_qs(urlsplit(url or "").query).get("cursor")
    except ValueError:
        return None
    return found[0] if found else None


def _problem(content_type: str, body: bytes, clean: Clean) -> Problem:
    if "json" not in content_type:
        return Problem()
    try:
        return msgspec.convert(clean(msgspec.json.decode(body)), Problem)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return Problem()
