"""Alembic's entry: runs the migrations on the connection, in the transaction, that it is given.

sparktest.api.store.migrate opens both and says why they look as they do.
"""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    render_as_batch=True,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
