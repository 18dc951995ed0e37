"""The HTTP API: a Flask application over the store."""
