"""Read the errors, warnings and next-page links of API responses. Pure."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from sparktest.errors import FieldError, OffsetError, SparkTestError, UnavailableError, for_status

# RFC 7234: 299 is a persistent warning, with a quoted text.
WARNING = re.compile(r'\b299 \S+ ("(?:[^"\\]|\\.)*")')

# RFC 8288: the target of a link with the relation `next`.
NEXT = re.compile(r'<([^>]*)>\s*;[^,<]*\brel="?next\b')

PROBLEM_TYPE = "application/problem+json"
# Errors of a server that does not have the path or the method. A proxy in front of the API sends
# others, such as 401, 413 and 502.
FOREIGN_STATUSES = frozenset({404, 405, 410, 501})

Clean = Callable[[Any], Any]
Warn = Callable[[str], None]


class ForeignServerError(UnavailableError):
    """Error for a response that an API of SparkTest does not send."""


class Problem(msgspec.Struct, frozen=True):
    """The fields of problem+json (RFC 9457) that the client reads."""

    detail: str = ""
    errors: tuple[FieldError, ...] = ()
    stored: int | None = None


def read_error(
    url: str, status: int, reason: str, headers: Mapping[str, str], body: bytes, clean: Clean
) -> SparkTestError:
    """Return the error that the server raised, of the same class.

    A server that is not a SparkTest API gives a ForeignServerError.

    Args:
        url: the URL of the API.
        status: 300 or more. A redirect is an error: the API sends none, and following one could
            leak the token.
        reason: the text after the status.
        headers: case-insensitive.
        body: of any type; only problem+json is read.
        clean: makes text safe to display.
    """
    is_problem = headers.get("Content-Type", "").startswith(PROBLEM_TYPE)
    if not is_problem and (status < 400 or status in FOREIGN_STATUSES):
        return ForeignServerError(f"{url} is not a SparkTest API (HTTP {status})")
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


def read_warnings(headers: Mapping[str, str], clean: Clean) -> list[str]:
    """Return the texts of the `Warning: 299` headers, in order."""
    texts: list[str] = []
    for quoted in WARNING.findall(headers.get("Warning", "")):
        try:
            texts.append(clean(json.loads(quoted)))
        except ValueError:
            texts.append(clean(quoted.strip('"')))
    return texts


def read_cursor(headers: Mapping[str, str]) -> str | None:
    """Return the cursor in the link to the next page; None without one."""
    link = NEXT.search(headers.get("Link", ""))
    try:
        found = parse_qs(urlsplit(link[1]).query).get("cursor") if link else None
    except ValueError:
        return None
    return found[0] if found else None


def unchanged(value: Any) -> Any:
    """Return the value: the `Clean` of a program that does not display it."""
    return value


def _problem(content_type: str, body: bytes, clean: Clean) -> Problem:
    if "json" not in content_type:
        return Problem()
    try:
        return msgspec.convert(clean(msgspec.json.decode(body)), Problem)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return Problem()
