"""What the figures say, in words of the reader's language."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor
from typing import Final

from babel.support import NullTranslations
from starlette.requests import Request

from services.analytics.base import Month
from services.analytics.loyalty import Reason, Segment
from services.analytics.population import Population
from services.analytics.profile import Profile
from services.analytics.rules import BEST
from shared.web.formats import Formats
from shared.web.i18n import N_, negotiate, translations

FACT_NAMES: Final = {
    "placed": N_("Order placed"),
    "cancelled": N_("Order cancelled"),
    "refunded": N_("Order refunded"),
    "credited": N_("Credit note issued"),
}
"""What people call the events behind a figure."""

SEGMENT_NAMES: Final = {
    Segment.CHAMPION: N_("Champion"),
    Segment.LOYAL: N_("Loyal"),
    Segment.AT_RISK: N_("At risk"),
    Segment.NEW: N_("New"),
    Segment.REGULAR: N_("Regular"),
    Segment.DORMANT: N_("Dormant"),
}
_TWICE: Final = (1.9, 2.2)
_YEAR: Final = 12


@dataclass(frozen=True)
class Reader:
    """Somebody who reads in one language: its words and its formats."""

    words: NullTranslations
    formats: Formats

    @classmethod
    def of(cls, request: Request) -> Reader:
        """Whoever sent a request."""
        language = negotiate(request)
        words = translations(language)
        return cls(words, Formats(language, words))

    def comes_back(self, median: float) -> str:
        """The message of a histogram of intervals."""
        return self.words.gettext("Half of all orders come back within %(days)s") % {"days": self.formats.days(median)}

    def segments(self, population: Population) -> str:
        """The message of the segments: what the champions mean to a population of at least one."""
        n, champions = population.ranking.n, population.customers[Segment.CHAMPION]
        if not champions:
            text = self.words.ngettext("One customer, no champion yet", "%(count)s customers, no champion yet", n)
            return text % {"count": self.formats.number(n)}
        revenue = population.gross[Segment.CHAMPION] / (sum(population.gross.values()) or 1)
        text = self.words.gettext("Champions are %(customers)s of the customers and %(revenue)s of the revenue")
        return text % {"customers": self.formats.percent(champions / n), "revenue": self.formats.percent(revenue)}

    def months(self, months: Sequence[Month], currency: str) -> str:
        """The message of the revenue by month: the best full month against the weakest one."""
        full = [month for month in months if month.full] or list(months)
        best, worst = max(full, key=lambda month: month.gross), min(full, key=lambda month: month.gross)
        style = "MMMM" if len(full) <= _YEAR else "MMMM y"
        named = {"best": self.formats.date(best.first, style), "worst": self.formats.date(worst.first, style)}
        if worst.gross <= 0 or best is worst:
            amount = self.formats.money(best.gross, currency, whole=True)
            return self.words.gettext("%(best)s brings the most, %(amount)s") % {**named, "amount": amount}
        times = best.gross / worst.gross
        if _TWICE[0] <= times < _TWICE[1]:
            return self.words.gettext("%(best)s brings twice the revenue of %(worst)s") % named
        text = self.words.gettext("%(best)s brings %(times)s times the revenue of %(worst)s")
        return text % {**named, "times": self.formats.number(times, 1)}

    def rhythm(self, profile: Profile) -> str:
        """The message of one customer's purchase days; there is at least one."""
        rhythm, formats = profile.rhythm, self.formats
        if rhythm.median is None or rhythm.next_due is None:
            return self.words.gettext("Ordered on one day so far, %(day)s") % {"day": formats.date(rhythm.last, "long")}
        often = floor(rhythm.median + 0.5)
        told = {"count": formats.number(often), "due": formats.date(rhythm.next_due, "long")}
        if rhythm.next_due < rhythm.as_of:
            text = self.words.ngettext(
                "Orders about every day, the next was due %(due)s",
                "Orders about every %(count)s days, the next was due %(due)s",
                often,
            )
        else:
            text = self.words.ngettext(
                "Orders about every day, next due %(due)s",
                "Orders about every %(count)s days, next due %(due)s",
                often,
            )
        return text % told

    def distance(self, days: int) -> str:
        """How far a day lies ahead (positive) or back."""
        if days == 0:
            return self.words.gettext("today")
        text = (
            self.words.ngettext("in %(days)s day", "in %(days)s days", days)
            if days > 0
            else self.words.ngettext("%(days)s day ago", "%(days)s days ago", -days)
        )
        return text % {"days": self.formats.number(abs(days))}

    def reason(self, reason: Reason, currency: str) -> str:
        """Why a customer has a score, and what the next one takes."""
        _ = self.words.gettext
        has, needs = {
            "r": (_("Last order %(value)s ago."), _("Score %(score)s takes an order within %(needs)s.")),
            "f": (_("Ordered on %(value)s."), _("Score %(score)s takes orders on at least %(needs)s.")),
            "m": (_("Orders worth %(value)s."), _("Score %(score)s takes orders worth at least %(needs)s.")),
        }[reason.letter]
        if reason.letter == "r" and reason.value == 0:
            has = _("Last order on this very day.")
        score, needed = reason.score, reason.needs
        if reason.next_score is None and score < BEST:
            needs = _("Nobody scores better.")
        if reason.next_score is not None and reason.next_needs is not None:
            score, needed = reason.next_score, reason.next_needs
        told = {"score": self.formats.number(score), "needs": self._amount(reason, needed, currency)}
        return f"{has % {'value': self._amount(reason, reason.value, currency)}} {needs % told}"

    def _amount(self, reason: Reason, value: int, currency: str) -> str:
        return self.formats.money(value, currency) if reason.letter == "m" else self.formats.days(value)
