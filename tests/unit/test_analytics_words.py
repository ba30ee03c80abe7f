"""What the figures of analytics say in words."""

from datetime import date
from uuid import UUID

import pytest
from babel.support import NullTranslations

from services.analytics.base import Month
from services.analytics.figures import revenue_figure
from services.analytics.loyalty import Reason
from services.analytics.profile import Profile
from services.analytics.rhythm import Rhythm
from services.analytics.words import Reader
from shared.web.formats import Formats
from shared.web.i18n import translations

DAY = 14_900  # 18 October 2010


@pytest.fixture
def reader():
    return Reader(NullTranslations(), Formats("en", NullTranslations()))


def month(first, gross, days):
    return Month(first=date.fromisoformat(first), days=days, orders=1, gross=gross, refunds=0, credit=0)


@pytest.mark.parametrize(
    ("months", "message"),
    [
        ([("2010-02-01", 500, 28), ("2010-03-01", 1_010, 31)], "March brings twice the revenue of February"),
        ([("2010-02-01", 500, 28), ("2010-03-01", 1_600, 31)], "March brings 3.2 times the revenue of February"),
        ([("2010-02-01", 500, 28), ("2010-03-01", 9_900, 9)], "February brings the most, £5"),
        ([("2010-03-01", 9_900, 9)], "March brings the most, £99"),
        ([("2010-02-01", 0, 28), ("2010-03-01", 700, 31)], "March brings the most, £7"),
    ],
)
def test_the_best_full_month_is_told_against_the_weakest(reader, months, message):
    assert reader.months([month(*one) for one in months], "GBP") == message


def test_months_of_more_than_a_year_are_told_with_their_year(reader):
    lengths = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
    year = [month(f"2009-{number:02}-01", 400, days) for number, days in enumerate(lengths, start=1)]
    later = month("2010-01-01", 1_400, 31)
    assert reader.months([*year, later], "GBP") == "January 2010 brings 3.5 times the revenue of January 2009"


def test_a_month_is_declined_within_a_sentence_and_stands_alone_in_a_table():
    croatian = Reader(translations("hr"), Formats("hr", translations("hr")))
    figure = revenue_figure([month("2010-11-01", 1_000, 30), month("2010-12-01", 500, 9)], "EUR", croatian)
    assert figure.title == "Najveći je prihod studenoga, 10\N{NO-BREAK SPACE}€"
    assert [row[0] for row in figure.plot.rows] == ["studeni 2010", "prosinac 2010"]
    assert figure.note == "Nepotpun mjesec: prosinac 2010."


@pytest.mark.parametrize(
    ("days", "as_of", "message"),
    [
        ((0,), 9, "Ordered on one day so far, 18 October 2010"),
        ((0, 1, 2), 2, "Orders about every day, next due 21 October 2010"),
        ((0, 7, 15), 15, "Orders about every 8 days, next due 10 November 2010"),
        ((0, 7), 14, "Orders about every 7 days, next due 1 November 2010"),
        ((0, 7), 15, "Orders about every 7 days, the next was due 1 November 2010"),
    ],
)
def test_a_rhythm_says_how_often_and_when_next(reader, days, as_of, message):
    rhythm = Rhythm.of(((DAY + day, 1) for day in days), DAY + as_of)
    assert reader.rhythm(Profile(UUID(int=1), "GBP", ("GBP",), rhythm, (), 0)) == message


@pytest.mark.parametrize(("days", "text"), [(0, "today"), (1, "in 1 day"), (12, "in 12 days"), (-1, "1 day ago")])
def test_a_distance_is_told_from_today(reader, days, text):
    assert reader.distance(days) == text


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        (Reason("r", 5, 0, 11, None, None), "Last order on this very day. Score 5 takes an order within 11 days."),
        (Reason("r", 2, 46, 100, 3, 45), "Last order 46 days ago. Score 3 takes an order within 45 days."),
        (Reason("f", 1, 1, 1, 2, 2), "Ordered on 1 day. Score 2 takes orders on at least 2 days."),
        (Reason("f", 1, 1, 1, None, None), "Ordered on 1 day. Nobody scores better."),
        (Reason("m", 4, 900, 850, 5, 2000), "Orders worth £9.00. Score 5 takes orders worth at least £20.00."),
    ],
)
def test_a_reason_says_what_there_is_and_what_the_next_score_takes(reader, reason, text):
    assert reader.reason(reason, "GBP") == text
