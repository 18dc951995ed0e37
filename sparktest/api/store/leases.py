"""Leases: of several processes, one does some background work."""

from datetime import datetime, timedelta
from typing import cast

from sqlalchemy import Connection, Table, or_

from sparktest.api.store.engine import dialect_insert
from sparktest.api.store.tables import LeaseRow

_LEASES = cast(Table, LeaseRow.__table__)


def hold(
    connection: Connection, name: str, holder: str, now: datetime, duration: timedelta
) -> bool:
    """Take the lease, or extend it; return False while another process holds it.

    It ends by itself, so that another process takes over from one that was killed.
    """
    new = {"holder": holder, "until": now + duration}
    row = dialect_insert(connection, LeaseRow).values(name=name, **new)
    free = or_(_LEASES.c.holder == holder, _LEASES.c.until <= now)
    row = row.on_conflict_do_update(index_elements=["name"], set_=new, where=free)
    return connection.execute(row.returning(_LEASES.c.name)).first() is not None
