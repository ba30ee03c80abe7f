"""Who may come in: staff with passwords and sessions, and scripts with tokens."""

from __future__ import annotations

import asyncio
import hashlib
import re
import secrets
from datetime import timedelta
from typing import Any, Final

from argon2 import PasswordHasher
from sqlalchemy import Engine, Table, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from shared.account_tables import notes, sessions, staff, tokens
from shared.clock import Clock, stamp, utc_now
from shared.errors import RapportError, Refused
from shared.passwords import Passwords, acceptable, generated
from shared.throttle import Throttle
from shared.web.guard import ROLES, Principal, Role
from shared.web.i18n import N_

IDLE: Final = int(timedelta(hours=8).total_seconds())
ABSOLUTE: Final = int(timedelta(days=7).total_seconds())
_NOTED_EVERY: Final = 60
"""Seconds between two writes of when a session was last used."""
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,63}")
_WRONG: Final = N_("Name or password is wrong.")


class TooManyTries(RapportError):
    """Too many wrong passwords; `seconds` until the next try counts."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"too many tries; wait {seconds:.0f} seconds")
        self.seconds = seconds


class Accounts:
    """The staff, sessions and tokens of one installation; of every secret only a hash is kept.

    `engine` leads to the tables of shared.account_tables, in SQLite or in PostgreSQL.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        clock: Clock = utc_now,
        hasher: PasswordHasher | None = None,
        throttle: Throttle | None = None,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._passwords = Passwords(hasher)
        self._throttle = throttle or Throttle()

    def close(self) -> None:
        """Close the connections."""
        self._passwords.close()
        self._engine.dispose()

    def first_run(self) -> tuple[str, str] | None:
        """Create `admin` when nobody exists, and return the name and the password to show once.

        Of several processes that do so at the same time one gets them, the others None.
        """
        with self._engine.connect() as connection:
            if connection.scalar(select(func.count()).select_from(staff)):
                return None
        try:
            return "admin", self.add_staff("admin", "admin")
        except Refused:
            return None

    def add_staff(self, name: str, role: Role) -> str:
        """Let a member of staff in, and return their password to show once; takes a moment of a core.

        Raises:
            Refused: the name is taken or not one, or no member of staff has such a role.
        """
        _check(name, role)
        password = generated()
        self._add(staff, name, {"name": name, "role": role, "password": self._passwords.hash(password)})
        return password

    def add_token(self, name: str, role: Role) -> str:
        """Let a script in, and return its token to show once.

        Raises:
            Refused: the name is taken or not one, or no token has such a role.
        """
        _check(name, role)
        secret = f"rapport_{secrets.token_urlsafe(32)}"
        self._add(tokens, name, {"name": name, "role": role, "secret_hash": _digest(secret)})
        return secret

    async def sign_in(self, name: str, password: str, address: str = "") -> str:
        """Check a password, and return the id of a new session.

        Raises:
            Refused: name or password is wrong; the text does not say which.
            TooManyTries: nothing was checked.
        """
        plain = name.strip().lower()
        known = plain if _NAME.fullmatch(plain) else ""
        kept = await self._check_password(known, password, address)
        return await asyncio.to_thread(self._begin, known, kept)

    async def change_password(self, name: str, old: str, new: str, address: str = "") -> str:
        """Change a password, end all sessions of its owner, and return the id of a new one.

        Raises:
            Refused: the old password is wrong, or the new one is not good enough.
            TooManyTries: nothing was checked.
        """
        wanted = acceptable(new, name)
        kept = await self._check_password(name, old, address, field="old")
        return await asyncio.to_thread(self._begin, name, kept, await self._passwords.hash_aside(wanted))

    def sign_out(self, session_id: str) -> None:
        """End a session."""
        with self._engine.begin() as connection:
            connection.execute(delete(sessions).where(sessions.c.id_hash == _digest(session_id)))

    def session(self, session_id: str) -> Principal | None:
        """The owner of a session, with the role of this moment; None when it ended, idled too long or is too old."""
        now = self._now()
        digest = _digest(session_id)
        asked = select(staff.c.name, staff.c.role, sessions.c.began, sessions.c.used)
        with self._engine.connect() as connection:
            row = connection.execute(asked.join(sessions).where(sessions.c.id_hash == digest)).one_or_none()
        if row is None or now - row.began >= ABSOLUTE or now - row.used >= IDLE:
            return None
        if now - row.used >= _NOTED_EVERY:
            with self._engine.begin() as connection:
                connection.execute(update(sessions).where(sessions.c.id_hash == digest).values(used=now))
        return Principal(row.name, "staff", row.role)

    def token(self, secret: str) -> Principal | None:
        """The owner of a token."""
        with self._engine.connect() as connection:
            asked = select(tokens.c.name, tokens.c.role).where(tokens.c.secret_hash == _digest(secret))
            row = connection.execute(asked).one_or_none()
        return Principal(row.name, "service", row.role) if row else None

    def note(self, actor: str, action: str, detail: str) -> None:
        """Keep for ever who did something that must be accounted for, such as revealing personal fields."""
        with self._engine.begin() as connection:
            kept = {"at": stamp(self._clock()), "actor": actor, "action": action, "detail": detail}
            connection.execute(insert(notes).values(**kept))

    def last_note(self, action: str) -> dict[str, Any] | None:
        """The newest note of an action, if there is one."""
        asked = select(notes.c.at, notes.c.actor, notes.c.detail).where(notes.c.action == action)
        with self._engine.connect() as connection:
            found = connection.execute(asked.order_by(notes.c.number.desc()).limit(1)).mappings().one_or_none()
        return None if found is None else dict(found)

    def notes(self) -> list[dict[str, Any]]:
        """All notes, the oldest first."""
        with self._engine.connect() as connection:
            asked = select(notes.c.at, notes.c.actor, notes.c.action, notes.c.detail).order_by(notes.c.number)
            return [dict(row) for row in connection.execute(asked).mappings()]

    async def _check_password(self, name: str, password: str, address: str, field: str = "password") -> str:
        """The hash that the password fits."""
        wait = self._throttle.enter(name, address)
        if wait > 0:
            raise TooManyTries(wait)
        kept = await asyncio.to_thread(self._kept, name)
        if not await self._passwords.check(kept, password) or kept is None:
            raise Refused(_WRONG, field=field)
        self._throttle.succeeded(name, address)
        return kept

    def _kept(self, name: str) -> str | None:
        with self._engine.connect() as connection:
            return connection.scalar(select(staff.c.password).where(staff.c.name == name))

    def _begin(self, name: str, kept: str, changed: str | None = None) -> str:
        session_id = secrets.token_urlsafe(32)
        now = self._now()
        over = (sessions.c.began <= now - ABSOLUTE) | (sessions.c.used <= now - IDLE)
        if changed is not None:
            over |= sessions.c.name == name
        # The password may have changed while this one was checked; then it opens nothing any more.
        same = update(staff).where(staff.c.name == name, staff.c.password == kept).values(password=changed or kept)
        with self._engine.begin() as connection:
            if not connection.execute(same).rowcount:
                raise Refused(_WRONG, field="password")
            connection.execute(delete(sessions).where(over))
            connection.execute(insert(sessions).values(id_hash=_digest(session_id), name=name, began=now, used=now))
        return session_id

    def _add(self, table: Table, name: str, values: dict[str, Any]) -> None:
        try:
            with self._engine.begin() as connection:
                connection.execute(insert(table).values(**values))
        except IntegrityError:
            raise Refused(f"{name} exists already", field="name", kind="conflict") from None

    def _now(self) -> int:
        return int(self._clock().timestamp())


def _check(name: str, role: str) -> None:
    if not _NAME.fullmatch(name):
        raise Refused("must be 1 to 64 of a-z, 0-9 and . _ @ + -, beginning with a letter or digit", field="name")
    if role not in ROLES:
        raise Refused(f"must be one of {', '.join(sorted(ROLES))}", field="role")


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
