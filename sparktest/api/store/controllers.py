"""When the controller of each cluster last spoke."""

from datetime import datetime

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError

from sparktest.api.store.tables import ControllerRow


def note(connection: Connection, cluster: str, now: datetime) -> None:
    """The controller of this cluster spoke now."""
    seen = update(ControllerRow).where(ControllerRow.cluster == cluster).values(seen_at=now)
    if connection.execute(seen).rowcount:
        return
    try:
        with connection.begin_nested():
            connection.execute(insert(ControllerRow).values(cluster=cluster, seen_at=now))
    except IntegrityError:
        # Another request of the same controller was first; it saw it just as recently.
        return


def seen(connection: Connection) -> dict[str, datetime]:
    """When each cluster's controller was last noted."""
    rows = connection.execute(select(ControllerRow.cluster, ControllerRow.seen_at))
    return {row.cluster: row.seen_at for row in rows}
