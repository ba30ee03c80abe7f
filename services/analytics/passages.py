"""Passages: how a customer came from segment to segment, with the scores that did it, in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from services.analytics import registry, standing
from services.analytics.events import Grade, Grades
from services.analytics.loyalty import Letter, Reason
from services.analytics.standing import Move
from services.analytics.words import Reader
from shared.service import Platform
from shared.web.serving import ask


@dataclass(frozen=True)
class Passage:
    """One customer entered a segment, or left the last one.

    Attributes:
        move: From where to where, on which day, and the position of its event.
        until: The day of the next passage; None while it stands.
        scores: Those of recency, frequency and money on that day; None of who left for good.
        reasons: What changed since the passage before, a sentence each; all three where nothing was before.
    """

    move: Move
    until: int | None
    scores: tuple[int, int, int] | None
    reasons: tuple[str, ...]


async def passages(here: Platform, members: Sequence[str], currency: str, as_of: int, reader: Reader) -> list[Passage]:
    """All of a customer, and of those who were merged into it, up to a day; newest first."""
    moves = await ask(here, standing.family, lambda db: registry.path(db, members, currency, as_of))
    return list(told(moves, currency, reader))[::-1]


def told(moves: Sequence[Move], currency: str, reader: Reader) -> Iterator[Passage]:
    """Put moves into words, oldest first."""
    scored: dict[str, dict[Letter, Grade]] = {}
    for place, move in enumerate(moves):
        until = next((later.day for later in moves[place + 1 :] if later.customer == move.customer), None)
        if move.grades is None:
            yield Passage(move, until, None, ())
            continue
        before, now = scored.get(move.customer, {}), _grades(move.grades)
        scored[move.customer] = now
        changed = [letter for letter in before if before[letter].score != now[letter].score]
        reasons = tuple(_reason(letter, before.get(letter), now[letter], currency, reader) for letter in changed or now)
        yield Passage(move, until, (now["r"].score, now["f"].score, now["m"].score), reasons)


def _grades(text: str) -> dict[Letter, Grade]:
    found = Grades.model_validate_json(text)
    return {"r": found.recency, "f": found.frequency, "m": found.money}


def _reason(letter: Letter, before: Grade | None, now: Grade, currency: str, reader: Reader) -> str:
    """What a customer had when it got a score, and what that score took then."""
    said = reader.reason(Reason(letter, now.score, now.value, now.takes, now.score, now.takes), currency)
    number = reader.formats.number
    if before is None or before.score == now.score:
        return f"{letter.upper()} {number(now.score)}: {said}"
    return f"{letter.upper()} {number(before.score)} → {number(now.score)}: {said}"
