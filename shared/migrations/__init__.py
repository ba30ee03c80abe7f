"""The tables in PostgreSQL that no projection builds: how they come to be, version by version.

Accounts and the keyring have a history, a schema and a version table each; the keyring's is a database of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from shared import account_tables, postgres_keyring
from shared.postgres import answering, engine, lock_key

Name = Literal["accounts", "keyring"]
_FOLDER: Final = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class History:
    """The versions of one schema; `metadata` is what the newest one looks like."""

    name: Name
    metadata: sa.MetaData

    @property
    def version_table(self) -> str:
        """Where the database says at which version it is, in the schema itself."""
        return f"{self.name}_version"

    def config(self) -> Config:
        """What alembic is to know of this history; there is no ini file."""
        config = Config()
        config.set_main_option("path_separator", "newline")
        config.set_main_option("script_location", _literal(_FOLDER))
        config.set_main_option("version_locations", _literal(_FOLDER / self.name))
        config.attributes["history"] = self
        return config

    def context(self, connection: sa.Connection) -> MigrationContext:
        """The state of a database."""
        options = {"version_table": self.version_table, "version_table_schema": self.name}
        return MigrationContext.configure(connection, opts=options)


HISTORIES: Final[dict[Name, History]] = {
    "accounts": History("accounts", account_tables.metadata),
    "keyring": History("keyring", postgres_keyring.metadata),
}


def upgrade(database_url: str, keyring_url: str) -> None:
    """Bring both databases to the newest version, each in one transaction; nothing happens where they are.

    Several processes may do so at the same time: each waits for the one before it.

    Raises:
        Unreachable: a server is away.
    """
    _upgrade(database_url, HISTORIES["accounts"])
    _upgrade(keyring_url, HISTORIES["keyring"])


def pending(opened: sa.Engine, name: Name) -> bool:
    """Whether the database is at another version than this program: `rapport database upgrade` has not run yet."""
    history = HISTORIES[name]
    with opened.connect() as connection:
        found = history.context(connection).get_current_heads()
    return set(found) != set(ScriptDirectory.from_config(history.config()).get_heads())


def _upgrade(url: str, history: History) -> None:
    opened = engine(url, application="rapport database upgrade", pool_size=1)
    try:
        with answering(), opened.begin() as connection:
            connection.exec_driver_sql("SET LOCAL lock_timeout = 0")  # another one may be upgrading for long
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(lock_key(f"upgrade of {history.name}"))))
            connection.execute(sa.schema.CreateSchema(history.name, if_not_exists=True))
            config = history.config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    finally:
        opened.dispose()


def _literal(path: Path) -> str:
    """A path in which the ini format interpolates nothing."""
    return str(path).replace("%", "%%")
