"""People read in their language, and numbers, money and days look as they write them."""

from datetime import UTC, date, datetime

import pytest
from starlette.requests import Request

from shared.web.formats import Formats, initials
from shared.web.i18n import negotiate, preferred, translations

NBSP = "\N{NO-BREAK SPACE}"


def request(**headers):
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "headers": raw})


def formats(language):
    return Formats(language, translations(language))


@pytest.mark.parametrize(
    ("headers", "language"),
    [
        ({}, "en"),
        ({"accept_language": "nl-NL,nl;q=0.9,en;q=0.8"}, "nl"),
        ({"accept_language": "de,hr;q=0.7,en;q=0.3"}, "hr"),
        ({"accept_language": "en;q=0.2, hr"}, "hr"),
        ({"accept_language": "nl;q=0, hr;q=0.1"}, "hr"),
        ({"accept_language": "fr, *;q=0.5"}, "en"),
        ({"accept_language": "nl;q=much, ,;;"}, "en"),
        ({"accept_language": "nl", "cookie": "lang=hr"}, "hr"),
        ({"accept_language": "nl", "cookie": "lang=xx"}, "nl"),
    ],
)
def test_the_language_is_the_one_chosen_else_the_browser_s_else_english(headers, language):
    assert negotiate(request(**headers)) == language


def test_regions_do_not_matter_for_the_words():
    assert preferred("hr-BA, nl-BE;q=0.5") == ["hr", "nl"]


@pytest.mark.parametrize(
    ("language", "money", "number", "day", "days"),
    [
        ("en", "£1,234.50", "12,687", "9 Dec 2010", "1 day"),
        ("nl", f"£{NBSP}1.234,50", "12.687", "9 dec 2010", "1 dag"),
        ("hr", f"1.234,50{NBSP}GBP", "12.687", "9. pro 2010.", "1 dan"),
    ],
)
def test_figures_look_as_in_the_reader_s_country(language, money, number, day, days):
    shown = formats(language)
    assert shown.money(123450, "GBP") == money
    assert shown.number(12687) == number
    assert shown.date(date(2010, 12, 9)) == day
    assert shown.days(1) == days


def test_croatian_has_three_plurals():
    assert [formats("hr").days(count) for count in (1, 3, 11, 21, 28)] == [
        "1 dan",
        "3 dana",
        "11 dana",
        "21 dan",
        "28 dana",
    ]


def test_money_follows_the_currency_s_own_digits():
    shown = formats("en")
    assert shown.money(123450, "JPY") == "JP¥123,450"
    assert shown.money(-5, "EUR") == "-€0.05"
    assert shown.money(1933449, "GBP", whole=True) == "£19,334"


def test_a_business_day_an_instant_and_a_date_are_the_same_day():
    shown = formats("en")
    instant = datetime(2010, 12, 9, 23, 30, tzinfo=UTC)
    assert {shown.date(14952), shown.date(date(2010, 12, 9)), shown.date(instant)} == {"9 Dec 2010"}
    assert shown.instant(instant) == "9 Dec 2010, 23:30:00"
    assert shown.date(14952, "MMM yyyy") == "Dec 2010"


def test_what_is_not_known_is_a_dash():
    shown = formats("en")
    unknown = [
        shown.money(None, "GBP"),
        shown.number(None),
        shown.percent(None),
        shown.date(None),
        shown.instant(None),
        shown.days(None),
        shown.ago(None),
    ]
    assert set(unknown) == {"\N{EN DASH}"}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.34, "0.3 s ago"), (42, "42 s ago"), (90, "1 min ago"), (7300, "2 h ago"), (200_000, "2 d ago")],
)
def test_an_age_is_told_in_the_largest_unit(seconds, text):
    assert formats("en").ago(seconds) == text


def test_shares_and_decimals():
    shown = formats("en")
    assert shown.percent(0.618, 1) == f"61.8{NBSP}%"
    assert shown.number(24.6) == "24.6"
    assert shown.number(24.649, 2) == "24.65"
    assert shown.days(12.5) == "12.5 days"


@pytest.mark.parametrize(
    ("name", "letters"),
    [("Ana Kovač", "AK"), ("Müller & Söhne GmbH", "MS"), ("šimić", "Š"), ("—", "?"), (None, "?"), ("", "?")],
)
def test_initials(name, letters):
    assert initials(name) == letters
