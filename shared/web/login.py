"""The way in and out for staff: signing in, signing out, changing the password."""

from __future__ import annotations

import asyncio
import math
from typing import Annotated, Final, cast
from urllib.parse import urlsplit

from fastapi import Depends, Form, Request
from starlette.responses import RedirectResponse, Response

from shared.accounts import ABSOLUTE, Accounts, TooManyTries
from shared.errors import Refused
from shared.service import platform
from shared.web import guard
from shared.web.guard import Principal, cookie_name, find_principal, may, session_cookie
from shared.web.i18n import N_
from shared.web.problems import Problem
from shared.web.shell import Shell

router = guard.router(include_in_schema=False)
_TOO_MANY: Final = N_("Too many tries. Wait %(seconds)s seconds, then try again.")
_NOT_THE_SAME: Final = N_("is not the same as the new password")


async def _accounts(request: Request) -> Accounts:
    return platform(request).accounts


Here = Annotated[Accounts, Depends(_accounts)]


@router.get("/login")
@may("anyone")
async def show_login(request: Request, next: str = "/") -> Response:  # noqa: A002, the parameter's public name
    """The form to sign in; whoever is signed in already goes on."""
    if find_principal(request) is not None:
        return RedirectResponse(local_path(next), 303)
    return _login_page(request, next)


@router.post("/login")
@may("anyone")
async def sign_in(
    request: Request,
    accounts: Here,
    name: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
    next: Annotated[str, Form()] = "/",  # noqa: A002, the field's public name
) -> Response:
    """Begin a session under a new id and go on to where the person wanted to be."""
    try:
        session_id = await accounts.sign_in(name, password, _address(request))
    except Refused as refused:
        return _login_page(request, next, name, refused.message, status=422)
    except TooManyTries as many:
        return _throttled(_login_page(request, next, name, _told(request, many), status=429), many)
    if earlier := session_cookie(request.scope):
        await asyncio.to_thread(accounts.sign_out, earlier)
    return _with_session(request, RedirectResponse(local_path(next), 303), session_id)


@router.post("/logout")
@may("anyone")
async def sign_out(request: Request, accounts: Here) -> Response:
    """End the session, here and on the server."""
    if session_id := session_cookie(request.scope):
        await asyncio.to_thread(accounts.sign_out, session_id)
    response = RedirectResponse("/login", 303)
    secure = request.url.scheme == "https"
    response.delete_cookie(cookie_name(request.scope), path="/", secure=secure, httponly=True, samesite="lax")
    return response


@router.get("/password")
@may("signed_in")
async def show_password(request: Request) -> Response:
    """The form to change one's password."""
    _staff(request)
    return _password_page(request, {})


@router.post("/password")
@may("signed_in")
async def change_password(
    request: Request,
    accounts: Here,
    old: Annotated[str, Form()] = "",
    new: Annotated[str, Form()] = "",
    again: Annotated[str, Form()] = "",
) -> Response:
    """Change the password; every other session of this person ends."""
    if new != again:
        return _password_page(request, {"again": _NOT_THE_SAME}, status=422)
    try:
        session_id = await accounts.change_password(_staff(request).name, old, new, _address(request))
    except Refused as refused:
        return _password_page(request, {refused.field or "old": refused.message}, status=422)
    except TooManyTries as many:
        return _throttled(_password_page(request, {"old": _told(request, many)}, status=429), many)
    return _with_session(request, RedirectResponse("/", 303), session_id)


def local_path(text: str) -> str:
    """`text` if it leads to a page of this site, else the start page."""
    plain = text.isprintable() and "\\" not in text and text.startswith("/") and not text.startswith("//")
    try:
        parts = urlsplit(text)
    except ValueError:
        return "/"
    return text if plain and not parts.scheme and not parts.netloc else "/"


def _address(request: Request) -> str:
    return request.client.host if request.client else "socket"


def _staff(request: Request) -> Principal:
    caller = guard.principal(request)
    if caller.kind != "staff":
        raise Problem(403, detail="Only members of staff have a password.")
    return caller


def _shell(request: Request) -> Shell:
    return cast("Shell", request.app.state.shell)


def _told(request: Request, many: TooManyTries) -> str:
    return _shell(request).gettext(request)(_TOO_MANY) % {"seconds": math.ceil(many.seconds)}


def _login_page(request: Request, next_: str, name: str = "", error: str | None = None, status: int = 200) -> Response:
    told = _shell(request).gettext(request)(error) if error else None
    return _shell(request).page(
        request, "login.html", status_code=status, next=local_path(next_), name=name[:64], error=told
    )


def _password_page(request: Request, errors: dict[str, str], status: int = 200) -> Response:
    gettext = _shell(request).gettext(request)
    told = {field: gettext(text) for field, text in errors.items()}
    return _shell(request).page(request, "password.html", status_code=status, errors=told)


def _throttled(response: Response, many: TooManyTries) -> Response:
    response.headers["Retry-After"] = str(math.ceil(many.seconds))
    return response


def _with_session(request: Request, response: Response, session_id: str) -> Response:
    secure = request.url.scheme == "https"
    name = cookie_name(request.scope)
    response.set_cookie(name, session_id, ABSOLUTE, path="/", secure=secure, httponly=True, samesite="lax")
    return response
