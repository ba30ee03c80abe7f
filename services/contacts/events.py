"""What the contacts service publishes: who the customers are and how they can be reached."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from shared.events import Event, Personal

Kind = Literal["individual", "household", "organisation"]
"""What a customer is; `individual` until somebody knows better."""

Channel = Literal["email", "phone", "post", "messenger"]
"""Over which medium a contact point reaches the customer."""

Purpose = Literal["general", "home", "work", "billing", "delivery"]
"""What a contact point is for."""

Ground = Literal["request", "consent_withdrawn", "objection", "purpose_ended", "unlawful", "legal_obligation"]
"""Why personal data must go: the grounds that the law knows. No free text, which might be about the person itself."""


class Alias(BaseModel):
    """The id that another system gave the customer; kept for ever."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    source: str
    outside_id: str


class CustomerRegistered(Event, type="crm.contacts.CustomerRegistered", subject="customer_id"):
    """A customer became known: by name, or so far only by the alias of another system."""

    customer_id: UUID
    kind: Kind
    name: Personal | None
    country: str | None
    internal: bool
    alias: Alias | None


class CustomerRenamed(Event, type="crm.contacts.CustomerRenamed", subject="customer_id"):
    """The customer has another name, or got a first one."""

    customer_id: UUID
    name: Personal


class KindCorrected(Event, type="crm.contacts.KindCorrected", subject="customer_id"):
    """The customer turned out to be of another kind."""

    customer_id: UUID
    kind: Kind


class CountryCorrected(Event, type="crm.contacts.CountryCorrected", subject="customer_id"):
    """The customer belongs to another country than was recorded."""

    customer_id: UUID
    country: str


class ContactPointAdded(Event, type="crm.contacts.ContactPointAdded", subject="customer_id"):
    """The customer can be reached in one more way; `point` numbers it among the customer's own, from 1."""

    customer_id: UUID
    point: int
    channel: Channel
    value: Personal
    purpose: Purpose


class ContactPointCorrected(Event, type="crm.contacts.ContactPointCorrected", subject="customer_id"):
    """A contact point was wrong or has changed."""

    customer_id: UUID
    point: int
    channel: Channel
    value: Personal
    purpose: Purpose


class ContactPointRemoved(Event, type="crm.contacts.ContactPointRemoved", subject="customer_id"):
    """The customer can no longer be reached this way."""

    customer_id: UUID
    point: int
    channel: Channel


class AddressMoved(Event, type="crm.contacts.AddressMoved", subject="customer_id"):
    """The customer lives or sits at this address from now on; `lines` are separated by line breaks."""

    customer_id: UUID
    lines: Personal
    postal_code: Personal | None
    city: Personal
    country: str


class IdentifierLinked(Event, type="crm.contacts.IdentifierLinked", subject="customer_id"):
    """Another system knows the customer under this id."""

    customer_id: UUID
    source: str
    outside_id: str


class CustomersMerged(Event, type="crm.contacts.CustomersMerged", subject="customer_id"):
    """The customer was absorbed: it is the same as the survivor, and what is recorded of it counts there."""

    customer_id: UUID
    survivor_id: UUID
    reason: Personal | None


class CustomersUnmerged(Event, type="crm.contacts.CustomersUnmerged", subject="customer_id"):
    """The customer is not the same as the survivor after all, and counts for itself again."""

    customer_id: UUID
    survivor_id: UUID


class SubjectErased(Event, type="crm.contacts.SubjectErased", subject="customer_id", erases=True):
    """The customer's personal data is forgotten for ever, with that of everybody who was absorbed into it by then.

    Each of the `absorbed` has such an event of its own.
    """

    customer_id: UUID
    reason: Ground | None
    absorbed: tuple[UUID, ...]
