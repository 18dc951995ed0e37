"""Entry point of Alembic: run the migrations on the given connection.

sparktest.api.store.migrate opens it. On SQLite it has begun the one transaction of all migrations;
on PostgreSQL each migration has a transaction of its own, which it may end early (see `online`).
"""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    render_as_batch=True,
    transactional_ddl=True,
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
