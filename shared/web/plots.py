"""Plots as data: each helper gives the ECharts option and the table that stands behind the picture.

The option is JSON; `static/plots.js` puts in what JSON cannot say. A string that begins with `@` is a token: `@accent`,
`@soft`, `@muted`, `@ink` and `@tone1` ... `@tone6` are colours of the theme, `@number`, `@percent`, `@day`, `@month`
and `@money:GBP` at a `formatter` are formats of the reader's language. A data item's `tip` is what its tooltip says.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Any

from markupsafe import Markup

from shared.web.formats import EPOCH, calendar_day

Option = dict[str, Any]
Show = Callable[[float], str]


@dataclass(frozen=True)
class Plot:
    """A picture and the same figures as a table: `columns` are its headings, `rows` its cells as text."""

    option: Option
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]

    @property
    def empty(self) -> bool:
        """Whether there is nothing to draw."""
        return not self.rows


BARE: Option = {"splitLine": {"show": False}, "containShape": False}
"""An axis without lines into the plot, exactly as long as its values."""
LABELS = 8
"""How many months a strip names at most."""


def month_starts(first: int, last: int) -> list[int]:
    """The first days of months from one business day to another, thinned out evenly to a readable number."""
    day = calendar_day(first)
    months = range(day.year * 12 + day.month, calendar_day(last).year * 12 + calendar_day(last).month)
    starts = [(date(month // 12, month % 12 + 1, 1) - EPOCH).days for month in months]
    return starts[:: max(1, -(-len(starts) // LABELS))]


def plain(value: float) -> str:
    """A number as it stands."""
    return f"{value:g}"


def axis(kind: str, name: str = "", formatter: str = "@number", **more: Any) -> Option:
    """One axis with its unit as name."""
    labels = {"axisLabel": {"formatter": formatter}} if kind == "value" else {}
    return {"type": kind, "name": name, "nameLocation": "middle", **labels, **more}


def mark_line(at: float, label: str) -> Option:
    """A dashed line across the plot at one value of the horizontal axis, with its meaning above it."""
    return {
        "silent": True,
        "symbol": "none",
        "lineStyle": {"type": "dashed", "color": "@ink", "width": 1.5},
        "label": {"formatter": label, "color": "@ink", "position": "end"},
        "data": [{"xAxis": at}],
    }


def histogram(
    bins: Sequence[tuple[float, int]],
    *,
    width: float,
    unit: str,
    count: str,
    mark: tuple[float, str] | None = None,
    show: Show = plain,
) -> Plot:
    """How often a measure falls in each range.

    Args:
        bins: (lower bound, count) in ascending order, all `width` wide.
        width: The width of a bin in units of the measure.
        unit: What the measure is, with its unit: the name of the horizontal axis.
        count: What is counted: the name of the vertical axis.
        mark: A value and its label, such as the median; bins that end at or before it are drawn strong.
        show: How a count is written in the table and the tooltip.
    """
    border = mark[0] if mark else float("inf")
    rows = [(f"{plain(low)}\N{EN DASH}{plain(low + width)}", show(counted)) for low, counted in bins]
    data = [
        {
            "value": [low + width / 2, counted],
            "tip": f"{label} {unit}: {shown}",
            "itemStyle": {"color": "@accent" if low + width <= border else "@soft"},
        }
        for (low, counted), (label, shown) in zip(bins, rows, strict=True)
    ]
    edges = (bins[0][0], bins[-1][0] + width) if bins else (0, width)
    every = width * max(1, round(len(bins) / 12))
    series: Option = {"type": "bar", "data": data, "barCategoryGap": "8%"}
    if mark:
        series["markLine"] = mark_line(*mark)
    across = axis("value", unit, min=edges[0], max=edges[1], interval=every, **BARE)
    return Plot({"xAxis": across, "yAxis": axis("value", count), "series": [series]}, (unit, count), rows)


def bars(
    labels: Sequence[str],
    values: Sequence[float],
    *,
    name: str,
    unit: str,
    strong: Sequence[str] = (),
    show: Show = plain,
) -> Plot:
    """One lying bar for each name, the first on top, its value at its end.

    Args:
        labels: The names.
        values: One value for each name.
        name: What the names are: heading of the table's first column.
        unit: What is measured, with its unit.
        strong: Names to draw in the accent colour; none means all.
        show: How a value is written at the bar, in the tooltip and in the table.
    """
    data = [
        {
            "value": value,
            "tip": f"{label}: {show(value)}",
            "itemStyle": {"color": "@accent" if not strong or label in strong else "@soft"},
            "label": {"show": True, "position": "right", "formatter": show(value)},
        }
        for label, value in zip(labels, values, strict=True)
    ]
    option = {
        "xAxis": {"type": "value", "show": False},
        "yAxis": axis("category", data=list(labels), inverse=True, axisLine={"show": False}),
        "grid": {"right": 64, "top": 8, "bottom": 0},
        "series": [{"type": "bar", "data": data, "barMaxWidth": 28}],
    }
    return Plot(option, (name, unit), [(label, show(value)) for label, value in zip(labels, values, strict=True)])


def columns_by_month(
    months: Sequence[int],
    values: Sequence[float],
    *,
    month: str,
    unit: str,
    formatter: str = "@number",
    show: Show = plain,
    show_month: Callable[[int], str] = str,
) -> Plot:
    """One column for each month.

    Args:
        months: The first business day of each month.
        values: One value for each month.
        month: Heading of the table's first column.
        unit: What is measured, with its unit.
        formatter: Token for the vertical axis, such as `@money:GBP` for minor units.
        show: How a value is written in the tooltip and the table.
        show_month: How a month is written there and below its column.
    """
    labels = [show_month(first) for first in months]
    rows = [(label, show(value)) for label, value in zip(labels, values, strict=True)]
    data = [{"value": value, "tip": f"{label}: {shown}"} for value, (label, shown) in zip(values, rows, strict=True)]
    option = {
        "xAxis": axis("category", data=labels),
        "yAxis": axis("value", unit, formatter),
        "series": [{"type": "bar", "data": data, "itemStyle": {"color": "@accent"}, "barMaxWidth": 36}],
    }
    return Plot(option, (month, unit), rows)


def strip(
    days: Sequence[tuple[int, float]],
    *,
    until: int,
    day: str,
    unit: str,
    due: tuple[int, str] | None = None,
    window: tuple[int, int] | None = None,
    formatter: str = "@number",
    show: Show = plain,
    show_day: Callable[[int], str] = str,
) -> Plot:
    """A customer's purchase days on a time axis, with the day and the window in which the next one is due.

    Args:
        days: (business day, value of that day) in ascending order.
        until: The business day as of which the strip is drawn.
        day: Heading of the table's first column.
        unit: What the height of a line is, with its unit.
        due: The business day on which the next purchase is due, and the label of its line.
        window: First and last business day of the window around it.
        formatter: Token for the vertical axis, such as `@money:GBP` for minor units.
        show: How a value is written in the tooltip and the table.
        show_day: How a day is written there.
    """
    rows = [(show_day(at), show(value)) for at, value in days]
    data = [
        {"value": [at, value], "tip": f"{label}: {shown}"}
        for (at, value), (label, shown) in zip(days, rows, strict=True)
    ]
    last = max([until, *(window or ()), *((due[0],) if due else ())])
    first = days[0][0] if days else until
    margin = max(2, round((last - first) / 40))
    series: Option = {"type": "bar", "data": data, "barWidth": 5, "itemStyle": {"color": "@accent"}}
    if due:
        line = mark_line(*due)
        series["markLine"] = {**line, "lineStyle": {"color": "@good", "width": 1.5}}
        side = "right" if 2 * due[0] > first + last else "left"
        series["markLine"]["label"] = {**line["label"], "color": "@good", "align": side}
    if window:
        area = [[{"xAxis": window[0]}, {"xAxis": window[1]}]]
        series["markArea"] = {"silent": True, "itemStyle": {"color": "@good-soft"}, "data": area}
    across = axis("value", "", "@month", min=first - margin, max=last + margin, **BARE)
    across["axisLabel"]["alignMinLabel"] = "left"
    across["axisLabel"]["customValues"] = month_starts(first - margin, last + margin)
    upright = axis("value", unit, formatter, splitNumber=2)
    upright["axisLabel"]["showMinLabel"] = False
    option = {"xAxis": across, "yAxis": upright, "series": [series]}
    return Plot(option, (day, unit), rows)


def gaps(days: Sequence[int]) -> list[int]:
    """The intervals between purchase days, in days: what a sparkline of a rhythm shows."""
    return [later - earlier for earlier, later in pairwise(days)]


def sparkline_svg(values: Sequence[float], label: str, *, width: int = 96, height: int = 24) -> Markup:
    """A small picture of a few values for a table row, drawn on the server; `label` says it in words."""
    if not values:
        return Markup('<span class="sparkline-none" role="img" aria-label="{}">&ndash;</span>').format(label)
    top = max([*values, 1])
    step = width / len(values)
    thick = max(1.5, min(6.0, step - 1.5))
    tall = (max(1.5, value / top * height) for value in values)
    path = "".join(f"M{at * step + thick / 2:.1f} {height}v{-length:.1f}" for at, length in enumerate(tall))
    return Markup(
        '<svg class="sparkline" role="img" aria-label="{}" width="{}" height="{}" viewBox="0 0 {} {}">'
        '<path d="{}" stroke-width="{:.1f}"/></svg>',
    ).format(label, width, height, width, height, path, thick)
