"""Run the write of a request in a transaction and answer once it is committed."""

from collections.abc import Callable
from functools import partial

from flask import Response, request
from sqlalchemy import Connection

from sparktest.api import audit, idempotency
from sparktest.api.context import app_context
from sparktest.api.store import runs
from sparktest.errors import GoneError


def in_transaction(work: Callable[[Connection], Response], *, audited: bool = True) -> Response:
    """Run `work` in a transaction and return its response once that is committed.

    Every route that writes for a client answers through this function. A POST with an
    Idempotency-Key that was sent before gets the first response again, without `work`.

    Args:
        work: returns the response; it may run in another thread.
        audited: store who wrote, in the same transaction; False for what a controller sends.

    Raises:
        InvalidError: the Idempotency-Key is not valid, or was sent with another request.
        UnavailableError: the database does not answer, or is locked for too long.
    """
    ctx = app_context()

    def audited_work(connection: Connection) -> Response:
        response = work(connection)
        audit.record(connection, response, ctx.clock())
        return response

    try:
        return ctx.store.write(idempotency.once(request, audited_work if audited else work))
    except GoneError as error:
        if error.tombstone:
            renew = partial(runs.renew_tombstone, run_id=error.tombstone, now=ctx.clock())
            ctx.store.write(renew)
        raise
