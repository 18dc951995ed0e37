"""The HTTP API: a Flask application over the store."""

from sparktest.api.application import create_app

__all__ = ["create_app"]
