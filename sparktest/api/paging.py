"""The opaque cursor of a list: where the last page ended."""

import base64
import binascii
import struct

from sparktest.errors import MalformedError

LIMIT = 100
MAX_LIMIT = 1000

_FORM = struct.Struct(">BQ")
_VERSION = 1
_MAX = 2**63 - 1


def encode(seq: int) -> str:
    """The cursor of the rows below this number."""
    return base64.urlsafe_b64encode(_FORM.pack(_VERSION, seq)).decode().rstrip("=")


def decode(cursor: str | None) -> int | None:
    """The number below which the next page begins; None for the first page.

    Raises:
        MalformedError: no list ever gave this cursor.
    """
    if cursor is None:
        return None
    try:
        version, seq = _FORM.unpack(base64.b64decode(cursor, altchars=b"-_", validate=True))
    except (struct.error, binascii.Error, ValueError) as error:
        raise _bad(cursor) from error
    if version != _VERSION or not 0 < seq <= _MAX or encode(seq) != cursor:
        raise _bad(cursor)
    return int(seq)


def _bad(cursor: str) -> MalformedError:
    return MalformedError.at(
        "/cursor", f"{cursor[:64]!r} is no cursor of this list; start over without it"
    )
