"""What the day closes said, read back: the same in whatever order it came."""

import pytest
from closing_shop import OPENED, customer, open_shop

from services.analytics import registry, standing
from services.analytics.events import SegmentEntered
from shared.projections.generation import Generation
from shared.projections.kit import Kit
from shared.projections.progress import STORE, Batch


@pytest.fixture
async def shop(tmp_path):
    """Three closed days: somebody late, somebody merged, somebody erased."""
    async with open_shop(tmp_path) as shop:
        await shop.has_a_past(customers=45)
        shop.later()
        await shop.closer().close_ended()
        await shop.sells(2, OPENED, pounds=900)
        await shop.sells(3, OPENED + 1, pounds=800)
        await shop.merges(4, 5)
        shop.later()
        await shop.closer().close_ended()
        await shop.erases(6)
        shop.later()
        await shop.closer().close_ended()
        yield shop


async def test_every_way_of_folding_gives_the_same_tables(shop, kit_home):
    history = [event async for page in shop.log.store.pages(0) for event in page.events]
    Kit(standing.family, history, shop.log.codec, kit_home).prove(seed=2)


async def test_who_stands_where_is_what_was_said_last(shop):
    expected = {}
    for day in range(OPENED, OPENED + 3):
        for event in await shop.said(day):
            if isinstance(event, SegmentEntered):
                expected[f"customer-{event.customer_id}"] = (event.segment, event.day)
    del expected[f"customer-{customer(4)}"], expected[f"customer-{customer(6)}"]
    with shop.models.read(standing.family) as db:
        assert registry.said(db, "GBP").stays == expected
        assert registry.currencies_said(db) == ["GBP"]
        assert registry.first_open(db) == OPENED + 3


async def test_the_path_of_a_customer_leads_from_segment_to_segment(shop):
    subject = f"customer-{customer(3)}"
    with shop.models.read(standing.family) as db:
        path = registry.path(db, [subject], "GBP", OPENED + 2)
        assert [move.day for move in path[:2]] == [OPENED, OPENED + 1]
        assert [move.previous for move in path] == [None, *(move.segment for move in path[:-1])]
        assert registry.path(db, [subject], "GBP", OPENED)[-1] == path[0]
        (*_, absorbed) = registry.path(db, [f"customer-{customer(4)}"], "GBP", OPENED + 2)
        assert (absorbed.segment, absorbed.cause) == (None, "absorbed")
        assert registry.path(db, [f"customer-{customer(6)}"], "GBP", OPENED + 2) == []


async def test_the_closes_are_listed_from_the_newest(shop):
    with shop.models.read(standing.family) as db:
        found = [close for close, _ in registry.closes(db, 2)]
    assert found == [(await shop.said(day))[-1] for day in (OPENED + 2, OPENED + 1)]


async def test_both_databases_give_the_same_back(shop, home):
    history = [event async for page in shop.log.store.pages(0) for event in page.events]
    mine = [event for event in history if event.type in standing.family.types]
    generation = Generation(standing.family, 1, home.place("standing"), shop.log.codec)
    generation.apply([Batch(*STORE, mine, history[-1].position, 0)])
    generation.refresh()
    subject = f"customer-{customer(3)}"

    def everything(db):
        return (
            registry.said(db, "GBP"),
            registry.earlier(db, "GBP", OPENED + 3),
            registry.closes(db, 9),
            registry.first_open(db),
            registry.currencies_said(db),
            registry.path(db, [subject], "GBP", OPENED + 2),
        )

    with generation.read() as db, shop.models.read(standing.family) as live:
        assert everything(db) == everything(live)
    generation.close()
