"""How names are compared: without regard to case, accents and the ways to write the same letter."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

# Letters that Unicode does not take apart into a base letter and an accent.
_BASE_LETTERS: Final = str.maketrans({"đ": "d", "ð": "d", "ħ": "h", "ł": "l", "ø": "o", "æ": "ae", "œ": "oe"})
_BEHIND_NAMES: Final = "\uffff"
_NUMBER: Final = re.compile(r"\d+")
_DIGITS: Final = 12


def folded(text: str) -> str:
    """The text as it is searched and sorted by: `Kovač` and `KOVAC` are the same."""
    taken_apart = unicodedata.normalize("NFKD", text.casefold()).translate(_BASE_LETTERS)
    return "".join(letter for letter in taken_apart if not unicodedata.combining(letter))


def sort_key(name: str | None, alias: str) -> str:
    """Where a customer stands in a list: by name, behind all names by alias with its numbers in order."""
    if name:
        return folded(name) or name
    return f"{_BEHIND_NAMES}{_NUMBER.sub(lambda number: number[0].zfill(_DIGITS), folded(alias))}" if alias else ""


def joined(parts: Iterable[str | None]) -> str:
    """What a search looks through: every part that is there, folded, each on a line of its own."""
    return "\n".join(folded(part) for part in parts if part)


def patterns(query: str) -> list[str]:
    r"""One LIKE pattern (escape character `\`) for each word of a query; all of them must fit."""
    return [f"%{_literal(word)}%" for word in folded(query).split()]


def _literal(word: str) -> str:
    return word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
