"""How a line of the timeline reads: its picture, its title, what is added to it, and where it leads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from babel import Locale

from services.interactions.timeline import Line
from shared.web.formats import Formats
from shared.web.i18n import N_

Words = Callable[[str], str]

KINDS: Final[Mapping[str, str]] = {
    "visit": N_("Visit"),
    "phone_call": N_("Phone call"),
    "letter": N_("Letter"),
    "printed_matter": N_("Printed matter"),
    "email": N_("E-mail"),
    "audio_conference": N_("Audio conference"),
    "video_conference": N_("Video conference"),
    "instant_message": N_("Instant message"),
    "sms": N_("SMS"),
}
"""What people call the channels of contact."""

DIRECTIONS: Final[Mapping[str, str]] = {
    "inbound": N_("From the customer"),
    "outbound": N_("From us"),
}
"""What people call who sought the contact."""

LINE_KINDS: Final[Mapping[str, str]] = {**KINDS, "order": N_("Orders"), "customer": N_("Customer data")}
"""What people call the kinds of line."""

PICTURES: Final[Mapping[str, str]] = {
    "visit": "building-store",
    "phone_call": "phone-call",
    "letter": "mail-opened",
    "printed_matter": "printer",
    "email": "mail",
    "audio_conference": "microphone",
    "video_conference": "video",
    "instant_message": "message-circle",
    "sms": "send",
    "order": "shopping-bag",
    "customer": "user",
}
"""The icon of each kind of line."""

_TITLES: Final[Mapping[str, str]] = {
    "crm.interactions.InteractionRecorded": N_("%(kind)s · %(direction)s"),
    "crm.interactions.InteractionCorrected": N_("Correction: %(kind)s · %(direction)s"),
    "crm.portal.OrderPlaced": N_("Order %(number)s over %(amount)s"),
    "crm.portal.OrderCancelled": N_("Order %(number)s cancelled"),
    "crm.portal.OrderRefunded": N_("%(amount)s refunded"),
    "crm.portal.CreditIssued": N_("Credit note %(number)s over %(amount)s"),
    "crm.contacts.CustomerRegistered": N_("Registered as %(customer_kind)s"),
    "crm.contacts.CustomerRenamed": N_("Renamed"),
    "crm.contacts.KindCorrected": N_("Is of the kind %(customer_kind)s"),
    "crm.contacts.CountryCorrected": N_("Belongs to %(country)s"),
    "crm.contacts.ContactPointAdded": N_("%(channel)s added"),
    "crm.contacts.ContactPointCorrected": N_("%(channel)s corrected"),
    "crm.contacts.ContactPointRemoved": N_("%(channel)s removed"),
    "crm.contacts.AddressMoved": N_("New address"),
    "crm.contacts.IdentifierLinked": N_("Known to %(source)s as %(outside_id)s"),
}
_TEXTS: Final[Mapping[str, Mapping[str, str]]] = {
    "direction": DIRECTIONS,
    "customer_kind": {"individual": N_("person"), "household": N_("household"), "organisation": N_("organisation")},
    "channel": {
        "email": N_("E-mail address"),
        "phone": N_("Phone number"),
        "post": N_("Postal address"),
        "messenger": N_("Messenger"),
    },
}


@dataclass(frozen=True)
class Told:
    """A line as a person reads it."""

    line: Line
    picture: str
    title: str
    when: str
    href: str


def tell(line: Line, formats: Formats, _: Words) -> Told:
    """A line in the reader's language."""
    title = _(_TITLES[line.type]) % {**line.title, **_named(line, formats, _)}
    # Orders of other systems often have no time of day, only a day.
    when = formats.date(line.day) if line.kind == "order" else formats.instant(line.occurred_at, "short")
    return Told(line, PICTURES[line.kind], title, when, _address(line))


def _named(line: Line, formats: Formats, _: Words) -> dict[str, str]:
    """What a title says of a line in words rather than codes."""
    facts = line.title
    said = {"kind": _(LINE_KINDS[line.kind])}
    if "currency" in facts:
        said["amount"] = formats.money(facts["amount_minor"], facts["currency"])
    for fact, texts in _TEXTS.items():
        if fact in facts:
            said[fact] = _(texts[facts[fact]])
    if country := facts.get("country"):
        said["country"] = Locale.parse(formats.locale).territories.get(country, country)
    return said


def _address(line: Line) -> str:
    """Where the thing that a line is about is shown."""
    category, _, id_ = line.stream.partition("-")
    if category == "interaction":
        return f"/interactions/{id_}"
    if category == "order":
        return f"/portal/orders/{id_}"
    if order_id := line.title.get("order_id"):
        return f"/portal/orders/{order_id}"
    orders = f"/portal/orders?customer={line.customer_id}"
    return orders if line.kind == "order" else f"/contacts/customers/{line.customer_id}"
