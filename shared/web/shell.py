"""The frame around every page: one look, one menu, one language for all services.

A service makes one `Shell` with the folder of its own templates and answers with `page` (a whole page inside the
frame) or `fragment` (a part that the browser swaps in).
"""

import gzip
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, tzinfo
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import ChoiceLoader, Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse

from shared.web.assets import Assets
from shared.web.formats import Formats, initials
from shared.web.i18n import LANGUAGES, N_, negotiate, translations
from shared.web.plots import sparkline_svg

TEMPLATES = Path(__file__).parent / "templates"
THEME_COOKIE = "theme"
THEMES = {"light": N_("Light"), "dark": N_("Dark"), "system": N_("As the device")}
COMPRESS_FROM = 1024
"""Bytes; below it compression costs more than it saves."""


@dataclass(frozen=True)
class Section:
    """One entry of the rail: what a person does, not which service answers."""

    service: str
    href: str
    icon: str
    label: str
    key: str
    """The letter that opens it after `g`."""


SECTIONS = (
    Section("contacts", "/contacts/", "users", N_("Customers"), "c"),
    Section("interactions", "/interactions/", "messages", N_("Interactions"), "i"),
    Section("portal", "/portal/orders", "shopping-bag", N_("Orders"), "o"),
    Section("analytics", "/analytics/", "chart-dots", N_("Insights"), "n"),
    Section("operations", "/operations/", "activity", N_("Operations"), "p"),
)


@dataclass(frozen=True)
class Fresh:
    """How current the page is: the last position it includes, its age, and whether an own write is still missing."""

    position: int
    age_seconds: float
    behind: bool = False


class Shell:
    """Renders the templates of one service into the common frame.

    Args:
        name: The service, one of the names in `SECTIONS`; that entry of the rail is marked.
        template_dirs: Folders with the service's own templates; the frame's are found after them.
        demo_notice: Whether the rail says that the data is a demonstration.
        zone: The installation's time zone, in which instants are shown.
    """

    def __init__(
        self, name: str, template_dirs: Iterable[Path] = (), *, demo_notice: bool = False, zone: tzinfo = UTC
    ) -> None:
        self.name = name
        self.demo_notice = demo_notice
        self.zone = zone
        self.assets = Assets()
        self._loader = ChoiceLoader([FileSystemLoader(folder) for folder in (*template_dirs, TEMPLATES)])
        self._environment = cache(self._make_environment)
        sprite = (self.assets.root / "vendor/icons.svg").read_text(encoding="utf-8")
        self._icons = frozenset(re.findall(r'<symbol id="([\w-]+)"', sprite))

    def page(self, request: Request, template: str, *, status_code: int = 200, **context: Any) -> HTMLResponse:
        """Answer with a whole page; its template extends `frame.html` or `portal_frame.html`."""
        return self._answer(request, template, status_code, {"fresh": None, **self._frame(request), **context})

    def fragment(self, request: Request, template: str, *, status_code: int = 200, **context: Any) -> HTMLResponse:
        """Answer with a part of a page, for htmx to swap in."""
        return self._answer(request, template, status_code, {**self._common(request), **context})

    def problem(self, request: Request, template: str, status_code: int, document: dict[str, Any]) -> HTMLResponse:
        """Answer with one of the frame's own pages about a problem; `document` is its RFC 9457 object."""
        return self.page(request, template, status_code=status_code, problem=document)

    def gettext(self, request: Request) -> Callable[[str], str]:
        """The translator of this request, for texts that Python composes, such as a plot's title."""
        return translations(negotiate(request)).gettext

    def formats(self, request: Request) -> Formats:
        """The formats of this request's language, for texts that Python composes."""
        language = negotiate(request)
        return Formats(language, translations(language), self.zone)

    def _common(self, request: Request) -> dict[str, Any]:
        return {
            "request": request,
            "principal": getattr(request.state, "principal", None),
            "language": negotiate(request),
        }

    def _frame(self, request: Request) -> dict[str, Any]:
        here = request.scope.get("root_path", "") + request.scope["path"].removeprefix(
            request.scope.get("root_path", "")
        )
        query = request.url.query
        return {
            **self._common(request),
            "section": self.name,
            "sections": SECTIONS,
            "languages": LANGUAGES,
            "theme": chosen if (chosen := request.cookies.get(THEME_COOKIE, "")) in THEMES else "system",
            "themes": THEMES,
            "demo_notice": self.demo_notice,
            "here": f"{here}?{query}" if query else here,
            "search": request.query_params.get("q", ""),
        }

    def _answer(self, request: Request, template: str, status_code: int, context: dict[str, Any]) -> HTMLResponse:
        html = self._environment(context["language"]).get_template(template).render(context).encode()
        headers = {"Vary": "Accept-Encoding, Cookie", "Cache-Control": "no-store"}
        if len(html) >= COMPRESS_FROM and "gzip" in request.headers.get("accept-encoding", ""):
            html = gzip.compress(html, compresslevel=6, mtime=0)
            headers["Content-Encoding"] = "gzip"
        return HTMLResponse(html, status_code, headers)

    def _make_environment(self, language: str) -> Environment:
        """One environment a language: macros see its words and formats without being handed them."""
        environment = Environment(
            loader=self._loader,
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=["jinja2.ext.i18n"],
        )
        words = translations(language)
        environment.install_gettext_translations(words, newstyle=True)  # type: ignore[attr-defined]
        formats = Formats(language, words, self.zone)
        environment.filters.update(
            money=formats.money,
            number=formats.number,
            percent=formats.percent,
            date=formats.date,
            instant=formats.instant,
            days=formats.days,
            ago=formats.ago,
            initials=initials,
        )
        environment.globals.update(static=self.assets.url, icon=self.icon, sparkline=sparkline_svg)
        environment.globals["ui"] = environment.get_template("ui.html").module
        return environment

    def icon(self, name: str) -> Markup:
        """An icon of the sprite; it says nothing to a screen reader, so a text stands beside it.

        Raises:
            KeyError: the sprite has no such icon; `shared/web/vendor.toml` lists them.
        """
        if name not in self._icons:
            raise KeyError(f"no icon {name!r} in the sprite")
        address = f"{self.assets.url('vendor/icons.svg')}#{name}"
        return Markup('<svg class="icon" aria-hidden="true" focusable="false"><use href="{}"/></svg>').format(address)
