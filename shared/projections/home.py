"""Where generations live: each has a place of its own, in a folder or in a database."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final, Protocol

import sqlalchemy as sa

LAYOUT: Final = 4
"""How the tables of generations are laid out. Another number finds none of the old ones and builds all anew."""


class Place(Protocol):
    """The tables of one generation, by unqualified names."""

    @property
    def name(self) -> str:
        """The generation's own name among all others."""

    @property
    def writer(self) -> sa.Engine:
        """Transactions that write."""

    @property
    def readers(self) -> sa.Engine:
        """Transactions that only read, each a snapshot of one moment."""

    @property
    def shared(self) -> bool:
        """Whether other connections, also of other processes, may write at the same time."""

    @property
    def folder(self) -> Path | None:
        """Where files may lie that its writer can attach; None where there are no such files."""

    def roomy(self) -> AbstractContextManager[None]:
        """Have memory for one long transaction."""

    def close(self) -> None:
        """Let go of it."""


class Home(Protocol):
    """All places of an installation."""

    def place(self, name: str) -> Place:
        """The place of this name, made when it is not there."""

    def drop(self, name: str) -> None:
        """Remove a place that nobody has open, with all it holds; nothing happens if it is not there."""
