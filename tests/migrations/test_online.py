"""Schema changes that do not block writers, and that can be repeated after a kill."""

import threading

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sparktest.migrations import online
from sqlalchemy import Column, Integer, inspect, text


@pytest.fixture
def migration(connect):
    """Run a function as a migration does, on a database with a table of 1,200 rows."""
    with connect() as connection:
        connection.execute(text("CREATE TABLE things (seq INTEGER PRIMARY KEY, word TEXT)"))
        for seq in range(1, 1201):
            connection.execute(text(f"INSERT INTO things VALUES ({seq * 3}, 'w{seq}')"))

    def run(work):
        with connect() as connection:
            engine = connection.engine
        with engine.connect() as connection:
            context = MigrationContext.configure(
                connection, opts={"transaction_per_migration": True, "transactional_ddl": True}
            )
            with context.begin_transaction(_per_migration=True), Operations.context(context):
                work()

    return run


@pytest.fixture
def indexes(connect):
    def names():
        with connect() as connection:
            return [index["name"] for index in inspect(connection).get_indexes("things")]

    return names


def create_index():
    online.create_index("ix_word", "things", ["word"])


def test_an_index_is_created_and_dropped(url, migration, indexes):
    migration(create_index)
    assert indexes() == ["ix_word"]
    migration(lambda: online.drop_index("ix_word", "things"))
    assert indexes() == []


def test_a_column_is_added_and_dropped(url, migration, connect):
    column = Column("size", Integer, nullable=False, server_default="7")
    migration(lambda: online.add_column("things", column))
    with connect() as connection:
        assert connection.execute(text("SELECT DISTINCT size FROM things")).all() == [(7,)]
    migration(lambda: online.drop_column("things", "size"))
    with connect() as connection:
        assert len(connection.execute(text("SELECT * FROM things")).keys()) == 2


def test_a_backfill_changes_the_rows_that_meet_the_condition(url, migration, connect):
    migration(lambda: online.backfill("things", "word = 'new'", "seq > 30"))
    with connect() as connection:
        query = text("SELECT word = 'new', count(*) FROM things GROUP BY 1 ORDER BY 1")
        assert connection.execute(query).all() == [(0, 10), (1, 1190)]


def test_what_was_done_before_a_kill_is_done_again_without_an_error(postgres_url, migration):
    for _ in range(2):
        migration(create_index)
        migration(lambda: online.add_column("things", Column("size", Integer)))
    for _ in range(2):
        migration(lambda: online.drop_index("ix_word", "things"))
        migration(lambda: online.drop_column("things", "size"))


def test_an_invalid_index_is_replaced(postgres_url, migration, connect, indexes):
    migration(create_index)
    with connect() as connection:
        killed = "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'ix_word'::regclass"
        connection.execute(text(killed))
    migration(create_index)
    with connect() as connection:
        valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'ix_word'::regclass"
        assert connection.execute(text(valid)).scalar() is True


def test_a_writer_writes_while_an_index_is_created(postgres_url, migration, connect, indexes):
    with connect() as transaction:
        # The index waits for this transaction, which does not wait for the index.
        transaction.execute(text("UPDATE things SET word = 'x' WHERE seq = 3"))
        thread = threading.Thread(target=migration, args=(create_index,), daemon=True)
        thread.start()
        thread.join(0.5)
        assert thread.is_alive()
        with connect() as writer:
            writer.execute(text("SET LOCAL lock_timeout = 100"))
            writer.execute(text("UPDATE things SET word = 'y' WHERE seq = 6"))
    thread.join(30)
    assert indexes() == ["ix_word"]


def test_each_batch_of_a_backfill_is_committed(postgres_url, migration, connect):
    # The second batch waits for the row; the first is visible meanwhile.
    with connect() as transaction:
        transaction.execute(text("UPDATE things SET word = 'x' WHERE seq = 3000"))
        work = lambda: online.backfill("things", "word = 'new'", "true")  # noqa: E731
        thread = threading.Thread(target=migration, args=(work,), daemon=True)
        thread.start()
        done = 0
        while not done:
            with connect() as reader:
                query = "SELECT count(*) FROM things WHERE word = 'new'"
                done = reader.execute(text(query)).scalar_one()
        assert done >= online.BATCH_ROWS
    thread.join(30)
