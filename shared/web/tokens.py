"""Position tokens: an opaque text that lets a reader ask for a view that holds what they just wrote."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Final
from uuid import UUID

from fastapi import Depends, Query
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared.web.problems import Problem

MAX_TOKEN: Final = 1_000
_BAD: Final = "must be a position token as a command answered it"


class Token(BaseModel):
    """Where a command's last event stands: in the store, and in the Kafka topic by the subject's partition."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    store: UUID
    position: int = Field(ge=0, lt=2**63)
    topic: str = Field(min_length=1, max_length=100)
    subject: str = Field(min_length=1, max_length=200)


def encode(token: Token) -> str:
    """The token as text that fits into a URL."""
    return base64.urlsafe_b64encode(token.model_dump_json().encode()).rstrip(b"=").decode()


def decode(text: str) -> Token:
    """Read a token.

    Raises:
        Problem: 400 that names the parameter `after`.
    """
    try:
        if len(text) > MAX_TOKEN:
            raise Problem.of_field(400, "after", _BAD)
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        return Token.model_validate_json(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (UnicodeEncodeError, binascii.Error, ValidationError):
        raise Problem.of_field(400, "after", _BAD) from None


async def _after(
    after: Annotated[str | None, Query(description="Wait until the view holds this position token.")] = None,
) -> Token | None:
    return decode(after) if after else None


After = Annotated[Token | None, Depends(_after)]
"""The `?after=` of a query, as an endpoint's parameter."""
