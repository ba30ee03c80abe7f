"""The facts on a customer's card: what each says, who told it and when, and the form that changes it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import phonenumbers

from services.contacts.forms import Act
from services.contacts.lookup import Card
from shared.clock import business_day
from shared.events import ERASED
from shared.web.i18n import N_

Words = Callable[[str], str]
KINDS: Final[Mapping[str, str]] = {
    "individual": N_("Person"),
    "organisation": N_("Organisation"),
    "household": N_("Household"),
}
"""What people call the kinds of customer."""

CHANNELS: Final[Mapping[str, str]] = {
    "email": N_("E-mail"),
    "phone": N_("Phone"),
    "post": N_("Post"),
    "messenger": N_("Messenger"),
}
"""What people call the channels of contact points."""

PURPOSES: Final[Mapping[str, str]] = {
    "general": N_("General"),
    "home": N_("Home"),
    "work": N_("Work"),
    "billing": N_("Billing"),
    "delivery": N_("Delivery"),
}
"""What people call the purposes of contact points."""

_SCHEMES: Final[Mapping[str, str]] = {"email": "mailto:", "phone": "tel:"}


@dataclass(frozen=True)
class Fact:
    """Something that is known of a customer.

    Attributes:
        act: The form that changes it.
        label: What it is called.
        lines: What it says; empty as long as nobody has told it.
        told: When, by whom and in which version of the customer it was told; None as long as nobody has.
        point: The number of a contact point.
        purpose: What a contact point is for, unless it is a general one.
        href: Where a click on it leads.
    """

    act: Act
    label: str
    lines: tuple[str, ...]
    told: Told | None
    point: int | None = None
    purpose: str | None = None
    href: str | None = None


@dataclass(frozen=True)
class Told:
    """On which business day and by whom a fact was told, and in which version of the customer."""

    day: int
    by: str
    version: int


def of(card: Card, countries: Mapping[str, str], timezone: str, _: Words) -> list[Fact]:
    """The facts of a customer, in the order of the card; `countries` gives names by code."""
    told = {name: _told(said, timezone) for name, said in card.told.items()}
    country = countries.get(card.country, card.country) if card.country else None
    return [
        Fact("rename", _("Name"), (card.name,) if card.name else (), told.get("name")),
        Fact("describe", _("Kind"), (_(KINDS[card.kind]),), told.get("kind")),
        Fact("describe", _("Country"), (country,) if country else (), told.get("country")),
        *_points(card, timezone, _),
        Fact("address", _("Address"), tuple(address(card.address, countries)), told.get("address")),
    ]


def changed_since(facts: list[Fact], version: int) -> list[Fact]:
    """The facts that were told after this version of the customer."""
    return [fact for fact in facts if fact.told is not None and fact.told.version > version]


def _points(card: Card, timezone: str, _: Words) -> Iterator[Fact]:
    for point in card.points:
        channel, value, purpose = point["channel"], point["value"], point["purpose"]
        yield Fact(
            "correct",
            _(CHANNELS[channel]),
            (readable(channel, value),),
            _told(point, timezone),
            point["point"],
            _(PURPOSES[purpose]) if purpose != "general" else None,
            f"{_SCHEMES[channel]}{value}" if channel in _SCHEMES and value != ERASED else None,
        )


def readable(channel: str, value: str) -> str:
    """A contact point as people write it."""
    if channel != "phone" or value == ERASED:
        return value
    return phonenumbers.format_number(phonenumbers.parse(value), phonenumbers.PhoneNumberFormat.INTERNATIONAL)


def address(said: Mapping[str, Any] | None, countries: Mapping[str, str]) -> Iterator[str]:
    """The lines of an address."""
    if said is None:
        return
    yield from said["lines"].split("\n")
    yield " ".join(part for part in (said["postal_code"], said["city"]) if part)
    yield countries.get(said["country"], said["country"])


def person(actor: str) -> str:
    """Who did something, without what kind of actor that is."""
    _kind, _colon, name = actor.partition(":")
    return name or actor


def _told(said: Mapping[str, Any], timezone: str) -> Told:
    day = business_day(datetime.fromisoformat(said["at"]), timezone)
    return Told(day, person(said["by"]), said["version"])
