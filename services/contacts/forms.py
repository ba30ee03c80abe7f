"""The forms of a customer: what was typed, read as a command or answered with what to put right."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeVar
from uuid import uuid4

from pydantic import ValidationError

from services.contacts.address import MoveAddress
from services.contacts.contact_points import AddContactPoint, CorrectContactPoint, RemoveContactPoint
from services.contacts.customer import DescribeCustomer, Edit, NewCustomer, RenameCustomer
from services.contacts.lookup import Card
from shared.decider import Command
from shared.errors import Refused
from shared.web.i18n import N_

Words = Callable[[str], str]
C = TypeVar("C", bound=Command)
Act = Literal["rename", "describe", "add", "correct", "remove", "address"]
"""What a form of the card does."""

_WRONG: Final[Mapping[str, str]] = {
    "name": N_("Write the name in one line of at most 200 characters."),
    "kind": N_("Choose what kind of customer this is."),
    "country": N_("Choose a country from the list."),
    "email": N_("Type an e-mail address such as name@company.com."),
    "phone": N_("Type a phone number with its country code, such as +31 20 123 4567."),
    "channel": N_("Choose how the customer is reached."),
    "value": N_("Write it in one line of at most 200 characters."),
    "purpose": N_("Choose what it is for."),
    "point": N_("This contact point is no longer there."),
    "lines": N_("Write street and number in one to five lines of at most 200 characters."),
    "postal_code": N_("Type a postal code of at most 64 characters, or leave it empty."),
    "city": N_("Write the city in one line of at most 200 characters."),
}
"""What a field wants, for one that has something else."""


def new_key() -> str:
    """An idempotency key for a form that is shown for the first time."""
    return str(uuid4())


@dataclass(frozen=True)
class Form:
    """A form as it is shown: its key, the version it was opened on, what was typed, and what is wrong by field."""

    key: str = field(default_factory=new_key)
    version: int = -1
    typed: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)


def register(typed: Mapping[str, str], _: Words) -> NewCustomer | dict[str, str]:
    """The customer that was typed, or the errors of the form's fields."""
    said = _said(typed, "kind", "name", "country", "email", "phone")
    return _read(NewCustomer, {**said, "internal": bool(typed["internal"])}, _)


def edit(act: Act, point: int, typed: Mapping[str, str], _: Words) -> Edit | dict[str, str]:
    """The change that was typed, or the errors of the form's fields; `point` is the contact point that is meant."""
    match act:
        case "rename":
            return _read(RenameCustomer, _said(typed, "name"), _)
        case "describe":
            return _read(DescribeCustomer, _said(typed, "kind", "country"), _)
        case "address":
            lines = [line.strip() for line in typed["lines"].splitlines() if line.strip()]
            return _read(MoveAddress, {**_said(typed, "postal_code", "city", "country"), "lines": lines}, _)
        case "remove":
            return _read(RemoveContactPoint, {"point": point}, _)
        case "add":
            return _read(AddContactPoint, _said(typed, "channel", "value", "purpose"), _)
        case "correct":
            return _read(CorrectContactPoint, {**_said(typed, "value", "purpose"), "point": point}, _)


def refused(refusal: Refused, typed: Mapping[str, str], _: Words) -> dict[str, str]:
    """The errors of the form's fields that the rules of the business name."""
    if refusal.field != "value":
        return {}
    return {"value": _(_WRONG.get(typed["channel"], _WRONG["value"]))}


def as_it_stands(act: Act, point: int, card: Card) -> dict[str, str] | None:
    """What a form starts from: the facts as they are known; None when there is no such contact point."""
    match act:
        case "rename":
            return {"name": card.name or ""}
        case "describe":
            return {"kind": card.kind, "country": card.country or ""}
        case "address":
            known = card.address or {"country": card.country}
            return {name: said or "" for name, said in known.items()}
        case "correct" | "remove":
            points = (known for known in card.points if known["point"] == point)
            return next(({name: known[name] for name in ("channel", "value", "purpose")} for known in points), None)
        case "add":
            return {"channel": "email", "purpose": "general"}


def _said(typed: Mapping[str, str], *names: str) -> dict[str, str]:
    return {name: text for name in names if (text := typed[name].strip())}


def _read(command: type[C], said: Mapping[str, Any], _: Words) -> C | dict[str, str]:
    try:
        return command(**said)
    except ValidationError as error:
        wrong = [str(each["loc"][0]) if each["loc"] else "kind" for each in error.errors()]
        return {name: _(_WRONG[name]) for name in wrong}
