"""Passwords: which are good enough, how they are kept, and how one is checked without telling who exists."""

from __future__ import annotations

import asyncio
import secrets
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from shared.errors import Refused, Unreachable
from shared.web.i18n import N_

SHORTEST: Final = 8
MOST_BYTES: Final = 1024
AT_ONCE: Final = 2
MAX_WAITING: Final = 50
_ALPHABET: Final = "abcdefghjkmnpqrstuvwxyz23456789"
_COMMON: Final = frozenset(
    """
    00000000 11111111 12121212 123123123 123321123 12341234 12344321 12345678 123456789 1234567890 123456789a
    1234qwer 123qweasd 123qwe123 147258369 1q2w3e4r 1q2w3e4r5t 1qaz2wsx 1qaz2wsx3edc 22222222 55555555 66666666
    77777777 87654321 88888888 987654321 99999999 aa123456 abc12345 abcd1234 abcdefgh administrator adminadmin
    asdasdasd asdfasdf asdfghjk asdfghjkl baseball basketball changeme changeme1 charlie1 computer december
    dragon123 football football1 freedom1 iloveyou iloveyou1 internet jennifer letmein1 letmein123 liverpool
    michelle monkey123 naruto123 passw0rd passw0rd1 password password! password1 password12 password123
    password1234 pokemon1 princess princess1 q1w2e3r4 q1w2e3r4t5 qazwsxedc qwer1234 qwert123 qwerty12 qwerty123
    qwerty1234 qwertyui qwertyuiop samantha secret123 september starwars summer2025 summer2026 sunshine
    sunshine1 superman superman1 target123 test1234 testtest trustno1 victoria welcome1 welcome123 whatever
    winter2025 winter2026 zaq12wsx zxcvbnm1 zxcvbnmm
    """.split()  # noqa: SIM905, a list of a hundred words reads better without quotes
)


def acceptable(password: str, name: str) -> str:
    """The password as it is kept: in NFC and otherwise as typed, nothing cut off.

    Raises:
        Refused: it is too short, too long, no text, or among the first that anybody tries.
    """
    try:
        kept = unicodedata.normalize("NFC", password)
        size = len(kept.encode())
    except UnicodeEncodeError:
        raise Refused(N_("must be text"), field="new") from None
    if len(kept) < SHORTEST:
        raise Refused(N_("must have 8 characters or more"), field="new")
    if size > MOST_BYTES:
        raise Refused(N_("must be shorter: 1,024 bytes at most"), field="new")
    plain = kept.casefold().strip()
    if plain in _COMMON or len(set(plain)) == 1 or plain.rstrip("0123456789!") in {name.casefold(), "rapport"}:
        raise Refused(N_("must not be among the first that anybody would try"), field="new")
    return kept


def generated() -> str:
    """A new password of 98 random bits that a person can read from a screen."""
    return "-".join("".join(secrets.choice(_ALPHABET) for _ in range(5)) for _ in range(4))


class Passwords:
    """Hashes with argon2id, two at a time and beside the event loop: each takes 64 MiB and a core."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="password")
        self._waiting = 0

    def hash(self, password: str) -> str:
        """What is kept of a password; blocks the calling thread."""
        return self._hasher.hash(password)

    async def hash_aside(self, password: str) -> str:
        """`hash` without blocking the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self.hash, password)

    async def check(self, kept: str | None, password: str) -> bool:
        """Whether `password` is the one kept; without one kept, False in the same time.

        Raises:
            Unreachable: too many checks wait already.
        """
        if self._waiting >= MAX_WAITING:
            raise Unreachable("too many people sign in at once")
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            right = await loop.run_in_executor(self._threads, self._verify, kept, password)
        finally:
            self._waiting -= 1
        return right and kept is not None

    def close(self) -> None:
        """Let the threads go."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    @cached_property
    def _nobody(self) -> str:
        return self.hash(generated())

    def _verify(self, kept: str | None, password: str) -> bool:
        nobody = self._nobody  # made before the first check of either kind, so that its making tells nothing
        try:
            plain = unicodedata.normalize("NFC", password).encode()
        except UnicodeEncodeError:
            plain = b""
        try:
            return self._hasher.verify(kept or nobody, plain[: MOST_BYTES + 1])
        except (VerificationError, InvalidHashError):
            return False
