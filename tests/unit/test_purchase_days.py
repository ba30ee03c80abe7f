"""What analytics keeps of orders: the same whatever came first, and as if what was taken back had never been."""

import random
from itertools import pairwise

import pytest
from sales import DAY, Shop

from services.analytics import base as bases
from services.analytics.intervals import wheat_morrison_k
from services.analytics.purchase_days import family
from services.analytics.rhythm import Rhythm
from services.analytics.scope import Question, currencies, scope, sources
from services.analytics.timing import timing
from shared.errors import Refused
from shared.projections.kit import Kit
from shared.projections.sqlite_home import SqliteHome
from shared.verify import content


@pytest.fixture
def shop(tmp_path, home):
    return Shop(tmp_path, home)


def ask(shop, as_of=DAY + 999, source=None, currency=None):
    with shop.read() as db:
        return bases.base(db, scope(db, Question(as_of, source, currency)))


def tables(shop, **how):
    found = content(shop.histories.fold(family, **how))
    assert found is not None
    return found.tables


def test_an_order_counts_from_its_business_day_on(shop):
    shop.knows("ana", "shop:1")
    shop.sells("1", "ana", DAY, 250, 175)
    shop.sells("2", "ana", DAY, 100)
    shop.sells("3", "ana", DAY + 7, 40)
    before, then, after = (ask(shop, day) for day in (DAY - 1, DAY, DAY + 7))
    assert (before.orders, before.customers, before.gross_minor) == (0, 0, 0)
    assert (then.orders, then.lines, then.customers, then.customer_days, then.gross_minor) == (2, 3, 1, 1, 525)
    assert (after.orders, after.customers, after.customer_days, after.gross_minor) == (3, 1, 2, 565)


def test_a_cancelled_order_was_never_placed(shop, tmp_path):
    (tmp_path / "without").mkdir()
    without = Shop(tmp_path / "without", SqliteHome(tmp_path / "without"))
    for told in (shop, without):
        told.knows("ana", "shop:1")
        for number, day in enumerate((DAY, DAY + 7, DAY + 20)):
            told.sells(str(number), "ana", day, 500, 30)
    shop.sells("9", "ana", DAY + 11, 75, 25)
    shop.refunds("9", "ana", DAY + 11, 60)
    assert tables(shop) != tables(without)
    shop.takes_back("9", "ana", DAY + 11, 75, 25, refunded=60)
    assert tables(shop) == tables(without)


def test_the_only_order_cancelled_leaves_no_customer(shop):
    shop.knows("ana", "shop:1")
    shop.sells("1", "ana", DAY, 100)
    shop.takes_back("1", "ana", DAY, 100)
    found = ask(shop)
    assert (found.currency, found.orders, found.customers, found.gross_minor) == (None, 0, 0, 0)


def test_a_refund_changes_money_and_nothing_else(shop):
    shop.knows("ana", "shop:1")
    shop.sells("1", "ana", DAY, 500)
    shop.sells("2", "ana", DAY + 9, 300)
    with shop.read() as db:
        before = timing(db, scope(db, Question(DAY + 50)))
    whole = ask(shop)
    shop.refunds("1", "ana", DAY, 120)
    with shop.read() as db:
        assert timing(db, scope(db, Question(DAY + 50))) == before
    found = ask(shop)
    assert found == whole.model_copy(update={"refund_minor": -120})
    assert found.net_minor == 680


def test_a_refund_counts_on_the_day_of_its_order_and_a_credit_note_on_its_own(shop):
    shop.knows("ana", "shop:1")
    shop.sells("1", "ana", DAY, 500)
    shop.refunds("1", "ana", DAY, 120)
    shop.credits("C1", "ana", DAY + 30, 80)
    early, late = ask(shop, DAY), ask(shop, DAY + 30)
    assert (early.refund_minor, early.credit_notes, early.credit_minor) == (-120, 0, 0)
    assert (late.refund_minor, late.credit_notes, late.credit_minor, late.net_minor) == (-120, 1, -80, 300)


def test_a_source_limits_to_the_customers_it_knows_whatever_system_took_the_order(shop):
    shop.knows("ana", "shop:1", "erp:A")
    shop.knows("bo", "erp:B")
    shop.knows("cy")
    for number, name in enumerate(("ana", "bo", "cy")):
        shop.sells(str(number), name, DAY, 100 * (number + 1))
    assert ask(shop).customers == 3
    assert (ask(shop, source="erp").customers, ask(shop, source="erp").gross_minor) == (2, 300)
    assert (ask(shop, source="shop").customers, ask(shop, source="shop").gross_minor) == (1, 100)
    with shop.read() as db:
        assert sources(db) == ["erp", "shop"]
    with pytest.raises(Refused, match="erp, shop") as refused:
        ask(shop, source="shopp")
    assert refused.value.field == "source"


def test_several_currencies_are_never_added_up(shop):
    shop.knows("ana", "shop:1")
    shop.knows("bo", "us:1")
    shop.sells("1", "ana", DAY, 500)
    shop.sells("2", "ana", DAY + 3, 200, currency="EUR")
    shop.sells("3", "ana", DAY + 8, 900)
    shop.sells("4", "bo", DAY, 700, currency="USD")
    with pytest.raises(Refused, match="EUR, GBP, USD") as refused:
        ask(shop)
    assert refused.value.field == "currency"
    assert ask(shop, source="us").currency == "USD"
    pounds = ask(shop, currency="GBP")
    assert (pounds.orders, pounds.customers, pounds.customer_days, pounds.gross_minor) == (2, 1, 2, 1400)
    assert ask(shop, currency="CHF").orders == 0
    with shop.read() as db:
        assert currencies(db) == ["GBP", "EUR", "USD"]
        everything = timing(db, scope(db, Question(DAY + 50), money=False))
        in_pounds = timing(db, scope(db, Question(DAY + 50, currency="GBP")))
    assert everything.intervals.counts == {3: 1, 5: 1}
    assert in_pounds.intervals.counts == {8: 1}


