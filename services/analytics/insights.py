"""Insights: what all pages of a base share: tabs, day, chips for sources and currencies, and a base without orders."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import HTMLResponse

from services.analytics.dashboard import settled
from services.analytics.purchase_days import EVERYBODY, family
from services.analytics.question import remember, today
from services.analytics.scope import Question, Scope, currencies, sources
from services.analytics.words import Reader
from shared.clock import date_of
from shared.projections import Snapshot
from shared.service import Platform
from shared.web.freshness import freshness
from shared.web.i18n import N_
from shared.web.serving import ask
from shared.web.shell import Shell

ROOT: Final = "/analytics/"
Chip = tuple[str, str, bool, None]
_NOTHING: Final[Mapping[str, str | None]] = {}


class Tab(StrEnum):
    """One page of the base; the value ends its address."""

    OVERVIEW = ""
    INTERVALS = "intervals"
    LOYALTY = "loyalty"
    VALUE = "value"
    COHORTS = "cohorts"
    MOVEMENTS = "movements"


TAB_NAMES: Final = {
    Tab.OVERVIEW: N_("Overview"),
    Tab.INTERVALS: N_("Intervals"),
    Tab.LOYALTY: N_("Loyalty"),
    Tab.VALUE: N_("Value"),
    Tab.COHORTS: N_("Cohorts"),
    Tab.MOVEMENTS: N_("Movements"),
}


@dataclass(frozen=True)
class Ground:
    """What a page stands on.

    Attributes:
        scope: Up to which day, whose customers, and in which currency.
        sources: The sources there are to choose from.
        currencies: The currencies, of all time.
        ordered: Whether there is an order up to that day.
    """

    scope: Scope
    sources: list[str]
    currencies: list[str]
    ordered: bool


@dataclass(frozen=True)
class Choices:
    """What was chosen on a page, and the addresses of everything else that can be.

    Attributes:
        tab: The tab that is marked.
        ground: What the page stands on.
        reader: In whose words.
        path: Where the form and the chips lead.
        more: What else stands in the address of this page alone.
    """

    tab: Tab
    ground: Ground
    reader: Reader
    path: str
    more: Mapping[str, str | None] = field(default_factory=dict)

    @property
    def chosen(self) -> dict[str, str | None]:
        """Day, source and currency, as an address says them."""
        scope = self.ground.scope
        return {"as_of": date_of(scope.as_of).isoformat(), "source": scope.source, "currency": scope.currency}

    def way(self, path: str | None = None, **changes: str | int | None) -> str:
        """The address of a page (this one if left out) with what is chosen, and some of it changed."""
        said = self.chosen | (dict(self.more) if path is None else {}) | changes
        query = urlencode({name: value for name, value in said.items() if value not in {None, ""}})
        return f"{path or self.path}?{query}"

    def csv(self, table: str, **more: str | int | None) -> str:
        """Where the figures behind a plot are."""
        return self.way(f"{ROOT}csv/{table}", **more)

    def customers(self, **filters: str | int | None) -> str:
        """Where the customers behind a figure are listed."""
        return self.way(f"{ROOT}customers", **filters)

    def customer(self, subject: str, *rest: str, **more: str | None) -> str:
        """The scores of a customer, or with `rest` what lies behind one of them."""
        return self.way("/".join((f"{ROOT}customers/{subject.removeprefix('customer-')}", *rest)), **more)

    @property
    def tabs(self) -> list[Chip]:
        """All pages of the base."""
        gettext = self.reader.words.gettext
        return [(gettext(name), self.way(f"{ROOT}{tab}"), tab is self.tab, None) for tab, name in TAB_NAMES.items()]

    @property
    def source_chips(self) -> list[Chip]:
        """One for each source and one for all; none where there is nothing to choose."""
        names = [(EVERYBODY, self.reader.words.gettext("All sources")), *((name, name) for name in self.ground.sources)]
        chosen = self.ground.scope.source
        found: list[Chip] = [(text, self.way(source=name, currency=None), name == chosen, None) for name, text in names]
        return found if len(self.ground.sources) > 1 else []

    @property
    def currency_chips(self) -> list[Chip]:
        """One for each currency; none where there is nothing to choose."""
        codes, chosen = self.ground.currencies, self.ground.scope.currency
        found: list[Chip] = [(code, self.way(currency=code), code == chosen, None) for code in codes]
        return found if len(codes) > 1 else []


Compose = Callable[[Snapshot, Choices], Mapping[str, Any]]
"""What a page says of a base with orders: the context of its template."""


def ground(db: Snapshot, question: Question) -> Ground:
    """Settle what a page stands on."""
    within = settled(db, question)
    found = sorted(currencies(db, question.source))
    ordered = within.currency in currencies(db, question.source, question.as_of)
    return Ground(within, sources(db), found, ordered)


async def insight(
    request: Request,
    here: Platform,
    frame: Shell,
    question: Question,
    tab: Tab,
    compose: Compose,
    *,
    page: str | None = None,
    more: Mapping[str, str | None] = _NOTHING,
) -> HTMLResponse:
    """Answer with a page of the base.

    Args:
        request: The request.
        here: The platform.
        frame: What renders it.
        question: The day, source and currency asked for.
        tab: The tab to mark.
        compose: What there is to say where there are orders: gives the context of the template.
        page: The end of its address and the name of its template, where it is not the one of the tab.
        more: What else stands in its address.
    """
    name = tab.value if page is None else page
    fresh = await freshness(request, family)
    reader = Reader.of(request)

    def asked(db: Snapshot) -> tuple[Choices, Mapping[str, Any]]:
        choices = Choices(tab, ground(db, question), reader, f"{ROOT}{name}", more)
        return choices, compose(db, choices) if choices.ground.ordered else {}

    choices, context = await ask(here, family, asked)
    answer = frame.page(
        request,
        f"analytics/{name or 'dashboard'}.html",
        choices=choices,
        as_of=date_of(question.as_of),
        is_today=question.as_of == today(here),
        reader=reader,
        fresh=fresh,
        **context,
    )
    remember(request, answer, question, here)
    return answer
