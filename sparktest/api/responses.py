"""Answers as JSON: one encoder for all routes, for times and for text that is JSON already."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import msgspec
from flask import Response, request


def json_response(
    document: Any, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """The document as a JSON answer; times become RFC 3339 with Z."""
    return Response(msgspec.json.encode(document), status, headers, mimetype="application/json")


def page(documents: list[Any], cursor: str | None) -> Response:
    """A list as a JSON array; the cursor of the next page, if any, goes into the Link header."""
    headers = {}
    if cursor:
        query = [pair for pair in request.args.items(multi=True) if pair[0] != "cursor"]
        query.append(("cursor", cursor))
        target = f"{request.script_root}{request.path}?{urlencode(query)}"
        headers["Link"] = f'<{target}>; rel="next"'
    return json_response(documents, headers=headers)
