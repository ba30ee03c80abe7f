"""Numbers, money, days and durations as a person in one locale writes them."""

from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal

from babel import Locale, dates, numbers
from babel.support import NullTranslations

from shared.web.i18n import REGIONS

NOTHING = "\N{EN DASH}"
EPOCH = date(1970, 1, 1)
MINUTE, HOUR, DAY = 60, 3600, 86400
JUST_NOW = 10
"""Seconds up to which an age is told with a decimal."""


def calendar_day(value: int | date | datetime) -> date:
    """A business day (days since 1970-01-01), a date or an instant, as a date."""
    if isinstance(value, datetime):
        return value.date()
    return EPOCH + timedelta(days=value) if isinstance(value, int) else value


def initials(name: str | None) -> str:
    """The first letters of a name's first two words, a question mark for a name that is not known."""
    letters = [word[0] for word in (name or "").split() if word[0].isalnum()]
    return "".join(letters[:2]).upper() or "?"


class Formats:
    """The formats of one language; every method gives a dash for None."""

    def __init__(self, language: str, words: NullTranslations, zone: tzinfo = UTC) -> None:
        self.locale = REGIONS[language]
        self._words = words
        self._zone = zone

    def money(self, minor: int | None, currency: str, *, whole: bool = False) -> str:
        """An amount in minor units with its currency sign; `whole` leaves the fraction out."""
        if minor is None:
            return NOTHING
        amount = Decimal(minor).scaleb(-numbers.get_currency_precision(currency))
        if whole:
            pattern = Locale.parse(self.locale).currency_formats["standard"].pattern.replace(".00", "")
            return numbers.format_currency(amount, currency, pattern, locale=self.locale, currency_digits=False)
        return numbers.format_currency(amount, currency, locale=self.locale)

    def number(self, value: float | Decimal | None, digits: int | None = None) -> str:
        """A number with separators; `digits` fixes the decimals."""
        if value is None:
            return NOTHING
        pattern = None if digits is None else "#,##0" + ("." + "0" * digits if digits else "")
        return numbers.format_decimal(value, format=pattern, locale=self.locale)

    def percent(self, share: float | Decimal | None, digits: int = 0) -> str:
        """A share of one as a percentage."""
        if share is None:
            return NOTHING
        pattern = "0" + ("." + "0" * digits if digits else "") + "\N{NO-BREAK SPACE}%"
        return numbers.format_percent(share, format=pattern, locale=self.locale)

    def date(self, value: int | date | datetime | None, style: str = "medium") -> str:
        """A day; `style` is `short`, `medium`, `long`, `full` or a pattern such as `MMM yyyy`."""
        return NOTHING if value is None else dates.format_date(calendar_day(value), style, locale=self.locale)

    def instant(self, value: datetime | None, style: str = "medium") -> str:
        """A day and time of the installation's zone."""
        if value is None:
            return NOTHING
        return dates.format_datetime(value, style, tzinfo=self._zone, locale=self.locale)

    def days(self, count: float | None) -> str:
        """A number of days with its unit."""
        if count is None:
            return NOTHING
        whole = int(count) if count == int(count) else None
        text = self._words.ngettext("%(days)s day", "%(days)s days", whole if whole is not None else 2)
        return text % {"days": self.number(count) if whole is not None else self.number(count, 1)}

    def ago(self, seconds: float | None) -> str:
        """How long ago, in the largest fitting unit."""
        if seconds is None:
            return NOTHING
        if seconds < MINUTE:
            shown = self.number(seconds, 1 if seconds < JUST_NOW else 0)
            return self._words.gettext("%(seconds)s s ago") % {"seconds": shown}
        if seconds < HOUR:
            return self._words.gettext("%(minutes)s min ago") % {"minutes": self.number(seconds // MINUTE)}
        if seconds < DAY:
            return self._words.gettext("%(hours)s h ago") % {"hours": self.number(seconds // HOUR)}
        return self._words.gettext("%(days)s d ago") % {"days": self.number(seconds // DAY)}
