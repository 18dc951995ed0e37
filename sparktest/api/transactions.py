"""Run the write of a request in a transaction and answer once it is committed."""

from collections.abc import Callable

from flask import Response
from sqlalchemy import Connection

from sparktest.api.context import app_context


def in_transaction(work: Callable[[Connection], Response]) -> Response:
    """Run `work` in a transaction and return its response once that is committed.

    Every route that writes for a client answers through this function.

    Raises:
        UnavailableError: the database does not answer, or is locked for too long.
    """
    return app_context().store.write(work)
