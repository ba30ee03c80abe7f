"""The page of one customer: all scores with their sentences, the rhythm, and the segments that it went through."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID

from fastapi import Request
from fastapi.responses import RedirectResponse, Response

from services.analytics import known_page
from services.analytics.dashboard import settled
from services.analytics.explain import Explanation, Score, explain
from services.analytics.figures import Figure, rhythm_figure
from services.analytics.fitting import Flag
from services.analytics.identity import merges
from services.analytics.kept import Kept, kept
from services.analytics.passages import passages
from services.analytics.profile import Profile, find, profiles, referred
from services.analytics.purchase_days import family
from services.analytics.question import Viewed, remember, today
from services.analytics.regularity import regularity
from services.analytics.scope import Question, Scope
from services.analytics.score_words import EVENNESS, FLAGS, NAMES, sentence, value
from services.analytics.scoring import Scoring, scoring
from services.analytics.words import Reader
from shared.clock import date_of
from shared.errors import Refused
from shared.projections import Snapshot
from shared.web import guard
from shared.web.freshness import freshness
from shared.web.guard import may
from shared.web.i18n import N_
from shared.web.past import KnownAt
from shared.web.serving import Frame, Here, ask

router = guard.router(include_in_schema=False)
PATH: Final = "/analytics/customers"
GROUPS: Final = (
    (N_("Rhythm"), "rhythm", (Score.DUE,)),
    (N_("Loyalty"), "rfm", (Score.SEGMENT, Score.INDEX, Score.RECENCY, Score.FREQUENCY, Score.MONEY)),
    (N_("What is to come"), "active", (Score.ACTIVE, Score.LAPSE, Score.EXPECTED, Score.VALUE)),
)
"""The scores as a person looks at them: name of a group, its anchor among the definitions, and what is in it."""


@dataclass(frozen=True)
class Line:
    """One score of a customer in words; `value` is None where there is not enough data."""

    score: Score
    name: str
    value: str | None
    sentence: str
    href: str


@dataclass(frozen=True)
class Sight:
    """What is seen of one customer from a day.

    Attributes:
        customer: Who it is; of an absorbed one the survivor.
        members: All subjects that count together, the survivor first.
        profile: Purchases and standing.
        scope: Among whom, and in which currency.
        scored: The base with all its scores.
    """

    customer: UUID
    members: list[str]
    profile: Profile
    scope: Scope
    scored: Scoring

    @property
    def subject(self) -> str:
        """The survivor."""
        return self.members[0]

    def opened(self, score: Score) -> Explanation | None:
        """One score; None where there is not enough data."""
        try:
            return explain(self.scored, self.subject, score)
        except Refused:
            return None

    def against(self, score: Score) -> tuple[Flag, ...]:
        """What speaks against the models of a score."""
        models = self.scored.models
        match score:
            case Score.DUE:
                return models.waiting.flags
            case Score.VALUE:
                return (*self.scored.verdict.flags, *models.spending.flags)
            case Score.ACTIVE | Score.LAPSE | Score.EXPECTED:
                return self.scored.verdict.flags
            case _:
                return ()

    def way(self, *rest: str, **more: str | None) -> str:
        """The address of this customer's pages with what is chosen."""
        scope = self.scope
        said = {"as_of": date_of(scope.as_of).isoformat(), "source": scope.source, "currency": scope.currency, **more}
        query = urlencode({name: text for name, text in said.items() if text})
        return f"{'/'.join((PATH, str(self.customer), *rest))}?{query}"


def sight(db: Snapshot, answers: Kept, customer: UUID, question: Question) -> Sight:
    """Look at one customer, in the currency of most of their orders unless another is asked for."""
    subject = f"customer-{customer}"
    found = profiles(db, answers, [customer], question)[customer]
    within = settled(db, replace(question, currency=found.currency))
    members = merges(db).members([subject])[subject]
    return Sight(
        UUID(members[0].removeprefix("customer-")), members, found, within, answers.renewed(db, scoring, within)
    )


@router.get("/customers/{reference}")
@may("analyst", "manager", "specialist")
async def customer(
    request: Request, here: Here, frame: Frame, viewed: Viewed, reference: str, known_at: KnownAt
) -> Response:
    """All scores of one customer; aliases and whoever was absorbed lead to the one who counts.

    With `known_at` the purchases as far as they were known by then.
    """
    if known_at is not None:
        id_ = await ask(here, family, lambda db: referred(db, reference))
        return await known_page.page(request, here, frame, id_, viewed, known_at)
    answers, reader = kept(here.models), Reader.of(request)
    fresh = await freshness(request, family)

    def asked(db: Snapshot) -> tuple[Sight, Mapping[str, Any]]:
        seen = sight(db, answers, find(db, reference), viewed)
        return seen, _said(seen, reader) if seen.profile.rhythm.days else {}

    seen, context = await ask(here, family, asked)
    if str(seen.customer) != reference:
        query = request.url.query
        return RedirectResponse(f"{PATH}/{seen.customer}{'?' if query else ''}{query}", 307)
    moves = await passages(here, seen.members, seen.profile.currency or "", viewed.as_of, reader)
    answer = frame.page(
        request,
        "analytics/customer.html",
        seen=seen,
        passages=moves,
        currencies=_currencies(seen),
        as_of=date_of(viewed.as_of),
        is_today=viewed.as_of == today(here),
        fresh=fresh,
        **context,
    )
    remember(request, answer, viewed, here)
    return answer


def lines(seen: Sight, reader: Reader) -> list[tuple[str, str, list[Line]]]:
    """All scores by group: its name, its anchor among the definitions, and its scores."""
    gettext = reader.words.gettext
    return [(gettext(name), anchor, [line(seen, score, reader) for score in scores]) for name, anchor, scores in GROUPS]


def line(seen: Sight, score: Score, reader: Reader) -> Line:
    """One score of a customer in words."""
    gettext, currency = reader.words.gettext, seen.profile.currency or ""
    name, href = gettext(NAMES[score]), seen.way("why", score.value)
    found = seen.opened(score)
    if found is None:
        flags = seen.against(score) or (Flag.NOT_ENOUGH_DATA,)
        return Line(score, name, None, " ".join(gettext(FLAGS[flag]) for flag in dict.fromkeys(flags)), href)
    return Line(score, name, value(found, reader, currency), said_of(seen, found, reader), href)


def said_of(seen: Sight, found: Explanation, reader: Reader) -> str:
    """One sentence on a score; of recency, frequency and money the reason, which names what the next point takes."""
    standing_ = seen.profile.standing
    reasons = {reason.letter: reason for reason in standing_.reasons} if standing_ else {}
    reason = next((reason for letter, reason in reasons.items() if letter == found.score.value), None)
    return sentence(found, reader) if reason is None else reader.reason(reason, seen.profile.currency or "")


def _said(seen: Sight, reader: Reader) -> dict[str, Any]:
    rhythm = seen.profile.rhythm
    base = seen.scored.timing.wheat_k
    even = None if base is None else regularity(rhythm.intervals, base)
    figure: Figure = rhythm_figure(seen.profile, reader, seen.opened(Score.DUE))
    return {
        "groups": lines(seen, reader),
        "figure": figure,
        "even": even and (even.k, reader.words.gettext(EVENNESS[even.evenness])),
    }


def _currencies(seen: Sight) -> list[tuple[str, str, bool, None]]:
    """Chips for the currencies that the customer ordered in; none where there is one."""
    found = seen.profile.currencies
    chips: list[tuple[str, str, bool, None]] = [
        (code, seen.way(currency=code), code == seen.profile.currency, None) for code in found
    ]
    return chips if len(found) > 1 else []
