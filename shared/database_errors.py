"""What SQLAlchemy raises of a database that is stopped, cut off or overrun: it passes when the database is back."""

from __future__ import annotations

from typing import Final

from sqlalchemy import exc

AWAY: Final = (
    exc.OperationalError,
    exc.InterfaceError,
    exc.InternalError,
    exc.PendingRollbackError,
    exc.TimeoutError,
)
