"""Every template obeys the house: words go through gettext, looks through stylesheets, behaviour through scripts."""

import re
import tomllib
from html.parser import HTMLParser
from pathlib import Path

import pytest
from jinja2 import Environment

from shared.web.assets import STATIC

ROOT = Path(__file__).resolve().parent.parent.parent
TEMPLATES = sorted([*(ROOT / "shared").rglob("templates/**/*.html"), *(ROOT / "services").rglob("templates/**/*.html")])
STYLES = "".join((STATIC / name).read_text() for name in ("vendor/tabler.css", "rapport.css"))
DEFINED = frozenset(re.findall(r"\.(-?[A-Za-z][\w-]*)", STYLES))
ICONS = frozenset(re.findall(r'<symbol id="([\w-]+)"', (STATIC / "vendor" / "icons.svg").read_text()))
SPOKEN = frozenset({"placeholder", "aria-label", "title", "alt", "data-announce", "data-failed", "data-offline"})
COMPUTED = "\ue000"
NAMES = re.compile(r"\b(?:Rapport|Ctrl K)\b")
"""Words that are the same in every language."""


class Reader(HTMLParser):
    """Collects what a person sees or hears, and what a policy or a stylesheet has to say something about."""

    def __init__(self):
        super().__init__()
        self.texts, self.classes, self.forbidden, self.silent = [], set(), [], 0

    def handle_starttag(self, tag, attributes):
        self.silent += tag in {"script", "style", "code", "kbd"}
        for name, value in attributes:
            if name in SPOKEN and value:
                self.texts.append(value)
            if name == "class" and value:
                self.classes.update(word for word in value.split() if COMPUTED not in word)
            if name == "style" or name.startswith(("on", "hx-on")):
                self.forbidden.append(f"<{tag} {name}>")
        if tag == "style" or (tag == "script" and not {"src", "type"} & {name for name, _ in attributes}):
            self.forbidden.append(f"<{tag}>")

    def handle_endtag(self, tag):
        self.silent -= tag in {"script", "style", "code", "kbd"}

    def handle_data(self, data):
        if not self.silent:
            self.texts.append(data)


def read(source):
    """The HTML of a template; what Jinja computes leaves a mark, so that a word glued to it is not taken for a word."""
    html = []
    for _, kind, text in Environment(autoescape=True).lex(source):
        html.append(text if kind == "data" else COMPUTED if kind == "variable_end" else "")
    reader = Reader()
    reader.feed("".join(html))
    return reader


@pytest.fixture(params=TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def template(request):
    return request.param


def test_every_text_goes_through_gettext(template):
    bare = {NAMES.sub("", text) for text in read(without_translated_blocks(template)).texts}
    assert {text for text in bare if re.search(r"[^\W\d_]{2,}", text)} == set()


def without_translated_blocks(template):
    return re.sub(r"\{%-?\s*trans\b.*?endtrans\s*-?%\}", "", template.read_text(), flags=re.DOTALL)


def test_nothing_is_inline(template):
    assert read(template.read_text()).forbidden == []


def test_every_class_is_defined_in_a_stylesheet(template):
    assert read(template.read_text()).classes - DEFINED == set()


def test_every_icon_is_in_the_sprite(template):
    assert set(re.findall(r"icon\(\"([\w-]+)\"", template.read_text())) <= ICONS


def test_nothing_is_marked_as_safe_html(template):
    assert not re.search(r"\|\s*safe\b", template.read_text())


def test_nothing_names_another_host(template):
    assert not re.search(r"(?:src|href|action)=[\"'](?:https?:)?//", template.read_text())


def test_the_sprite_holds_what_the_list_says():
    assert set(tomllib.loads((ROOT / "shared/web/vendor.toml").read_text())["icons"]) == ICONS


def test_the_check_itself_sees_a_bare_text():
    assert "Hello" in read("<p>{{ _('x') }}Hello</p>").texts[0]
    assert read('<p style="x" onclick="y">').forbidden == ["<p style>", "<p onclick>"]
    assert read('<i class="rfm-{{ n }} tag">').classes == {"tag"}
