"""Free pages of a SQLite file: what was deleted makes room for new rows, or is given back."""

from sqlalchemy import Connection

# Pages that are given back in one step.
STEP_PAGES = 64
# The share of the file that may stay free: new rows soon use it again.
MAX_FREE_SHARE = 0.1
INCREMENTAL = 2


def give_back(connection: Connection, *, share: float = MAX_FREE_SHARE) -> bool:
    """Shorten the file by some pages, if more than a share of it is free.

    Returns:
        True if there is more to give back. False on PostgreSQL, and for a file that was created
        before SparkTest could do this: VACUUM would rewrite it once.
    """
    if connection.dialect.name != "sqlite" or _pragma(connection, "auto_vacuum") != INCREMENTAL:
        return False
    free = _pragma(connection, "freelist_count")
    if free <= share * _pragma(connection, "page_count"):
        return False
    # Each row that is fetched frees a page.
    cursor = connection.connection.cursor()
    try:
        cursor.execute(f"PRAGMA incremental_vacuum({STEP_PAGES})").fetchall()
    finally:
        cursor.close()
    return True


def _pragma(connection: Connection, name: str) -> int:
    return int(connection.exec_driver_sql(f"PRAGMA {name}").scalar_one())
