"""Alembic's entry: the connection is handed over by pipeline.db."""

from alembic import context

from pipeline.db import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
