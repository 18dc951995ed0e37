"""The HTTP server: processes, an event loop that reads requests, threads that answer them."""

from sparktest.api.server.master import serve

__all__ = ["serve"]
