"""A line over a histogram, and a line alone: picture and table come from the same figures."""

from services.analytics.heat import STRONGEST, level
from shared.web.curves import curve, over
from shared.web.plots import histogram

BINS = [(0, 40), (7, 30)]


def test_a_curve_over_a_histogram_leaves_its_bars_and_its_table_as_they_are():
    bars = histogram(BINS, width=7, unit="days", count="intervals")
    plot = over(bars, [(3.5, 38.2), (10.5, 31.0)], "model", ["expects 38", "expects 31"])
    columns, line = plot.option["series"]
    assert columns == bars.option["series"][0]
    assert [item["value"] for item in line["data"]] == [(3.5, 38.2), (10.5, 31.0)]
    assert [item["tip"] for item in line["data"]] == ["expects 38", "expects 31"]
    assert plot.rows == bars.rows
    assert len(bars.option["series"]) == 1


def test_a_curve_says_its_points_in_tooltips_and_table_alike():
    plot = curve([(0, 1.0), (10, 0.5)], across="days", upright="not back yet", show="{:.1f}".format)
    assert plot.rows == [("0", "1.0"), ("10", "0.5")]
    assert [item["tip"] for item in plot.option["series"][0]["data"]] == ["0: 1.0", "10: 0.5"]
    assert plot.columns == ("days", "not back yet")


def test_a_curve_that_holds_its_value_is_drawn_in_steps_with_its_mark():
    plot = curve([(0, 1.0), (10, 0.5)], across="days", upright="share", step=True, mark=(10, "median 10"))
    series = plot.option["series"][0]
    assert series["step"] == "end"
    assert series["markLine"]["data"] == [{"xAxis": 10}]
    assert plot.option["xAxis"]["max"] == 10


def test_the_largest_share_is_the_strongest_and_nothing_is_the_weakest():
    assert [level(share, 0.5) for share in (0, 0.25, 0.5)] == [0, round(STRONGEST / 2), STRONGEST]
    assert level(0, 0) == 0
