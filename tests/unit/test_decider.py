import asyncio
from datetime import UTC, datetime
from uuid import UUID, uuid4

import facts
import pytest

from shared.decider import Context, handle
from shared.envelope import FIRST_HASH, chained
from shared.errors import Conflict, Refused, Reused, Stale, SubjectIsErased
from shared.sqlite_store import SqliteStore

NOW = datetime(2026, 3, 28, 23, 30, tzinfo=UTC)
CUSTOMER = UUID(int=7)


@pytest.fixture
async def log(tmp_path):
    log = facts.open_log(tmp_path, timezone="Europe/Amsterdam", clock=lambda: NOW)
    yield log
    await log.store.close()


def place(*amounts, day=10, note=None):
    return facts.Place(customer_id=CUSTOMER, business_day=day, lines=facts.lines(*amounts), note=note)


async def test_a_command_becomes_events_with_who_when_and_why(log):
    context = Context("staff:ann", uuid4(), correlation_id=uuid4(), on_behalf_of="customer:7", traceparent="00-a-b-01")
    order = uuid4()
    done = await handle(log, facts.order, order, place(5), context=context)
    (recorded,) = (await log.store.load(f"order-{order}")).events
    meta = recorded.meta
    assert (done.version, done.position, done.subject, done.found) == (0, 1, f"customer-{CUSTOMER}", False)
    assert (meta.actor, meta.on_behalf_of, meta.traceparent) == ("staff:ann", "customer:7", "00-a-b-01")
    assert meta.command_id == str(context.command_id)
    assert meta.correlation_id == str(context.correlation_id)
    assert meta.occurred_at == meta.recorded_at == "2026-03-28T23:30:00.000000Z"
    assert recorded.hash == chained(FIRST_HASH, recorded.stream, 0, recorded)


async def test_the_business_day_is_of_the_zone_that_the_command_names_or_the_installation(log):
    command = facts.Cancel()
    assert command.stamped(NOW, "Europe/Amsterdam").day == command.stamped(NOW, "UTC").day + 1
    own = facts.Cancel(timezone="America/New_York").stamped(NOW, "Europe/Amsterdam")
    assert own.day == command.stamped(NOW, "UTC").day


async def test_a_repeated_command_finds_its_first_answer_even_after_others(log):
    order, context = uuid4(), facts.asked()
    first = await handle(log, facts.order, order, place(5), context=context)
    await handle(log, facts.order, order, facts.Cancel(), context=facts.asked())
    again = await handle(log, facts.order, order, place(5), context=context)
    assert again.found
    assert (again.events, again.version, again.position) == (first.events, first.version, first.position)
    assert await log.store.position() == 2


async def test_the_same_command_ten_times_at_once_is_one_event(log):
    order, context = uuid4(), facts.asked()
    done = await asyncio.gather(*(handle(log, facts.order, order, place(5), context=context) for _ in range(10)))
    assert {(one.version, one.position) for one in done} == {(0, 1)}
    assert [one.found for one in done].count(False) == 1


async def test_the_same_key_with_other_content_is_refused(log):
    order, context = uuid4(), facts.asked()
    await handle(log, facts.order, order, place(5), context=context)
    with pytest.raises(Reused):
        await handle(log, facts.order, order, place(6), context=context)


async def test_a_conflict_loads_and_decides_again(log):
    order = uuid4()
    placed, cancelled = await asyncio.gather(
        handle(log, facts.order, order, place(5), context=facts.asked()),
        handle(log, facts.order, order, place(6), context=facts.asked()),
        return_exceptions=True,
    )
    assert placed.version == 0
    assert isinstance(cancelled, Refused)
    assert cancelled.kind == "conflict"


async def test_an_edit_of_an_old_version_is_stale_but_its_repetition_is_found(log):
    order, context = uuid4(), facts.asked()
    await handle(log, facts.order, order, place(5), context=facts.asked())
    await handle(log, facts.order, order, facts.Cancel(), context=context, expected=0)
    with pytest.raises(Stale) as stale:
        await handle(log, facts.order, order, facts.Cancel(), context=facts.asked(), expected=0)
    assert stale.value.current == 1
    assert (await handle(log, facts.order, order, facts.Cancel(), context=context, expected=0)).found


async def test_a_no_op_and_a_refusal_leave_no_trace(log):
    order = uuid4()
    await handle(log, facts.order, order, place(5), context=facts.asked())
    await handle(log, facts.order, order, facts.Cancel(), context=facts.asked())
    nothing = await handle(log, facts.order, order, facts.Cancel(), context=facts.asked())
    assert (nothing.events, nothing.version, nothing.position) == ((), 1, 2)
    with pytest.raises(Refused):
        await handle(log, facts.order, order, place(5), context=facts.asked())
    assert await log.store.position() == 2


async def test_nothing_new_is_written_about_an_erased_subject(log):
    await handle(log, facts.order, uuid4(), place(5), context=facts.asked())
    log.keyring.destroy(f"customer-{CUSTOMER}")
    with pytest.raises(SubjectIsErased):
        await handle(log, facts.order, uuid4(), place(5), context=facts.asked())


async def test_it_gives_up_after_losing_again_and_again(log, monkeypatch):
    async def lose(*_):
        raise Conflict("faster")

    monkeypatch.setattr(SqliteStore, "append", lose)
    with pytest.raises(Conflict, match="try again"):
        await handle(log, facts.order, uuid4(), place(5), context=facts.asked())
