"""Invented lives of customers over all services, interleaved, with things told late, taken back and put right."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

from histories import FIRST, Histories

from services.contacts.address import MoveAddress
from services.contacts.contact_points import AddContactPoint, CorrectContactPoint, RemoveContactPoint
from services.contacts.customer import DescribeCustomer, ImportCustomer, LinkIdentifier, RenameCustomer, customer
from services.contacts.standing import MergeCustomer, Standing, UnmergeCustomer
from services.interactions.events import InteractionCorrected, InteractionRecorded
from services.portal.events import CreditIssued, Line, OrderCancelled, OrderPlaced, OrderRefunded
from shared.clock import business_day
from shared.events import Event
from shared.testing import Spec

STEP = timedelta(hours=5)
LATE_DAYS = 40
LINE = Line(ordinal=1, code="CD", description=None, quantity=1, unit_price="9.99", amount_minor=999)
SOLD = {"source": "cdnow", "lines": (LINE,), "line_count": 1, "quantity": 1, "total_minor": 999}
Told = Callable[[datetime], tuple[str, Event, datetime]]
"""Given the moment of telling: the stream, what happened, and when."""


def live(histories: Histories, customers: int, rng: random.Random) -> list[UUID]:
    """Record the lives of some customers, all in the same time; who they are."""
    ids = [UUID(int=number + 1) for number in range(customers)]
    lives = [iter(_life(id_, rng)) for id_ in ids]
    now = FIRST
    while lives:
        life = rng.choice(lives)
        told = next(life, None)
        if told is None:
            lives.remove(life)
            continue
        now += STEP
        stream, event, at = told(now)
        histories.happened(stream, event, actor=rng.choice(("staff:maria", "staff:jdewit")), at=at)
    return ids


def _life(id_: UUID, rng: random.Random) -> list[Told]:
    """What is told of one customer: its own facts in their order, orders and contacts in between."""
    facts = _facts(id_, rng)
    others = [told for turn in range(rng.randint(1, 5)) for told in (_order(id_, turn, rng), _contact(id_, turn, rng))]
    life = facts[:1]
    rest = [facts[1:], *others]
    while any(rest):
        life.append(rng.choice([one for one in rest if one]).pop(0))
    return life


def _facts(id_: UUID, rng: random.Random) -> list[Told]:
    number = str(id_.int)
    edits = [
        RenameCustomer(name=f"Ana {number}"),
        RenameCustomer(name=f"Ana Kovač {number}"),
        DescribeCustomer(kind=rng.choice(["household", "organisation"]), country="HR"),
        AddContactPoint(channel="email", value=f"ana{number}@kovac.example"),
        CorrectContactPoint(point=1, value="+31201234567"),
        LinkIdentifier(source="erp", outside_id=number),
        MoveAddress(lines=[f"Ilica {number}"], city="Zagreb", country="HR"),
    ]
    commands = [*rng.sample(edits, rng.randint(2, len(edits))), *rng.choice(([], [RemoveContactPoint(point=1)]))]
    if id_.int > 1 and rng.random() < 0.5:
        commands.append(MergeCustomer(survivor=UUID(int=rng.randint(1, id_.int - 1)), standing=Standing()))
        commands += rng.choice([[], [UnmergeCustomer()]])
    past: list[Event] = []
    begin = ImportCustomer(customer_id=id_, source="cdnow", outside_id=number, phone="+38515550142")
    for command in (begin, *commands):
        past += Spec(customer).given(*past).when(command).decided()
    late = [timedelta(days=rng.choice((0, 0, 0, rng.randint(1, LATE_DAYS)))) for _ in past]
    return [
        lambda now, event=event, ago=ago: (f"customer-{id_}", event, now - ago)
        for event, ago in zip(past, late, strict=True)
    ]


def _order(id_: UUID, turn: int, rng: random.Random) -> list[Told]:
    order = UUID(int=id_.int * 1000 + turn)
    about = {"customer_id": id_, "order_id": order, "currency": rng.choice(("USD", "USD", "EUR"))}
    ago = timedelta(days=rng.randint(0, 400))
    days: list[int] = []
    refunded = rng.choice((0, 0, 300))

    def placed(now: datetime) -> tuple[str, Event, datetime]:
        days.append(_day(now - ago))
        return f"order-{order}", OrderPlaced(**about, **SOLD, number=str(turn), business_day=days[0]), now - ago

    def given_back(now: datetime) -> tuple[str, Event, datetime]:
        back = {"order_day": days[0], "business_day": _day(now), "reason": "a crack", "amount_minor": 300}
        return f"order-{order}", OrderRefunded(**about, source="cdnow", **back), now

    def cancelled(now: datetime) -> tuple[str, Event, datetime]:
        back = {"order_day": days[0], "business_day": _day(now), "reason": None, "refunded_minor": refunded}
        return f"order-{order}", OrderCancelled(**about, **SOLD, **back, number=str(turn)), now

    def credited(now: datetime) -> tuple[str, Event, datetime]:
        note = CreditIssued(**about, **SOLD, number=f"C{turn}", credit_note_id=order, business_day=_day(now))
        return f"credit-note-{order}", note, now

    after = [*([given_back] if refunded else []), *rng.choice(([], [cancelled]))]
    return [placed, *after, *rng.choice(([], [credited]))]


def _contact(id_: UUID, turn: int, rng: random.Random) -> list[Told]:
    interaction = UUID(int=id_.int * 1000 + turn)
    about = {"customer_id": id_, "interaction_id": interaction, "kind": "visit", "direction": "inbound"}
    ago = timedelta(days=rng.randint(0, LATE_DAYS))

    def recorded(now: datetime) -> tuple[str, Event, datetime]:
        said = {"summary": "Tea.", "handler": "maria", "duration_minutes": 5, "business_day": _day(now - ago)}
        return f"interaction-{interaction}", InteractionRecorded(**about, **said), now - ago

    def corrected(now: datetime) -> tuple[str, Event, datetime]:
        said = {"summary": "Coffee.", "duration_minutes": 5, "reason": "wrong"}
        return f"interaction-{interaction}", InteractionCorrected(**about, **said), now

    return [recorded, *rng.choice(([], [corrected], [corrected, corrected]))]


def _day(moment: datetime) -> int:
    return business_day(moment, "UTC")
