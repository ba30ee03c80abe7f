"""Countries as a reader calls them."""

from __future__ import annotations

from functools import cache

from babel import Locale

from shared import values


@cache
def named(locale: str) -> dict[str, str]:
    """The name of every country by its code, in the order of the names."""
    territories = Locale.parse(locale).territories
    names = {code: str(territories.get(code, code)) for code in values.countries()}
    return dict(sorted(names.items(), key=lambda each: each[1].casefold()))
