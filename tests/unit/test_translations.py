"""Whoever reads Dutch or Croatian reads all of it: each text of the sources has its translation, and it fits."""

import re
import tomllib
from pathlib import Path

import pytest
from babel.messages import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.pofile import read_po

from shared.web.i18n import DEFAULT, LANGUAGES, LOCALE, translations

ROOT = Path(__file__).resolve().parent.parent.parent
SOURCES = ("shared", "services")
PLACE = re.compile(r"%\((\w+)\)s")
COUNTS = range(1, 200)


@pytest.fixture(scope="module")
def sources():
    """The texts of the sources, as `make messages` finds them."""
    mappings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["babel"]["mappings"]
    methods = [(mapping["pattern"], mapping["method"]) for mapping in mappings]
    found = Catalog()
    for folder in SOURCES:
        for _file, _line, text, _comments, context in extract_from_dir(
            ROOT / folder, methods, keywords=DEFAULT_KEYWORDS | {"N_": None}
        ):
            found.add(text, context=context)
    return {message.id for message in messages(found)}


@pytest.fixture(scope="module", params=sorted(set(LANGUAGES) - {DEFAULT}))
def language(request):
    return request.param


@pytest.fixture(scope="module")
def catalogue(language):
    with (LOCALE / language / "LC_MESSAGES" / "messages.po").open("rb") as file:
        return read_po(file, locale=language)


def messages(catalogue):
    """What a catalogue holds beside its header."""
    return [message for message in catalogue if message.id]


def forms(text):
    """A text in its one form, or in that of each plural."""
    return text if isinstance(text, tuple) else (text,)


def ending(text):
    """What closes a text: its last mark, if it has one, and the white space behind."""
    return re.search(r"[.:?!…]?\s*$", text)[0]


def places(text):
    return set(PLACE.findall(text))


def test_the_catalogue_holds_the_texts_of_the_sources_and_no_others(catalogue, sources):
    held = {message.id for message in messages(catalogue)}
    assert sources - held == set(), "new: make messages, and translate"
    assert held - sources == set(), "no longer in use: make messages"
    assert not catalogue.obsolete


def test_every_text_is_translated_in_every_form(catalogue):
    assert [message.id for message in messages(catalogue) if not all(forms(message.string))] == []
    assert [message.id for message in messages(catalogue) if message.fuzzy] == []


def test_a_text_with_plurals_has_all_of_its_language(catalogue):
    wanted = {str: 1, tuple: catalogue.num_plurals}
    wrong = [message.id for message in messages(catalogue) if len(forms(message.string)) != wanted[type(message.id)]]
    assert wrong == []


def test_a_translation_keeps_every_place_of_its_text(catalogue, language):
    """A form for other counts than one needs the places of the plural: Croatian tells 21 as it tells 1."""
    words = translations(language)
    for message in messages(catalogue):
        if isinstance(message.id, str):
            assert places(message.string) == places(message.id), message.id
            continue
        one, many = message.id
        assert places(words.ngettext(one, many, 1)) in (places(one), places(many)), one
        for count in COUNTS[1:]:
            assert places(words.ngettext(one, many, count)) == places(many), (one, count)


def test_a_translation_has_no_place_that_cannot_be_filled(catalogue):
    for message in messages(catalogue):
        filled = dict.fromkeys(places("".join(forms(message.id))), "x")
        assert "%" not in "".join(form % filled for form in forms(message.string)), message.id


def test_a_translation_closes_as_its_text_does(catalogue):
    for message in messages(catalogue):
        closing = {ending(form) for form in forms(message.id)}
        assert {ending(form) for form in forms(message.string)} == closing, message.id


@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("nl", {1: "bestelling", 2: "bestellingen", 21: "bestellingen"}),
        ("hr", {1: "narudžba", 3: "narudžbe", 5: "narudžbi", 11: "narudžbi", 21: "narudžba", 22: "narudžbe"}),
    ],
)
def test_counts_are_told_as_the_language_counts(language, told):
    words = translations(language)
    one, many = "%(count)s order", "%(count)s orders"
    assert {count: (words.ngettext(one, many, count) % {"count": count}) for count in told} == {
        count: f"{count} {noun}" for count, noun in told.items()
    }
