"""The subjects' keys."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "keyring_1"
down_revision: Final = None
_SCHEMA: Final = "keyring"


def upgrade() -> None:
    """Create the table, and an index of the keys that are destroyed."""
    op.create_table(
        "keys",
        sa.Column("subject", sa.String, primary_key=True),
        sa.Column("key", sa.LargeBinary),
        schema=_SCHEMA,
    )
    # ANALYZE would copy a sample of the keys into pg_statistic, where they would outlive their destruction.
    op.execute("ALTER TABLE keyring.keys ALTER COLUMN key SET STATISTICS 0")
    op.create_index("keys_destroyed", "keys", ["subject"], schema=_SCHEMA, postgresql_where=sa.text("key IS NULL"))
