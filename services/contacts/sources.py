"""Sources: the other systems that know our customers under ids of their own."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field


def _source(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,63}", text):
        raise ValueError("must be a short name of a system in small letters, digits, dots and dashes, such as webshop")
    return text


Source = Annotated[str, Field(strict=True), AfterValidator(_source)]
"""Another system. Without slash and colon: ids are made of source/outside-id, aliases of source:outside-id."""
