"""The page of loyalty: segments, the scores they follow from, and the loyalty index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, get_args

import numpy as np
from fastapi import Request
from fastapi.responses import HTMLResponse
from markupsafe import Markup

from services.analytics.explain import Score
from services.analytics.figures import Figure, Rows, segment_figure
from services.analytics.heat import Cell, Heat, Row, level
from services.analytics.insights import Choices, Tab, insight
from services.analytics.kept import kept
from services.analytics.loyalty import Letter, Ranking
from services.analytics.population import Population
from services.analytics.question import Viewed
from services.analytics.rules import SCORES
from services.analytics.score_words import NAMES
from services.analytics.scoring import Scoring, scoring
from services.analytics.selection import BIN
from services.analytics.words import SEGMENT_NAMES, Reader
from shared.projections import Snapshot
from shared.web import guard
from shared.web.guard import may
from shared.web.plots import histogram
from shared.web.serving import Frame, Here

router = guard.router(include_in_schema=False)
_LETTERS: Final[tuple[Letter, ...]] = get_args(Letter)
FEW: Final = 20
"""Below so many customers, scores against each other say little."""
_BINS: Final = 100 // BIN


@router.get("/loyalty")
@may("analyst", "manager", "specialist")
async def loyalty(request: Request, here: Here, frame: Frame, viewed: Viewed) -> HTMLResponse:
    """Who is loyal, by segment, score and index."""
    answers = kept(here.models)

    def compose(db: Snapshot, choices: Choices) -> Mapping[str, Any]:
        found = answers.renewed(db, scoring, choices.ground.scope)
        currency = choices.ground.scope.currency or ""
        return {
            "population": found.population,
            "few": FEW,
            "chips": segment_chips(found.population, choices),
            "segments": segment_figure(found.population, currency, choices.reader),
            "scores": score_table(found.population.ranking, currency, choices),
            "index": index_figure(found, choices),
        }

    return await insight(request, here, frame, viewed, Tab.LOYALTY, compose)


def segment_chips(population: Population, choices: Choices, chosen: str | None = None) -> Sequence[tuple[Any, ...]]:
    """One for each segment, with its customers, to list them."""
    gettext = choices.reader.words.gettext
    return [
        (gettext(SEGMENT_NAMES[each]), choices.customers(segment=each.value), each.value == chosen, count)
        for each, count in population.customers.items()
    ]


def score_table(ranking: Ranking, currency: str, choices: Choices) -> Heat:
    """How many customers have each score, and what it takes."""
    _, reader = choices.reader.words.gettext, choices.reader
    n = ranking.n
    names = {"r": Score.RECENCY, "f": Score.FREQUENCY, "m": Score.MONEY}
    rows = []
    for letter in _LETTERS:
        scale, cuts = getattr(ranking, letter), ranking.cuts[letter]
        cells = tuple(
            _cell(letter, score, count, takes(letter, cut, currency, reader), n, choices)
            for score, count, cut in zip(SCORES, scale.counts, cuts, strict=True)
        )
        rows.append(Row(_(NAMES[names[letter]]), (), cells))
    columns = (_("score"), *(reader.formats.number(score) for score in SCORES))
    note = _(
        "Customers with each score, and what it takes at least. Equal customers share a score, so some stay empty."
    )
    return Heat(_("What a score from 1 to 5 takes"), note, columns, 1, tuple(rows))


def takes(letter: Letter, cut: int | None, currency: str, reader: Reader) -> str:
    """What a score takes, in words."""
    _, formats = reader.words.gettext, reader.formats
    if cut is None:
        return _("nobody")
    match letter:
        case "r":
            return _("within %(days)s") % {"days": formats.days(cut)}
        case "f":
            return formats.days(cut)
        case _:
            return formats.money(cut, currency, whole=True)


def index_figure(scored: Scoring, choices: Choices) -> Figure:
    """How the loyalty index is spread; there is at least one customer."""
    _, formats = choices.reader.words.gettext, choices.reader.formats
    counts, median = index_counts(scored), float(np.median(scored.index.total))
    plot = histogram(
        [(number * BIN, count) for number, count in enumerate(counts)],
        width=BIN,
        unit=_("points of the loyalty index"),
        count=_("customers"),
        mark=(median, _("median %(days)s") % {"days": formats.number(median, 0)}),
        show=formats.number,
    )
    link = Markup('<a class="door" href="{}">{}</a>')
    rows = [
        (label, link.format(choices.customers(points=number * BIN), shown))
        for number, (label, shown) in enumerate(plot.rows)
    ]
    told = {"points": formats.number(median, 0)}
    title = _("Half of all customers have at least %(points)s of 100 points") % told
    note = _("Recency and purchase days count 40 each, spend 20: the share of customers that one is ahead of.")
    return Figure(title, type(plot)(plot.option, plot.columns, rows), note)


def index_counts(scored: Scoring) -> list[int]:
    """Customers by loyalty index, in bins of equal width."""
    bins = np.minimum(scored.index.total // BIN, _BINS - 1).astype(np.int64)
    return [int(count) for count in np.bincount(bins, minlength=_BINS)]


def score_rows(ranking: Ranking) -> Rows:
    """The scores as plain figures, under their names."""
    yield "letter", "score", "customers", "takes"
    for letter in _LETTERS:
        for score, count, cut in zip(SCORES, getattr(ranking, letter).counts, ranking.cuts[letter], strict=True):
            yield letter, score, count, cut


def index_rows(scored: Scoring) -> Rows:
    """The loyalty index by bin, under the names of its columns."""
    yield "from_points", "to_points", "customers"
    for number, count in enumerate(index_counts(scored)):
        yield number * BIN, (number + 1) * BIN, count


def _cell(letter: Letter, score: int, count: int, needs: str, n: int, choices: Choices) -> Cell | None:
    _, formats = choices.reader.words.gettext, choices.reader.formats
    if not count:
        return None
    told = {"count": formats.number(count), "score": formats.number(score), "needs": needs}
    tip = _("%(count)s customers have score %(score)s: %(needs)s") % told
    text = Markup("{}<small>{}</small>").format(formats.number(count), needs)
    return Cell(text, level(count / n, 1), tip, choices.customers(letter=letter, score=score))
