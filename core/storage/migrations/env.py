"""Alembic's entry: runs on the connection that core.storage.migrate opened and locked."""

from alembic import context
from sqlmodel import SQLModel

import core.storage.tables  # noqa: F401  the models register themselves

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
