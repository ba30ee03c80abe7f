"""What alembic runs to bring a database to another version; `shared.migrations` hands over what it needs."""

from __future__ import annotations

from alembic import context

from shared.migrations import History

_history: History = context.config.attributes["history"]
context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=_history.metadata,
    version_table=_history.version_table,
    version_table_schema=_history.name,
)
with context.begin_transaction():
    context.run_migrations()
