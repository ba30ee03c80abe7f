"""What a person chooses for the look: language and theme, kept in cookies of a year."""

from typing import Annotated

from fastapi import Form, Request
from fastapi.responses import RedirectResponse

from shared.web import guard, i18n
from shared.web.guard import may
from shared.web.shell import THEME_COOKIE, THEMES

YEAR = 365 * 86400

router = guard.router(include_in_schema=False)


def remembered(request: Request, cookie: str, value: str, known: bool, back: str) -> RedirectResponse:
    """Go back to where the choice was made, with the choice kept when it is one of ours."""
    local = back.startswith("/") and not back.startswith(("//", "/\\"))
    response = RedirectResponse(back if local else "/", status_code=303)
    if known:
        secure = request.url.scheme == "https"
        response.set_cookie(cookie, value, max_age=YEAR, path="/", samesite="lax", httponly=True, secure=secure)
    return response


@router.post("/preferences/language")
@may("anyone")
async def choose_language(
    request: Request,
    language: Annotated[str, Form()],
    back: Annotated[str, Form()] = "/",
) -> RedirectResponse:
    """Keep the language of the pages."""
    return remembered(request, i18n.COOKIE, language, language in i18n.LANGUAGES, back)


@router.post("/preferences/theme")
@may("anyone")
async def choose_theme(
    request: Request,
    theme: Annotated[str, Form()],
    back: Annotated[str, Form()] = "/",
) -> RedirectResponse:
    """Keep the theme of the pages."""
    return remembered(request, THEME_COOKIE, theme, theme in THEMES, back)
