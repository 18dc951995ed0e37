"""The Alembic migrations of the store; `sparktest db upgrade` runs them."""
