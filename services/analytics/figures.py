"""The plots of analytics: each with its message as title, and the same figures as table and as CSV."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from services.analytics import score_words
from services.analytics.base import Month
from services.analytics.explain import Explanation
from services.analytics.intervals import WEEK, WEEKS_SHOWN, Intervals
from services.analytics.loyalty import SEGMENTS
from services.analytics.population import Population
from services.analytics.profile import Profile
from services.analytics.words import SEGMENT_NAMES, Reader
from shared.clock import day_number
from shared.web.plots import Plot, bars, columns_by_month, histogram, strip

Rows = Iterable[tuple[object, ...]]


@dataclass(frozen=True)
class Figure:
    """A plot under its message; `note` is a line below."""

    title: str
    plot: Plot
    note: str | None = None


def interval_figure(intervals: Intervals, reader: Reader) -> Figure:
    """How long customers take to come back; there is at least one interval."""
    _, number = reader.words.gettext, reader.formats.number
    median = intervals.median or 0
    buckets = intervals.histogram()
    shown = [bucket for bucket in buckets if bucket.high <= WEEK * WEEKS_SHOWN]
    longer = sum(bucket.intervals for bucket in buckets[len(shown) :])
    plot = histogram(
        [(bucket.low - 1, bucket.intervals) for bucket in shown],
        width=WEEK,
        unit=_("days between orders"),
        count=_("intervals"),
        mark=(median, _("median %(days)s") % {"days": number(median)}),
    )
    shares = accumulate(bucket.intervals / intervals.n for bucket in buckets)
    rows = [
        (
            f"{number(bucket.low)}\N{EN DASH}{number(bucket.high)}",
            number(bucket.intervals),
            reader.formats.percent(share),
        )
        for bucket, share in zip(buckets, shares, strict=True)
    ]
    for item, (days, count, share) in zip(plot.option["series"][0]["data"], rows, strict=False):
        item["tip"] = _("%(days)s days: %(count)s intervals, %(share)s up to here") % {
            "days": days,
            "count": count,
            "share": share,
        }
    columns = (_("days between orders"), _("intervals"), _("share up to here"))
    note = _("%(count)s of %(all)s took longer than half a year; they stand in the table.")
    told = note % {"count": number(longer), "all": number(intervals.n)} if longer else None
    return Figure(reader.comes_back(median), replace(plot, columns=columns, rows=rows), told)


def segment_figure(population: Population, currency: str, reader: Reader) -> Figure:
    """Who is in which segment; there is at least one customer."""
    _, formats = reader.words.gettext, reader.formats
    n, revenue = population.ranking.n, sum(population.gross.values()) or 1
    names = [_(SEGMENT_NAMES[segment]) for segment in SEGMENTS]
    counts = [population.customers[segment] for segment in SEGMENTS]
    plot = bars(names, counts, name=_("segment"), unit=_("customers"), strong=names[:1], show=formats.number)
    rows = [
        (
            name,
            formats.number(population.customers[segment]),
            formats.percent(population.customers[segment] / n),
            formats.money(population.gross[segment], currency, whole=True),
            formats.percent(population.gross[segment] / revenue),
        )
        for name, segment in zip(names, SEGMENTS, strict=True)
    ]
    columns = (_("segment"), _("customers"), _("of all customers"), _("revenue"), _("of all revenue"))
    return Figure(reader.segments(population), replace(plot, columns=columns, rows=rows))


def revenue_figure(months: Sequence[Month], currency: str, reader: Reader) -> Figure:
    """What orders came to by month; there is at least one month."""
    _, formats = reader.words.gettext, reader.formats
    plot = columns_by_month(
        [day_number(month.first) for month in months],
        [month.gross for month in months],
        month=_("month"),
        unit=_("revenue in %(currency)s") % {"currency": currency},
        formatter=f"@money:{currency}",
        show=lambda minor: formats.money(int(minor), currency, whole=True),
        show_month=lambda day: formats.date(day, "MMM yy"),
    )
    rows = [
        (
            formats.date(month.first, "LLLL y"),
            formats.number(month.orders),
            *(formats.money(minor, currency) for minor in (month.gross, month.refunds, month.credit, month.net)),
        )
        for month in months
    ]
    columns = (_("month"), _("orders"), _("revenue"), _("refunds"), _("credit notes"), _("net"))
    partial = [month for month in months if not month.full]
    told = None
    if partial:
        names = ", ".join(formats.date(month.first, "LLLL y") for month in partial)
        told = _("Not a full month: %(months)s.") % {"months": names}
    return Figure(reader.months(months, currency), replace(plot, columns=columns, rows=rows), told)


def rhythm_figure(profile: Profile, reader: Reader, due_by_model: Explanation | None = None) -> Figure:
    """When one customer bought and is due, with the model's window; there is at least one purchase day."""
    _, formats = reader.words.gettext, reader.formats
    currency, rhythm = profile.currency or "", profile.rhythm
    due = None
    if rhythm.next_due is not None:
        due = (rhythm.next_due, _("due %(day)s") % {"day": formats.date(rhythm.next_due)})
    plot = strip(
        profile.gross_on,
        until=rhythm.as_of,
        day=_("purchase day"),
        unit=_("orders in %(currency)s") % {"currency": currency},
        due=due,
        window=_window(due_by_model),
        formatter=f"@money:{currency}",
        show=lambda minor: formats.money(int(minor), currency),
        show_day=formats.date,
    )
    note = None if rhythm.x else _("Two purchase days make a rhythm; this customer has one.")
    if due_by_model is not None:
        note = score_words.due(due_by_model.inputs, reader)
    return Figure(reader.rhythm(profile), plot, note)


def _window(due: Explanation | None) -> tuple[int, int] | None:
    """Between which days eight of ten next orders come."""
    return None if due is None else (day_number(due.inputs["earliest"]), day_number(due.inputs["latest"]))


def interval_rows(intervals: Intervals) -> Rows:
    """The histogram as plain figures, under their names."""
    yield "from_days", "to_days", "intervals"
    yield from intervals.histogram()


def segment_rows(population: Population, currency: str) -> Rows:
    """The segments as plain figures, under their names."""
    yield "segment", "customers", "currency", "gross_minor"
    for segment in SEGMENTS:
        yield segment.value, population.customers[segment], currency, population.gross[segment]


def revenue_rows(months: Sequence[Month], currency: str) -> Rows:
    """The months as plain figures, under their names."""
    yield "month", "orders", "currency", "gross_minor", "refund_minor", "credit_minor", "net_minor"
    for month in months:
        first = month.first.isoformat()[:7]
        yield first, month.orders, currency, month.gross, month.refunds, month.credit, month.net
