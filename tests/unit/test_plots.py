"""A plot and the table behind it come from the same figures."""

import json
from datetime import date
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as some

from shared.web.formats import EPOCH
from shared.web.plots import bars, columns_by_month, gaps, histogram, month_starts, sparkline_svg, strip


def day(year, month, dom):
    return (date(year, month, dom) - EPOCH).days


INTERVALS = histogram(
    [(0, 1890), (7, 1820), (14, 1480), (21, 1130), (28, 950)],
    width=7,
    unit="days between orders",
    count="intervals",
    mark=(28, "median 28"),
    show="{:,}".format,
)


def test_a_histogram_stands_on_the_edges_of_its_bins():
    across = INTERVALS.option["xAxis"]
    assert (across["min"], across["max"], across["interval"]) == (0, 35, 7)
    assert [item["value"] for item in INTERVALS.option["series"][0]["data"]][:2] == [[3.5, 1890], [10.5, 1820]]


def test_bins_up_to_the_mark_are_strong_and_the_mark_says_what_it_is():
    series = INTERVALS.option["series"][0]
    assert [item["itemStyle"]["color"] for item in series["data"]] == ["@accent"] * 4 + ["@soft"]
    assert series["markLine"]["data"] == [{"xAxis": 28}]
    assert series["markLine"]["label"]["formatter"] == "median 28"


def test_table_and_tooltip_say_the_same_in_words():
    assert INTERVALS.columns == ("days between orders", "intervals")
    assert INTERVALS.rows[0] == ("0\N{EN DASH}7", "1,890")
    assert INTERVALS.option["series"][0]["data"][0]["tip"] == "0\N{EN DASH}7 days between orders: 1,890"


def test_bars_keep_their_order_and_stress_the_named_ones():
    plot = bars(["Champion", "Loyal"], [842, 410], name="segment", unit="customers", strong=["Champion"])
    assert plot.option["yAxis"]["data"] == ["Champion", "Loyal"]
    assert [item["itemStyle"]["color"] for item in plot.option["series"][0]["data"]] == ["@accent", "@soft"]
    assert plot.rows == [("Champion", "842"), ("Loyal", "410")]


def test_columns_by_month_name_their_months():
    months = [day(2010, 10, 1), day(2010, 11, 1)]
    plot = columns_by_month(
        months, [100, 250], month="month", unit="revenue", formatter="@money:GBP", show_month=lambda at: f"month {at}"
    )
    assert plot.option["xAxis"]["data"] == [f"month {at}" for at in months]
    assert plot.option["yAxis"]["axisLabel"]["formatter"] == "@money:GBP"
    assert [row[1] for row in plot.rows] == ["100", "250"]


def test_a_strip_reaches_from_the_first_purchase_to_the_end_of_the_window():
    days = [(day(2010, 1, 5), 100), (day(2010, 11, 30), 300)]
    window = (day(2010, 12, 12), day(2010, 12, 24))
    plot = strip(days, until=day(2010, 12, 9), day="day", unit="GBP", due=(day(2010, 12, 17), "due"), window=window)
    across, series = plot.option["xAxis"], plot.option["series"][0]
    assert across["min"] < days[0][0]
    assert across["max"] > window[1]
    assert series["markArea"]["data"] == [[{"xAxis": window[0]}, {"xAxis": window[1]}]]
    assert series["markLine"]["data"] == [{"xAxis": day(2010, 12, 17)}]


@pytest.mark.parametrize(("until", "side"), [(day(2010, 12, 9), "right"), (day(2026, 12, 9), "left")])
def test_the_label_of_the_next_order_lies_where_the_strip_has_room(until, side):
    plot = strip([(day(2010, 1, 5), 100)], until=until, day="day", unit="GBP", due=(day(2010, 12, 17), "due"))
    assert plot.option["series"][0]["markLine"]["label"]["align"] == side


def test_a_strip_of_nobody_s_purchases_is_empty():
    assert strip([], until=14952, day="day", unit="GBP").empty
    assert not INTERVALS.empty


@pytest.mark.parametrize("plot", [INTERVALS, histogram([], width=7, unit="days", count="intervals")])
def test_an_option_is_json(plot):
    assert json.loads(json.dumps(plot.option, allow_nan=False)) == plot.option


@given(first=some.integers(-20_000, 40_000), length=some.integers(0, 20_000))
def test_a_strip_names_few_months_evenly(first, length):
    starts = month_starts(first, first + length)
    assert len(starts) <= 8
    assert all(first < at <= first + length for at in starts)
    steps = [(second - first_) / 30.4 for first_, second in pairwise(starts)]
    assert not steps or max(steps) - min(steps) < 0.2


def test_the_gaps_of_a_rhythm():
    assert gaps([10, 17, 45]) == [7, 28]
    assert gaps([10]) == []


def test_a_sparkline_is_one_column_a_value_and_says_itself_in_words():
    drawn = sparkline_svg([7, 28, 14], 'intervals: "7, 28, 14"')
    assert drawn.count("M") == 3
    assert "intervals: &#34;7, 28, 14&#34;" in drawn
    assert "style=" not in drawn


def test_a_sparkline_of_nothing_is_a_dash():
    assert "&ndash;" in sparkline_svg([], "no interval yet")
