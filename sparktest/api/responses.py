"""JSON responses, the pages of lists with their opaque cursors, and relative references.

`Link` and `Location` are relative to the URL of the request: behind a proxy that removes a path
prefix, only the client knows that prefix.
"""

import base64
import binascii
import posixpath
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import msgspec
from flask import Response, request

from sparktest.api.store.engine import Row
from sparktest.errors import MalformedError

DEFAULT_LIMIT = 100
MAX_LIMIT = 1000

_CURSOR = struct.Struct(">BQ")
_CURSOR_VERSION = 1
_MAX_SEQ = 2**63 - 1


def json_response(
    document: Any, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Return the document as a JSON response; times become RFC 3339 with Z."""
    return Response(msgspec.json.encode(document), status, headers, mimetype="application/json")


def no_content(headers: Mapping[str, str] | None = None) -> Response:
    """Return an empty response 204."""
    response = Response(status=204, headers=headers)
    del response.headers["Content-Type"]
    return response


def location(path: str) -> dict[str, str]:
    """Return the Location header of a resource with this path, such as `/api/test-runs/ID`."""
    return {"Location": posixpath.relpath(path, posixpath.dirname(request.path))}


def page_response(
    rows: Sequence[Row], limit: int, serialize: Callable[[Row], dict[str, Any]]
) -> Response:
    """Return at most `limit` rows as a JSON array; a Link header leads to the next page.

    Args:
        rows: one row more than `limit` where there is a next page.
        limit: the size of a page.
        serialize: makes the document of a row.
    """
    headers = next_link(rows[limit - 1]["seq"]) if len(rows) > limit else None
    return json_response([serialize(row) for row in rows[:limit]], headers=headers)


def next_link(seq: int) -> dict[str, str]:
    """Return the Link header to the page that begins below this row number."""
    query = [pair for pair in request.args.items(multi=True) if pair[0] != "cursor"]
    query.append(("cursor", encode_cursor(seq)))
    return {"Link": f'<?{urlencode(query)}>; rel="next"'}


def encode_cursor(seq: int) -> str:
    """Return the cursor of the page that begins below this row number."""
    packed = _CURSOR.pack(_CURSOR_VERSION, seq)
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def decode_cursor(cursor: str | None) -> int | None:
    """Return the row number below which the page begins; None for the first page.

    Raises:
        MalformedError: `encode_cursor` never returned this cursor.
    """
    if cursor is None:
        return None
    try:
        version, seq = _CURSOR.unpack(base64.b64decode(cursor, altchars=b"-_", validate=True))
    except (struct.error, binascii.Error, ValueError) as error:
        raise _invalid_cursor(cursor) from error
    if version != _CURSOR_VERSION or not 0 < seq <= _MAX_SEQ or encode_cursor(seq) != cursor:
        raise _invalid_cursor(cursor)
    return int(seq)


def _invalid_cursor(cursor: str) -> MalformedError:
    return MalformedError.at(
        "/cursor", f"{cursor[:64]!r} is not a cursor of this list; start again without it"
    )
