"""Cross-origin requests: browsers may read the API for pages of the origins in the settings."""

from flask import Request, Response, request

from sparktest.api.context import app_context

METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE"
REQUEST_HEADERS = (
    "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID"
)
RESPONSE_HEADERS = "ETag, Idempotent-Replayed, Link, Location, Retry-After, Warning"
MAX_AGE_SECONDS = 600


def is_allowed(req: Request) -> bool:
    """Return True when the page that sends the request is of an origin in the settings."""
    origins = app_context().settings.cors_origins
    return bool(origins) and req.headers.get("Origin", "").lower() in origins


def answer_preflight() -> Response | None:
    """Answer the request by which a browser asks what a page may send; it has no token."""
    asks = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
    if not (asks and is_allowed(request)):
        return None
    response = Response(status=204)
    response.headers["Access-Control-Allow-Methods"] = METHODS
    response.headers["Access-Control-Allow-Headers"] = REQUEST_HEADERS
    response.headers["Access-Control-Max-Age"] = str(MAX_AGE_SECONDS)
    return response


def add_headers(response: Response) -> Response:
    """Allow the browser to show this response to the page that sent the request."""
    if app_context().settings.cors_origins:
        # Caches must not give this response to another origin.
        response.vary.add("Origin")
    if is_allowed(request):
        response.headers["Access-Control-Allow-Origin"] = request.headers["Origin"]
        response.headers["Access-Control-Expose-Headers"] = RESPONSE_HEADERS
    return response
