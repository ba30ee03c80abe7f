"""The form of what-if: what scores take, as shares of the customers or as values, typed and not lost when wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Final, get_args

from fastapi import Depends, Request

from services.analytics.explain import Score
from services.analytics.insights import Choices
from services.analytics.loyalty import Letter, Ranking
from services.analytics.loyalty_page import takes
from services.analytics.rules import FIFTHS, SCORES, CutOffs, Rules
from services.analytics.score_words import NAMES
from shared.web.i18n import N_

LETTERS: Final[tuple[Letter, ...]] = get_args(Letter)
TAKING: Final = SCORES[1:]
"""The scores that take something."""
_LONGEST: Final = 16
_WHOLE: Final = re.compile(r"\s*[0-9]{1,9}\s*", re.ASCII)
_AMOUNT: Final = re.compile(r"\s*[0-9]{1,12}([.,][0-9]{1,3})?\s*", re.ASCII)


class Basis(StrEnum):
    """What a score is cut off by."""

    SHARES = "shares"
    CUTS = "cuts"


_SCORES: Final[Mapping[Letter, Score]] = {"r": Score.RECENCY, "f": Score.FREQUENCY, "m": Score.MONEY}
_UNITS: Final[Mapping[tuple[Letter, Basis], str]] = {
    **{(letter, Basis.SHARES): N_("percent of all customers are worse") for letter in LETTERS},
    ("r", Basis.CUTS): N_("days since the last order, at most"),
    ("f", Basis.CUTS): N_("purchase days, at least"),
    ("m", Basis.CUTS): N_("revenue, at least"),
}
_WRONG: Final[Mapping[tuple[Letter, Basis], str]] = {
    **{
        (letter, Basis.SHARES): N_("Four whole percentages from 1 to 99, each larger than the one before.")
        for letter in LETTERS
    },
    ("r", Basis.CUTS): N_("Four numbers of days, each smaller than the one before."),
    ("f", Basis.CUTS): N_("Four numbers of purchase days, each larger than the one before."),
    ("m", Basis.CUTS): N_("Four amounts of money, each larger than the one before."),
}


@dataclass(frozen=True)
class Typed:
    """What stands in the row of one letter: four texts, for scores 2 to 5."""

    letter: Letter
    basis: Basis
    texts: tuple[str, ...]

    @property
    def said(self) -> dict[str, str]:
        """The row as an address says it."""
        return {f"{self.letter}_by": self.basis.value} | dict(zip(_names(self.letter), self.texts, strict=True))

    def cut_offs(self, minor: int) -> CutOffs:
        """What it means; `minor` units are one unit of money.

        Raises:
            ValueError: a text is no number of its kind, or the numbers are in no order.
        """
        if self.letter == "m" and self.basis is Basis.CUTS:
            found = tuple(_minor(text, minor) for text in self.texts)
        else:
            found = tuple(int(_checked(_WHOLE, text)) for text in self.texts)
        given = CutOffs.model_validate({self.basis.value: found})
        Rules.model_validate({self.letter: given})
        return given


@dataclass(frozen=True)
class Field:
    """One number of the form, and what the score takes by the rules that count."""

    name: str
    score: int
    text: str
    now: str


@dataclass(frozen=True)
class Row:
    """The fields of one letter, what is wrong with them, and the address of the same row by the other basis."""

    name: str
    unit: str
    fields: tuple[Field, ...]
    error: str | None
    other: str
    other_unit: str


def _typed(request: Request) -> tuple[Typed, ...]:
    return tuple(_row(letter, request.query_params) for letter in LETTERS)


Form = Annotated[tuple[Typed, ...], Depends(_typed)]
"""What was typed, as an endpoint's parameter."""


def rules_of(form: tuple[Typed, ...], minor: int) -> tuple[Rules, set[Letter]]:
    """The rules that were typed, and the letters whose rows are wrong; those stay as they are."""
    given: dict[str, Any] = {}
    wrong: set[Letter] = set()
    for typed in form:
        try:
            given[typed.letter] = typed.cut_offs(minor)
        except ValueError:
            wrong.add(typed.letter)
    return Rules.model_validate(given), wrong


def rows(form: tuple[Typed, ...], wrong: set[Letter], ranking: Ranking, choices: Choices) -> Iterator[Row]:
    """The form; `ranking` is the one by the rules that count."""
    _, scope = choices.reader.words.gettext, choices.ground.scope
    for typed in form:
        letter, basis = typed.letter, typed.basis
        other = _other(typed, ranking, scope.minor)
        now = [takes(letter, cut, scope.currency or "", choices.reader) for cut in ranking.cuts[letter][1:]]
        yield Row(
            name=_(NAMES[_SCORES[letter]]),
            unit=_(_UNITS[letter, basis]),
            fields=tuple(map(Field, _names(letter), TAKING, typed.texts, now)),
            error=_(_WRONG[letter, basis]) if letter in wrong else None,
            other=choices.way(**other.said),
            other_unit=_(_UNITS[letter, other.basis]),
        )


def _row(letter: Letter, said: Mapping[str, str]) -> Typed:
    """A row as it was typed; one that was not is by today's shares."""
    basis = Basis.CUTS if said.get(f"{letter}_by") == Basis.CUTS else Basis.SHARES
    usual = map(str, FIFTHS.shares or ()) if basis is Basis.SHARES else [""] * len(TAKING)
    texts = (said.get(name, text)[:_LONGEST] for name, text in zip(_names(letter), usual, strict=True))
    return Typed(letter, basis, tuple(texts))


def _other(typed: Typed, ranking: Ranking, minor: int) -> Typed:
    """The same row by the other basis, with what counts today; empty where nobody has a score."""
    if typed.basis is Basis.CUTS:
        return _row(typed.letter, {})
    unit = minor if typed.letter == "m" else 1
    cuts = ranking.cuts[typed.letter][1:]
    texts = ("" if cut is None else f"{Decimal(cut) / unit:f}" for cut in cuts)
    return Typed(typed.letter, Basis.CUTS, tuple(texts))


def _names(letter: Letter) -> list[str]:
    return [f"{letter}{score}" for score in TAKING]


def _minor(text: str, minor: int) -> int:
    amount = Decimal(_checked(_AMOUNT, text).strip().replace(",", ".")) * minor
    if amount % 1:
        raise ValueError("must be whole in the smallest unit of the currency")
    return int(amount)


def _checked(kind: re.Pattern[str], text: str) -> str:
    if not kind.fullmatch(text):
        raise ValueError("must be a number")
    return text
