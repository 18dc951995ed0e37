"""Entry point of Alembic: run the migrations on the given connection, in its transaction.

sparktest.api.store.migrate opens both.
"""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"], render_as_batch=True, transactional_ddl=True
)
with context.begin_transaction():
    context.run_migrations()
