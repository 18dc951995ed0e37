"""The format of Server-Sent Events (text/event-stream). Pure."""

MIMETYPE = "text/event-stream"
# Version 3.1 of OpenAPI cannot describe the events of a stream; tools apply a schema to each event.
CONTENT = {MIMETYPE: {"schema": {"description": "Server-Sent Events."}}}
# The parameter of a route with a stream.
LAST_EVENT_ID = {
    "in": "header",
    "name": "Last-Event-ID",
    "description": "The id of the last event that was received; the stream continues after it.",
    "schema": {"type": "string"},
}
# Below the read timeout of usual proxies, 60 seconds.
HEARTBEAT_SECONDS = 15.0
# How long a client waits before it connects again.
RETRY_MILLISECONDS = 2000
# Anonymous proxies and browsers must neither keep nor transform a stream, nor wait for its end.
HEADERS = {
    "Cache-Control": "no-store, no-transform",
    "X-Accel-Buffering": "no",
    "X-Content-Type-Options": "nosniff",
}


def event(kind: str, data: bytes, event_id: str) -> bytes:
    """Return an event; `data` has no line break."""
    return b"id: %b\nevent: %b\ndata: %b\n\n" % (event_id.encode(), kind.encode(), data)


def opening(event_id: str) -> bytes:
    """Return the beginning of a stream: the first id, and the time before a reconnection."""
    return b": SparkTest\nretry: %d\nid: %b\n\n" % (RETRY_MILLISECONDS, event_id.encode())


def heartbeat(event_id: str) -> bytes:
    """Return a comment that shows that the stream lives, with the current id."""
    return b": heartbeat\nid: %b\n\n" % event_id.encode()
