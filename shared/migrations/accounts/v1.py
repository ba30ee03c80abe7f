"""Staff, their sessions, the tokens of scripts, and notes of what must be accounted for."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "accounts_1"
down_revision: Final = None
_SCHEMA: Final = "accounts"


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "staff",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("role", sa.String, nullable=False),
        sa.Column("password", sa.String, nullable=False),
        schema=_SCHEMA,
    )
    op.create_table(
        "sessions",
        sa.Column("id_hash", sa.LargeBinary, primary_key=True),
        sa.Column("name", sa.String, sa.ForeignKey("accounts.staff.name", ondelete="CASCADE"), nullable=False),
        sa.Column("began", sa.BigInteger, nullable=False),
        sa.Column("used", sa.BigInteger, nullable=False),
        schema=_SCHEMA,
    )
    op.create_index("ix_accounts_sessions_name", "sessions", ["name"], schema=_SCHEMA)
    op.create_table(
        "tokens",
        sa.Column("secret_hash", sa.LargeBinary, primary_key=True),
        sa.Column("name", sa.String, nullable=False, unique=True),
        sa.Column("role", sa.String, nullable=False),
        schema=_SCHEMA,
    )
    op.create_table(
        "notes",
        sa.Column("number", sa.BigInteger, primary_key=True),
        sa.Column("at", sa.String, nullable=False),
        sa.Column("actor", sa.String, nullable=False),
        sa.Column("action", sa.String, nullable=False),
        sa.Column("detail", sa.String, nullable=False),
        schema=_SCHEMA,
    )