def test_the_timing_is_exact_on_every_day_of_the_past(shop):
    rng = random.Random(7)
    bought = {name: sorted(rng.sample(range(60), rng.randint(1, 9))) for name in "abcdefgh"}
    for name, days in bought.items():
        shop.knows(name, f"{'even' if ord(name) % 2 else 'odd'}:{name}")
        for day in days:
            shop.sells(f"{name}{day}", name, DAY + day, 100)
    with shop.read() as db:
        for as_of in (0, 7, 31, 45, 60):
            rhythms = [Rhythm.of(((day, 1) for day in days), as_of) for days in bought.values()]
            found = timing(db, scope(db, Question(DAY + as_of)))
            lengths = [length for rhythm in rhythms for length in rhythm.intervals]
            assert found.intervals.counts == {length: lengths.count(length) for length in sorted(set(lengths))}
            pairs = [(*rhythm.last_two, 1) for rhythm in rhythms if rhythm.last_two]
            assert found.wheat_k == pytest.approx(wheat_morrison_k(pairs))
        evens = [list(pairwise(days)) for name, days in bought.items() if ord(name) % 2]
        found = timing(db, scope(db, Question(DAY + 60, source="even")))
        assert found.intervals.n == sum(map(len, evens))


def test_the_timing_of_a_product_is_that_of_the_days_on_which_it_was_bought(shop):
    shop.knows("ana", "shop:1")
    shop.knows("bo", "erp:1")
    shop.sells("1", "ana", DAY, 100, 50)
    shop.sells("2", "ana", DAY + 4, 100)
    shop.sells("3", "ana", DAY + 10, 100, 50)
    shop.sells("4", "bo", DAY, 100, 50)
    shop.sells("5", "bo", DAY + 30, 100, 50)
    with shop.read() as db:
        base = scope(db, Question(DAY + 50))
        assert timing(db, base, "P2").intervals.counts == {10: 1, 30: 1}
        assert timing(db, base, "P1").intervals.counts == {4: 1, 6: 1, 30: 1}
        assert timing(db, scope(db, Question(DAY + 50, source="erp")), "P2").intervals.counts == {30: 1}
        assert timing(db, base, "P9").intervals.n == 0


def test_months_have_no_gap_and_know_whether_they_are_full(shop):
    shop.knows("ana", "shop:1")
    shop.sells("1", "ana", 14_590, 500)  # 2009-12-12
    shop.sells("2", "ana", 14_680, 300)  # 2010-03-12
    shop.refunds("2", "ana", 14_680, 50)
    with shop.read() as db:
        found = bases.months(db, scope(db, Question(14_690)))
    assert [(month.first.isoformat(), month.orders, month.gross, month.net, month.full) for month in found] == [
        ("2009-12-01", 1, 500, 500, False),
        ("2010-01-01", 0, 0, 0, True),
        ("2010-02-01", 0, 0, 0, True),
        ("2010-03-01", 1, 300, 250, False),
    ]


def test_newcomers_are_counted_once(shop):
    for name in ("ana", "bo"):
        shop.knows(name, f"shop:{name}")
        shop.sells(f"{name} 1", name, DAY + 5 * (name == "bo"), 100)
        shop.sells(f"{name} 2", name, DAY + 9, 100)
    with shop.read() as db:
        assert bases.newcomers(db, scope(db, Question(DAY + 20)), DAY) == 1
        assert bases.newcomers(db, scope(db, Question(DAY + 4)), DAY) == 0


def test_the_tables_are_the_same_in_any_order_in_any_partitions_and_after_any_crash(tmp_path, kit_home):
    shop = Shop(tmp_path, kit_home)
    rng = random.Random(3)
    for name in "abcdefghijkl":
        shop.knows(name, *[f"{source}:{name}" for source in rng.sample(["shop", "erp", "web"], rng.randint(0, 3))])
    for number in range(40):
        name, day = rng.choice("abcdefghijkl"), DAY + rng.randint(0, 40)
        currency = rng.choice(["GBP", "GBP", "EUR"])
        shop.sells(str(number), name, day, 100 + number, 50, currency=currency)
        if number % 5 == 0:
            shop.refunds(str(number), name, day, 40, currency=currency)
        if number % 4 == 0:
            refunded = 40 if number % 5 == 0 else 0
            shop.takes_back(str(number), name, day, 100 + number, 50, refunded=refunded, currency=currency)
        if number % 11 == 0:
            shop.credits(f"C{number}", name, day + 2, 30, currency=currency)
        if number % 9 == 0:
            shop.merges(name, into=rng.choice([other for other in "abcdefghijkl" if other != name]))
        if number % 13 == 0:
            shop.unmerges(name, into="a")
    shop.erases("c")
    shop.sells("late", "c", DAY + 50, 100)
    for code, category in (("P1", "cups"), ("P2", "cups"), ("P1", "mugs"), ("P2", None)):
        shop.puts(code, category)
    shop.fits(DAY + 45)
    kit = Kit(family, shop.histories.events, shop.histories.codec, shop.histories.home)
    assert all(rows for rows, _ in kit.expected.values())
    kit.prove(seed=1)
