"""Customer: a person, a household or an organisation that we have a relationship with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Self
from uuid import UUID

from pydantic import Field, model_validator

from services.contacts.address import MoveAddress
from services.contacts.contact_points import (
    AddContactPoint,
    ContactPoint,
    ContactPoints,
    CorrectContactPoint,
    RemoveContactPoint,
)
from services.contacts.events import (
    AddressMoved,
    Alias,
    Channel,
    ContactPointAdded,
    ContactPointCorrected,
    ContactPointRemoved,
    CountryCorrected,
    CustomerRegistered,
    CustomerRenamed,
    CustomersMerged,
    CustomersUnmerged,
    IdentifierLinked,
    Kind,
    KindCorrected,
    SubjectErased,
)
from services.contacts.sources import Source
from services.contacts.standing import EraseAbsorbed, Restanding, Standing
from shared.decider import Command, Decider
from shared.errors import Refused
from shared.events import Event
from shared.values import Code, Country, Email, Name, Phone


class NewCustomer(Command):
    """A customer as somebody enters one."""

    kind: Kind = Field("individual", description="What the customer is.")
    name: Name
    country: Country | None = None
    email: Email | None = None
    phone: Phone | None = None
    internal: bool = Field(default=False, description="An own employee or department.")


class RegisterCustomer(NewCustomer):
    """Make a customer known under a new id."""

    customer_id: UUID


class OutsideCustomer(Command):
    """A customer as another system knows one; what is left out is not known there."""

    outside_id: Code
    kind: Kind | None = None
    name: Name | None = None
    country: Country | None = None
    email: Email | None = None
    phone: Phone | None = None


class ImportCustomer(OutsideCustomer):
    """Take a customer over from another system: register it, or add what was not known of it."""

    customer_id: UUID
    source: Source


class RenameCustomer(Command):
    """Give the customer another name."""

    name: Name


class DescribeCustomer(Command):
    """Correct what the customer is and where; what is left out stays."""

    kind: Kind | None = None
    country: Country | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.kind is None and self.country is None:
            raise ValueError("needs a kind, a country, or both")
        return self


class LinkIdentifier(Command):
    """Record under which id another system knows the customer."""

    source: Source
    outside_id: Code


@dataclass(frozen=True)
class Customer:
    """What the rules need to know of a customer; `id` is None before it is registered."""

    id: UUID | None = None
    kind: Kind = "individual"
    name: str | None = None
    country: str | None = None
    aliases: frozenset[tuple[str, str]] = frozenset()
    points: ContactPoints = ContactPoints()  # noqa: RUF009, frozen
    address: AddressMoved | None = None
    standing: Standing = Standing()  # noqa: RUF009, frozen


Telling = (
    RenameCustomer
    | DescribeCustomer
    | AddContactPoint
    | CorrectContactPoint
    | RemoveContactPoint
    | MoveAddress
    | LinkIdentifier
)
Edit = Telling | Restanding


def decide(command: RegisterCustomer | ImportCustomer | Edit, state: Customer) -> Sequence[Event]:
    """What a command leads to; a detail that is known already leads to nothing."""
    if not isinstance(command, EraseAbsorbed):
        state.standing.require_present()
    match command:
        case RegisterCustomer():
            if state.id is not None:
                raise Refused("this customer is registered", field="customer_id", kind="conflict")
            return [_registered(command, None, internal=command.internal), *_reached(command, state)]
        case ImportCustomer():
            return [*_taken_over(command, state), *_reached(command, state)]
        case _:
            if state.id is None:
                raise Refused("no such customer", kind="missing")
            if isinstance(command, Restanding):
                return list(state.standing.decide(command, state.id))
            return list(_told(command, state.id, state))


def evolve(state: Customer, event: Event) -> Customer:  # noqa: PLR0911, one arm an event
    """The customer after an event."""
    match event:
        case CustomerRegistered(customer_id=id_, kind=kind, name=name, country=country, alias=alias):
            aliases = frozenset([(alias.source, alias.outside_id)] if alias else [])
            return Customer(id_, kind, name, country, aliases)
        case CustomerRenamed(name=name):
            return replace(state, name=name)
        case KindCorrected(kind=kind):
            return replace(state, kind=kind)
        case CountryCorrected(country=country):
            return replace(state, country=country)
        case ContactPointAdded() | ContactPointCorrected() | ContactPointRemoved():
            return replace(state, points=state.points.after(event))
        case AddressMoved():
            return replace(state, address=event)
        case IdentifierLinked(source=source, outside_id=outside_id):
            return replace(state, aliases=state.aliases | {(source, outside_id)})
        case CustomersMerged() | CustomersUnmerged() | SubjectErased():
            return replace(state, standing=state.standing.after(event))
        case _:
            return state


def _registered(
    command: RegisterCustomer | ImportCustomer, alias: Alias | None, *, internal: bool
) -> CustomerRegistered:
    return CustomerRegistered(
        customer_id=command.customer_id,
        kind=command.kind or Customer.kind,
        name=command.name,
        country=command.country,
        internal=internal,
        alias=alias,
    )


def _reached(command: RegisterCustomer | ImportCustomer, state: Customer) -> Iterator[Event]:
    """The contact points that come with a customer, as far as they are new."""
    given: tuple[tuple[Channel, str | None], ...] = (("email", command.email), ("phone", command.phone))
    points = [ContactPoint(channel, value, "general") for channel, value in given if value is not None]
    return state.points.added(command.customer_id, *points)


def _taken_over(command: ImportCustomer, state: Customer) -> Iterator[Event]:
    """What an import says of the customer itself: it registers or fills gaps, and never overwrites."""
    id_ = state.id
    if id_ is None:
        yield _registered(command, Alias(source=command.source, outside_id=command.outside_id), internal=False)
        return
    if command.name is not None and command.name != state.name:
        _only_a_gap("name", state.name)
        yield CustomerRenamed(customer_id=id_, name=command.name)
    if command.kind is not None and command.kind != state.kind:
        _only_a_gap("kind", state.kind if state.name is not None else None)
        yield KindCorrected(customer_id=id_, kind=command.kind)
    if command.country is not None and command.country != state.country:
        _only_a_gap("country", state.country)
        yield CountryCorrected(customer_id=id_, country=command.country)


def _only_a_gap(field_: str, known: str | None) -> None:
    if known is not None:
        raise Refused(f"the customer is known with another {field_}", field=field_, kind="conflict")


def _told(command: Telling, id_: UUID, state: Customer) -> Iterator[Event]:
    match command:
        case RenameCustomer(name=name):
            if name != state.name:
                yield CustomerRenamed(customer_id=id_, name=name)
        case DescribeCustomer(kind=kind, country=country):
            if kind is not None and kind != state.kind:
                yield KindCorrected(customer_id=id_, kind=kind)
            if country is not None and country != state.country:
                yield CountryCorrected(customer_id=id_, country=country)
        case MoveAddress():
            moved = command.moved(id_)
            if moved != state.address:
                yield moved
        case LinkIdentifier(source=source, outside_id=outside_id):
            if (source, outside_id) not in state.aliases:
                yield IdentifierLinked(customer_id=id_, source=source, outside_id=outside_id)
        case _:
            yield from state.points.decide(command, id_)


customer = Decider("customer", Customer(), decide, evolve)
