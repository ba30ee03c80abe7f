"""Which language a person reads, and the words of the pages in it.

Catalogues are kept as text (`locale/<language>/LC_MESSAGES/messages.po`) and compiled when a process starts.
"""

from functools import cache
from io import BytesIO
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations
from starlette.requests import Request

LOCALE = Path(__file__).parent / "locale"
COOKIE = "lang"
DEFAULT = "en"

LANGUAGES = {"en": "English", "nl": "Nederlands", "hr": "Hrvatski"}
"""Language code to its own name, in the order of the switch."""

REGIONS = {"en": "en_GB", "nl": "nl_NL", "hr": "hr_HR"}
"""Language code to the locale that dates, numbers and money follow."""


def N_(text: str) -> str:  # noqa: N802 - gettext's own name for "translate later"
    """Mark a text for extraction where it cannot be translated yet, such as in a constant."""
    return text


def negotiate(request: Request) -> str:
    """The language of this request: what the person chose, else what the browser asks for, else English."""
    chosen = request.cookies.get(COOKIE, "")
    if chosen in LANGUAGES:
        return chosen
    for language in preferred(request.headers.get("accept-language", "")):
        if language in LANGUAGES:
            return language
    return DEFAULT


def preferred(accept_language: str) -> list[str]:
    """The languages of an Accept-Language header without their regions, best first."""
    weighed = []
    for part in accept_language.split(","):
        tag, _, weight = part.strip().partition(";q=")
        try:
            quality = float(weight or 1)
        except ValueError:
            continue
        if tag and quality > 0:
            weighed.append((-quality, tag.split("-")[0].lower()))
    return [language for _, language in sorted(weighed, key=lambda pair: pair[0])]


@cache
def translations(language: str) -> NullTranslations:
    """The catalogue of a language; a text that it lacks stays English."""
    source = LOCALE / language / "LC_MESSAGES" / "messages.po"
    if not source.exists():
        return NullTranslations()
    compiled = BytesIO()
    with source.open("rb") as file:
        write_mo(compiled, read_po(file, locale=language))
    compiled.seek(0)
    return Translations(compiled)
