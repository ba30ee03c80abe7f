"""What the interactions service publishes: every contact with a customer, over every channel."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from shared.events import Event, Personal

Kind = Literal[
    "visit",
    "phone_call",
    "letter",
    "printed_matter",
    "email",
    "audio_conference",
    "video_conference",
    "instant_message",
    "sms",
]
"""How the customer and we were in contact."""

Direction = Literal["inbound", "outbound"]
"""Who sought the contact: the customer (inbound) or we (outbound)."""


class InteractionRecorded(Event, type="crm.interactions.InteractionRecorded", subject="customer_id"):
    """A contact took place; its moment is the event's occurred_at, `duration_minutes` whole minutes."""

    customer_id: UUID
    interaction_id: UUID
    kind: Kind
    direction: Direction
    business_day: int
    summary: Personal
    handler: str
    duration_minutes: int | None


class InteractionCorrected(Event, type="crm.interactions.InteractionCorrected", subject="customer_id"):
    """What was recorded of a contact was wrong; the event says it all as it is right, and why it changed."""

    customer_id: UUID
    interaction_id: UUID
    kind: Kind
    direction: Direction
    summary: Personal
    duration_minutes: int | None
    reason: Personal
