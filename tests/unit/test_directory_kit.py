"""The directory comes out the same whatever the paging, partitions, repetitions and crashes."""

from __future__ import annotations

import random
from pathlib import Path
from uuid import UUID

from histories import Histories

from services.contacts import directory
from services.contacts.address import MoveAddress
from services.contacts.contact_points import AddContactPoint, CorrectContactPoint, RemoveContactPoint
from services.contacts.customer import (
    DescribeCustomer,
    ImportCustomer,
    LinkIdentifier,
    RenameCustomer,
    customer,
)
from services.contacts.standing import EraseCustomer, MergeCustomer, Standing, UnmergeCustomer
from services.interactions.events import InteractionRecorded
from services.portal.events import Line, OrderCancelled, OrderPlaced
from shared.projections.home import Home
from shared.projections.kit import Kit
from shared.testing import Spec

CUSTOMERS = 25
LINE = Line(ordinal=1, code="CD", description=None, quantity=1, unit_price="9.99", amount_minor=999)
SOLD = {"source": "cdnow", "currency": "USD", "lines": (LINE,), "line_count": 1, "quantity": 1, "total_minor": 999}
STANDINGS = (
    lambda _into: [],
    lambda into: [into],
    lambda into: [into, UnmergeCustomer()],
    lambda _into: [EraseCustomer(reason="request")],
)


def edits(number: int, rng: random.Random) -> list[object]:
    """What may be asked about a customer, some of it more than once."""
    commands = [
        RenameCustomer(name=f"Ana {number}"),
        DescribeCustomer(kind=rng.choice(["household", "organisation"]), country="HR"),
        AddContactPoint(channel="email", value=f"ana{number}@kovac.example"),
        CorrectContactPoint(point=1, value="+31201234567"),
        LinkIdentifier(source="erp", outside_id=str(number % 7)),
        MoveAddress(lines=[f"Ilica {number}"], city="Zagreb", country="HR"),
    ]
    rng.shuffle(commands)
    if number % 3:
        commands.append(RemoveContactPoint(point=1))
    survivor = MergeCustomer(survivor=UUID(int=number // 2 + 1), standing=Standing())
    return [*commands, *STANDINGS[number % len(STANDINGS)](survivor)] if number > 2 else commands


def life(histories: Histories, number: int, rng: random.Random) -> None:
    """One customer, with what other services tell of it in between."""
    id_ = UUID(int=number + 1)
    begin = ImportCustomer(customer_id=id_, source="cdnow", outside_id=str(number), phone="+38515550142")
    past: list = []
    for turn, command in enumerate([begin, *edits(number, rng)]):
        for event in Spec(customer).given(*past).when(command).decided():
            past.append(event)
            histories.happened(f"customer-{id_}", event)
        day, order = rng.randint(1, 300), UUID(int=number * 100 + turn)
        asked = {"customer_id": id_, "order_id": order, "number": str(turn), **SOLD}
        histories.happened(f"order-{order}", OrderPlaced(business_day=day, **asked))
        if turn % 2:
            gone = OrderCancelled(order_day=day, business_day=day + 1, refunded_minor=0, reason=None, **asked)
            histories.happened(f"order-{order}", gone)
        met = {"kind": "visit", "direction": "outbound", "summary": "Tea.", "handler": "maria", "duration_minutes": 5}
        told = InteractionRecorded(customer_id=id_, interaction_id=order, business_day=rng.randint(1, 300), **met)
        histories.happened(f"interaction-{order}", told)


def test_every_way_to_feed_it_gives_the_same_rows(tmp_path: Path, kit_home: Home):
    histories, rng = Histories(tmp_path, kit_home), random.Random(7)
    for number in range(CUSTOMERS):
        life(histories, number, rng)
    Kit(directory.family, histories.events, histories.codec, histories.home).prove()
