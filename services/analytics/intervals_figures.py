"""The plots of intervals: how long customers take, what the model says of it, and how many came back at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from services.analytics.figures import Figure, Rows, interval_figure
from services.analytics.fitting import Fit
from services.analytics.histories import Histories
from services.analytics.intervals import WEEK, WEEKS_SHOWN
from services.analytics.movement import survival
from services.analytics.replenishment import Due
from services.analytics.survival import Survival
from services.analytics.timing import Timing, counted, foretold, log_sum
from services.analytics.waiting import Gaps, Waiting
from services.analytics.words import Reader
from shared.clock import date_of
from shared.web.curves import curve, over

_AT_RANDOM, _REGULAR = 1.2, 2.5
_POINTS = 400
"""Steps of the curve that are drawn at most; the CSV holds all."""
_TOLD_DAYS = (30, 60, 90, 180, 365)


@dataclass(frozen=True)
class Paces:
    """How fast customers come back, of all purchases or those of one product.

    Attributes:
        timing: The intervals and how regular they are.
        fit: What the model makes of them.
        gaps: What the model was given.
        survival: Who has not come back, by days since the first purchase.
    """

    timing: Timing
    fit: Fit[Waiting]
    gaps: Gaps
    survival: Survival

    @classmethod
    def of(cls, some: Histories, as_of: int) -> Paces:
        """Of the histories up to a day."""
        found, bought = counted(some), some.bought
        gaps = Gaps.of(bought.days - 1, bought.last - bought.first, log_sum(found.intervals))
        return cls(found, foretold(some), gaps, survival(some, as_of))

    @property
    def expected(self) -> list[tuple[int, int, float]]:
        """First day, last day and intervals that the model expects there, by week; none without a model."""
        model, buckets = self.fit.usable, self.timing.intervals.histogram()
        if model is None or not buckets:
            return []
        edges = [WEEK * week for week in range(min(len(buckets), WEEKS_SHOWN) + 1)]
        counts = model.spread(edges, self.gaps).tolist()
        return [(low + 1, high, count) for (low, high), count in zip(pairwise(edges), counts, strict=True)]


def pace_figure(paces: Paces, reader: Reader, product: str | None = None) -> Figure:
    """The histogram under the curve of the model; there is at least one interval."""
    _, number = reader.words.gettext, reader.formats.number
    figure, expected = interval_figure(paces.timing.intervals, reader), paces.expected
    if product is not None:
        days = reader.formats.days(paces.timing.intervals.median)
        title = _("Half of all purchases of %(product)s follow the last within %(days)s")
        figure = replace(figure, title=title % {"product": product, "days": days})
    if not expected:
        return figure
    points = [((low - 1 + high) / 2, count) for low, high, count in expected]
    told = _("%(days)s days: the model expects %(count)s")
    tips = [told % {"days": f"{low}\N{EN DASH}{high}", "count": number(round(count))} for low, high, count in expected]
    plot = over(figure.plot, points, _("model"), tips)
    cells = [number(round(count)) for _low, _high, count in expected]
    cells += [number(None)] * (len(plot.rows) - len(cells))
    rows = [(*row, cell) for row, cell in zip(plot.rows, cells, strict=False)]
    return replace(figure, plot=replace(plot, columns=(*plot.columns, _("model expects")), rows=rows))


def regularity(paces: Paces, reader: Reader) -> str | None:
    """What the model's k means; None without a model."""
    _, model = reader.words.gettext, paces.fit.usable
    if model is None:
        return None
    if model.k < _AT_RANDOM:
        text = _("k is %(k)s: customers come back almost at random, so a due day is a rough guess.")
    elif model.k < _REGULAR:
        text = _(
            "k is %(k)s: customers come back more evenly than by chance (that would be 1), but far from clockwork."
        )
    else:
        text = _("k is %(k)s: customers come back regularly (chance would be 1), so due days can be trusted.")
    return text % {"k": reader.formats.number(model.k, 2)}


def survival_figure(found: Survival, reader: Reader, product: str | None = None) -> Figure:
    """Who has not come back after how many days; somebody has."""
    _, formats = reader.words.gettext, reader.formats
    steps = list(zip((float(step.day) for step in found.steps), found.waiting, strict=True))
    points = [(0.0, 1.0), *steps[:: -(-len(steps) // _POINTS)]]
    mark = None if found.median is None else (found.median, _("median %(days)s") % {"days": formats.days(found.median)})
    plot = curve(
        points,
        across=_("days since the first order"),
        upright=_("not back yet"),
        step=True,
        mark=mark,
        show_across=formats.days,
        show=lambda share: formats.percent(share, 1),
    )
    days = [day for day in _TOLD_DAYS if found.at(day) is not None] or [found.longest or 0]
    rows = [(formats.days(day), formats.percent(found.at(day) or 0, 1), _risk(found, day, reader)) for day in days]
    columns = (_("days since the first order"), _("not back yet"), _("observed so long"))
    note = _("Estimated after Kaplan and Meier: who has been a customer for a short time counts for that time only.")
    return Figure(_message(found, reader, product), replace(plot, columns=columns, rows=rows), note)


def _message(found: Survival, reader: Reader, product: str | None) -> str:
    _, formats = reader.words.gettext, reader.formats
    if found.median is not None:
        told = {"days": formats.days(found.median), "product": product}
        if product is not None:
            return _("Half of the buyers of %(product)s buy it again within %(days)s") % told
        return _("Half of new customers are back within %(days)s") % told
    longest = found.longest or 0
    told = {"share": formats.percent(1 - (found.at(longest) or 0)), "days": formats.days(longest), "product": product}
    if product is not None:
        return _("%(share)s of the buyers of %(product)s buy it again within %(days)s") % told
    return _("%(share)s of new customers are back after %(days)s") % told


def _risk(found: Survival, day: int, reader: Reader) -> str:
    """How many customers the estimate at a day still rests on."""
    waiting = next((step.waiting for step in found.steps if step.day >= day), None)
    return reader.formats.number(waiting)


def expected_rows(paces: Paces) -> Rows:
    """The histogram and the curve as plain figures, under their names."""
    yield "from_days", "to_days", "intervals", "model_expects"
    counts = [count for _low, _high, count in paces.expected]
    for number, bucket in enumerate(paces.timing.intervals.histogram()):
        yield (*bucket, counts[number] if number < len(counts) else None)


def survival_rows(found: Survival) -> Rows:
    """The steps of the curve as plain figures, under their names."""
    yield "days", "waiting", "returned", "share_not_back"
    for step, share in zip(found.steps, found.waiting, strict=True):
        yield (*step, share)


def due_rows(due: Sequence[Due]) -> Rows:
    """What is due, under the names of its columns."""
    yield "customer", "source", "product", "last", "intervals", "due", "earliest", "latest", "chance"
    for each in due:
        days = [date_of(day).isoformat() for day in (each.last, each.due, *each.window)]
        customer = each.customer.removeprefix("customer-")
        yield customer, each.source, each.product, days[0], each.intervals, *days[1:], each.chance
