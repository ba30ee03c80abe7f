"""Plots with a line: a curve of its own, and a curve over a histogram."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from shared.web.plots import BARE, Option, Plot, Show, axis, mark_line, plain


def over(plot: Plot, points: Sequence[tuple[float, float]], name: str, tips: Sequence[str]) -> Plot:
    """The same histogram with a curve over its bins; `name` stands at its end, `tips` say its points."""
    line: Option = {
        "type": "line",
        "data": [{"value": point, "tip": tip} for point, tip in zip(points, tips, strict=True)],
        "smooth": True,
        "symbol": "circle",
        "symbolSize": 5,
        "lineStyle": {"color": "@tone5", "width": 2},
        "itemStyle": {"color": "@tone5"},
        "endLabel": {"show": True, "formatter": name, "color": "@ink", "align": "right", "offset": (0, -14)},
        "z": 3,
    }
    return replace(plot, option={**plot.option, "series": [*plot.option["series"], line]})


def curve(
    points: Sequence[tuple[float, float]],
    *,
    across: str,
    upright: str,
    across_formatter: str = "@number",
    upright_formatter: str = "@percent",
    step: bool = False,
    mark: tuple[float, str] | None = None,
    show_across: Show = plain,
    show: Show = plain,
) -> Plot:
    """One line from the left to the right.

    Args:
        points: (value across, value upright), ascending across.
        across: What the horizontal axis measures, with its unit.
        upright: The same of the vertical one.
        across_formatter: Token for its labels.
        upright_formatter: The same of the vertical one.
        step: Whether a value holds until the next point.
        mark: A value across and its label.
        show_across: How a value across is written in the tooltip and the table.
        show: The same of a value upright.
    """
    rows = [(show_across(x), show(y)) for x, y in points]
    data = [{"value": [x, y], "tip": f"{left}: {right}"} for (x, y), (left, right) in zip(points, rows, strict=True)]
    series: Option = {
        "type": "line",
        "data": data,
        "symbol": "circle",
        "symbolSize": 4 if len(points) <= _FEW else 2,
        "lineStyle": {"color": "@accent", "width": 2},
        "itemStyle": {"color": "@accent"},
        "areaStyle": {"color": "@soft", "opacity": 0.35},
    }
    if step:
        series["step"] = "end"
    if mark:
        series["markLine"] = mark_line(*mark)
    bottom = axis("value", across, across_formatter, min=0, max=points[-1][0] if points else 1, **BARE)
    side = axis("value", upright, upright_formatter, min=0, max=1)
    option: Option = {"xAxis": bottom, "yAxis": side, "series": [series], "grid": {"right": 28}}
    return Plot(option, (across, upright), rows)


_FEW = 60
"""Up to so many points each is drawn as a dot that can be hit."""
