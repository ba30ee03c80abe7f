"""The pages of generations: what is built and how far, what a comparison finds, and what an operator can do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal
from urllib.parse import quote

from fastapi import Form
from pydantic import TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from shared import status
from shared.comparing import Found
from shared.errors import Refused
from shared.projections.catalog import Status, Wish
from shared.service import Platform
from shared.values import Text
from shared.web import guard
from shared.web.guard import may, principal
from shared.web.i18n import N_
from shared.web.replays_api import note, replays_of
from shared.web.serving import Frame, Here
from shared.web.shell import Shell

router = guard.router(prefix="/operations/replays", include_in_schema=False)
_HOME: Final = "/operations/replays"
_REASON: Final[TypeAdapter[str]] = TypeAdapter(Text)
_SHOWN: Final = 10
"""Differing rows of a table on the page; the command line shows more."""
_NO_REASON: Final = N_("Write why, in one line of at most 200 characters.")
Act = Literal["pause", "resume", "drop", "rollback", "compare", "swap"]
_ACTS: Final[dict[str, tuple[Act, ...]]] = {
    status.READY: ("compare", "swap", "pause", "drop"),
    Status.BUILDING: ("pause", "drop"),
    Status.PAUSED: ("resume", "drop"),
    Status.FAILED: ("resume", "drop"),
    Status.RETIRED: ("rollback", "drop"),
    Status.AS_OF: ("drop",),
}
"""What can be done with a generation."""
_SWAPS: Final = {"swap": Status.BUILDING, "rollback": Status.RETIRED}
Typed = Annotated[str, Form()]


@dataclass(frozen=True)
class Told:
    """What the page says after an act: a comparison, or what is wrong with what was typed."""

    found: Found | None = None
    errors: dict[str, str] | None = None
    trouble: str | None = None
    typed: str = ""


@router.get("")
@may("operator", "analyst", "manager")
async def listed(request: Request, here: Here, frame: Frame) -> HTMLResponse:
    """Every generation, and the form that starts another one."""
    return await _list(request, here, frame)


@router.post("")
@may("operator")
async def start(request: Request, here: Here, frame: Frame, family: Typed = "", reason: Typed = "") -> Response:
    """Build a generation beside the one that is read."""
    _ = frame.gettext(request)
    try:
        why = _REASON.validate_python(reason)
    except ValidationError:
        return await _list(request, here, frame, 422, Told(errors={"reason": _(_NO_REASON)}, typed=family))
    replays = replays_of(here)
    entry = await replays.start(replays.family(family), Wish(actor=principal(request).actor, reason=why))
    await note(request, here, "replay start", entry, why)
    return _to(entry.family, entry.generation)


@router.get("/{family}/{generation}")
@may("operator", "analyst", "manager")
async def shown(family: str, generation: int, request: Request, here: Here, frame: Frame) -> HTMLResponse:
    """One generation: how far it is, what it holds, and what can be done with it."""
    return await _one(request, here, frame, family, generation)


@router.post("/{family}/{generation}/{act}")
@may("operator")
async def do(
    family: str,
    generation: int,
    act: Act,
    request: Request,
    here: Here,
    frame: Frame,
    reason: Typed = "",
    accept: Typed = "",
) -> Response:
    """Do it, or show the generation again with what keeps it from being done."""
    _ = frame.gettext(request)
    if act == "compare":
        return await _one(
            request, here, frame, family, generation, 200, Told(await _compared(here, family, generation))
        )
    try:
        why = _REASON.validate_python(reason)
    except ValidationError:
        return await _one(request, here, frame, family, generation, 422, Told(errors={"reason": _(_NO_REASON)}))
    try:
        if act == "swap" and not accept:
            found = await _compared(here, family, generation)
            if not found.equal:
                return await _one(request, here, frame, family, generation, 409, Told(found, typed=reason))
        await _done(request, here, family, generation, act, f"{why} (differences accepted)" if accept else why)
    except Refused as refusal:
        return await _one(request, here, frame, family, generation, 409, Told(trouble=refusal.message, typed=reason))
    return RedirectResponse(_HOME, 303) if act == "drop" else _to(family, generation)


async def _done(request: Request, here: Platform, family: str, generation: int, act: Act, why: str) -> None:
    replays = replays_of(here)
    of = replays.family(family)
    entry = await replays.entry(of, generation, (), act)
    if act in _SWAPS:
        await replays.swap(of, entry, among=(_SWAPS[act],))
    else:
        await {"pause": replays.pause, "resume": replays.resume, "drop": replays.drop}[act](entry)
    await note(request, here, f"replay {act}", entry, why)


async def _compared(here: Platform, family: str, generation: int) -> Found:
    replays = replays_of(here)
    of = replays.family(family)
    entry = await replays.entry(of, generation, (), "compare")
    async for line in replays.compare(of, entry, _SHOWN):
        if isinstance(line, Found):
            return line
    raise RuntimeError("a comparison ends with what it found")


async def _list(
    request: Request, here: Platform, frame: Shell, status_code: int = 200, told: Told = Told()
) -> HTMLResponse:
    return frame.page(
        request,
        "replays.html",
        status_code=status_code,
        generations=await status.generations(here),
        families=[(name, name) for name in sorted(here.models.families)],
        may_replay=principal(request).role in {"operator", "admin"},
        told=told,
    )


async def _one(
    request: Request,
    here: Platform,
    frame: Shell,
    family: str,
    generation: int,
    status_code: int = 200,
    told: Told = Told(),
) -> HTMLResponse:
    replays = replays_of(here)
    entry = await replays.entry(replays.family(family), generation, (), "show")
    shown = await status.generation(here, entry, counted=True)
    may_replay = principal(request).role in {"operator", "admin"}
    acts = _ACTS.get(shown["status"], ()) if may_replay else ()
    return frame.page(
        request, "replay.html", status_code=status_code, generation=shown, acts=acts, told=told, sides=_sides
    )


def _sides(difference: Any) -> list[tuple[str, Any, Any]]:
    """Which columns of a row differ, and how; all of them where one side has no such row."""
    one, other = difference.active, difference.candidate
    return [
        (name, (one or {}).get(name), (other or {}).get(name))
        for name in one or other
        if not (one and other) or one[name] != other[name]
    ]


def _to(family: str, generation: int) -> RedirectResponse:
    return RedirectResponse(f"{_HOME}/{quote(family, safe='')}/{generation}", 303)
