"""Purchase histories in columns: what happened to a customer, whoever it turned out to be."""

import random
from collections import defaultdict

import numpy as np
import pytest
from sales import DAY, Shop, customer_id

from services.analytics import base as bases
from services.analytics import evidence
from services.analytics.categories import every_category, members
from services.analytics.explain import Score, explain
from services.analytics.fitting import Verdict
from services.analytics.histories import histories, parts, product_histories, repeat_histories
from services.analytics.kept import Kept
from services.analytics.movement import cohorts, movement, portfolio, survival
from services.analytics.population import population
from services.analytics.profile import find, profile
from services.analytics.purchase_days import family
from services.analytics.replenishment import replenishment
from services.analytics.rhythm import Rhythm
from services.analytics.scope import Question, scope
from services.analytics.scoring import scoring
from services.analytics.timing import timing
from shared.errors import Refused
from shared.projections.sqlite_home import SqliteHome
from shared.verify import content

AS_OF = DAY + 400


@pytest.fixture
def shop(tmp_path, kit_home):
    return Shop(tmp_path, kit_home)


def random_shop(shop, customers=60, days=300, seed=1):
    """A shop with all sorts of customers, and their orders: (number, day, amount) by customer."""
    rng = random.Random(seed)
    sold = defaultdict(list)
    for number in range(customers):
        name = f"c{number}"
        shop.knows(name, f"shop:{number}")
        day = rng.randrange(days // 2)
        every, staying = 1 / rng.gammavariate(1.2, 1 / 40), rng.betavariate(3, 1)
        for order in range(60):
            amount = rng.randrange(100, 9_000)
            sold[name].append((f"{name}-{order}", DAY + day, amount))
            shop.sells(f"{name}-{order}", name, DAY + day, amount)
            day += int(rng.expovariate(1 / every))
            if day > days or rng.random() > staying:
                break
    return sold


def scored(shop, as_of=AS_OF, **question):
    with shop.read() as db:
        return scoring(db, scope(db, Question(as_of, **question)))


def tables(shop):
    found = content(shop.histories.fold(family))
    assert found is not None
    return found.tables


def test_the_columns_say_what_each_rhythm_says(shop):
    sold = random_shop(shop)
    shop.refunds("c3-0", "c3", sold["c3"][0][1], 50)
    shop.credits("N1", "c4", DAY + 390, 30)
    for as_of in (DAY + 60, AS_OF):
        found = scored(shop, as_of).histories
        bought = found.bought
        for place, who in enumerate(bought.who.tolist()):
            name = next(name for name in sold if f"customer-{customer_id(name)}" == found.customers[who])
            orders = [(day, amount) for _, day, amount in sold[name] if day <= as_of]
            rhythm = Rhythm.of(((day, 1) for day, _ in orders), as_of)
            assert (rhythm.first, rhythm.last, rhythm.x + 1, rhythm.orders) == tuple(
                int(column[place]) for column in (bought.first, bought.last, bought.days, bought.orders)
            )
            back = {"c3": 50, "c4": 30 if as_of == AS_OF else 0}.get(name, 0)
            gross = sum(amount for _, amount in orders)
            first = sum(amount for day, amount in orders if day == rhythm.first)
            of_first = 50 if name == "c3" else 0
            assert (bought.gross[place], bought.net[place]) == (gross, gross - back)
            assert bought.repeat_net[place] == gross - back - (first - of_first)
            assert bought.log_intervals[place] == pytest.approx(np.log(rhythm.intervals).sum() if rhythm.x else 0)


def test_the_past_of_a_history_is_the_history_of_the_past(shop):
    random_shop(shop)
    late, early = scored(shop).histories.until(DAY + 100).bought, scored(shop, DAY + 100).histories.bought
    for name in ("first", "last", "days", "orders", "gross", "net", "repeat_net", "log_intervals"):
        assert getattr(late, name).tolist() == getattr(early, name).tolist()


def test_merged_customers_are_one_and_their_orders_of_one_day_one_purchase(shop):
    shop.knows("ana", "shop:1")
    shop.knows("anna", "erp:9")
    for number, (name, day) in enumerate((("ana", 0), ("anna", 0), ("anna", 10), ("ana", 30))):
        shop.sells(str(number), name, DAY + day, 100)
    shop.merges("anna", into="ana")
    with shop.read() as db:
        within = scope(db, Question(AS_OF))
        base = bases.base(db, within)
        assert (base.customers, base.customer_days, base.orders, base.gross_minor) == (1, 3, 4, 400)
        assert timing(db, within).intervals.counts == {10: 1, 20: 1}
        assert timing(db, within, "P1").intervals.counts == {10: 1, 20: 1}
        assert population(db, within).ranking.n == 1
        assert bases.base(db, scope(db, Question(AS_OF, "erp"))).customers == 1
        assert len(histories(db, scope(db, Question(AS_OF, "erp"))).bought.who) == 1
        assert find(db, "erp:9") == find(db, str(customer_id("anna"))) == customer_id("ana")
        found = profile(db, Kept(), customer_id("anna"), Question(AS_OF))
        assert found.rhythm.days == (DAY, DAY + 10, DAY + 30)
        assert found.gross_on[0] == (DAY, 200)


def test_an_unmerge_gives_back_what_was_there_before(shop):
    for name in ("ana", "anna", "bo"):
        shop.knows(name, f"shop:{name}")
        for number in range(3):
            shop.sells(f"{name}{number}", name, DAY + 10 * number, 100)
    before = tables(shop)
    shop.merges("anna", into="ana")
    shop.merges("ana", into="bo")
    assert tables(shop)["base_days"] != before["base_days"]
    shop.unmerges("ana", into="bo")
    shop.unmerges("anna", into="ana")
    after = tables(shop)
    assert {name: rows for name, rows in after.items() if name != "identity"} == {
        name: rows for name, rows in before.items() if name != "identity"
    }


def test_the_erased_are_as_if_they_had_never_been_there(shop, tmp_path):
    (tmp_path / "without").mkdir()
    without = Shop(tmp_path / "without", SqliteHome(tmp_path / "without"))
    for told in (shop, without):
        told.knows("ana", "shop:1")
        told.sells("1", "ana", DAY, 500)
    shop.knows("bo", "shop:2")
    shop.sells("2", "bo", DAY + 3, 900)
    shop.erases("bo")
    shop.sells("3", "bo", DAY + 9, 100)
    with shop.read() as db, without.read() as other:
        for question in (Question(AS_OF), Question(AS_OF, "shop")):
            one, two = bases.base(db, scope(db, question)), bases.base(other, scope(other, question))
            assert one == two
        with pytest.raises(Refused):
            find(db, "shop:2")
    assert not list(evidence_of(shop, "bo"))


def evidence_of(shop, name):
    with shop.histories.fold(evidence.family).read() as db:
        return evidence.behind(db, [f"customer-{customer_id(name)}"], AS_OF, None)


def test_an_order_cancelled_after_200_days_was_never_placed(shop, tmp_path):
    (tmp_path / "without").mkdir()
    without = Shop(tmp_path / "without", SqliteHome(tmp_path / "without"))
    for told in (shop, without):
        random_shop(told)
    shop.sells("x", "c1", DAY + 20, 7_000)
    shop.takes_back("x", "c1", DAY + 20, 7_000)
    one, two = scored(shop), scored(without)
    assert one.population == two.population
    assert one.models == two.models
    assert one.index.total.tolist() == two.index.total.tolist()


def test_a_refund_larger_than_its_order_leaves_a_debt_and_no_spend_to_learn_from(shop):
    sold = random_shop(shop)
    name = next(name for name in sold if len(sold[name]) == 2 and sold[name][0][1] != sold[name][1][1])
    number, day, amount = sold[name][1]
    spenders = scored(shop).models.spending.n
    shop.refunds(number, name, day, amount + 20_000)
    found = scored(shop)
    place = found.place[f"customer-{customer_id(name)}"]
    assert found.bought.net[place] < 0
    assert found.models.spending.n == spenders - 1
    assert found.value is None or found.value[place] >= 0


def test_what_happens_in_the_future_does_not_count_yet(shop):
    random_shop(shop)
    before = scored(shop)
    shop.sells("future", "c1", AS_OF + 1, 500)
    now = scored(shop)
    assert now.population == before.population
    assert now.models == before.models
    assert scored(shop, AS_OF + 1).bought.orders.sum() == before.bought.orders.sum() + 1


def test_a_base_of_one_time_buyers_gets_scores_and_no_models(shop):
    for number in range(50):
        shop.knows(f"c{number}", f"shop:{number}")
        shop.sells(str(number), f"c{number}", DAY + number, 100 + number)
    found = scored(shop)
    assert found.models.mbg.verdict is found.models.waiting.verdict is Verdict.DECLINED
    assert found.active is found.value is found.lapse is None
    assert found.population.ranking.n == 50
    subject = f"customer-{customer_id('c3')}"
    with pytest.raises(Refused, match="not enough data"):
        explain(found, subject, Score.ACTIVE)
    assert explain(found, subject, Score.INDEX).value == pytest.approx(found.index.total[found.place[subject]])
    assert portfolio(found)["lifetime"] is None


@pytest.mark.parametrize("customers", [0, 1])
def test_a_base_of_nobody_or_one_has_an_answer_to_everything(shop, customers):
    for number in range(customers):
        shop.knows(f"c{number}", f"shop:{number}")
        shop.sells(str(number), f"c{number}", DAY, 100)
    with shop.read() as db:
        within = scope(db, Question(AS_OF))
        found = scoring(db, within)
        assert portfolio(found)["n"] == movement(found.histories, DAY + 1, AS_OF).n == customers
        assert len(cohorts(found.histories, AS_OF).rows) == customers
        assert survival(found.histories, AS_OF).median is None
        assert replenishment(db, within).due == ()
        assert timing(db, within).intervals.n == 0


def test_all_score_columns_fit_the_customers(shop):
    random_shop(shop, customers=200, seed=5)
    found = scored(shop)
    n = len(found.bought.who)
    assert found.models.mbg.verdict is Verdict.FITTED
    for column in (found.active, found.expected, found.value, found.lapse, found.index.total, found.segments):
        assert column is not None
        assert len(column) == n
    assert np.all((found.active >= 0) & (found.active <= 1))


def test_models_are_renewed_once_a_fiftieth_has_changed(shop):
    random_shop(shop, customers=200, seed=5)
    answers = Kept()

    def answered():
        with shop.read() as db:
            return answers.renewed(db, scoring, scope(db, Question(AS_OF)))

    first = answered()
    shop.sells("one more", "c1", DAY + 310, 500)
    second = answered()
    assert second.models is first.models
    assert second.bought.orders.sum() == first.bought.orders.sum() + 1
    for number in range(200, 206):
        shop.knows(f"c{number}", f"shop:{number}")
        shop.sells(str(number), f"c{number}", DAY + 300, 500)
    third = answered()
    assert third.models is not first.models
    assert third.models.n == first.models.n + 6


def test_every_score_opens(shop):
    random_shop(shop, customers=200, seed=5)
    found = scored(shop)
    subject = found.histories.customers[found.bought.who[7]]
    for score in Score:
        opened = explain(found, subject, score)
        assert opened.definition
        assert opened.inputs["purchase_days"] == found.bought.days[7]
        assert opened.population["n"] > 0
    index = explain(found, subject, Score.INDEX)
    assert sum(points for _, points in index.contributions) == pytest.approx(index.value)
    assert explain(found, subject, Score.VALUE).model == "mbg_nbd-2011-01-26 (ad hoc), gamma_gamma-2011-01-26 (ad hoc)"


def test_the_events_behind_a_figure_are_those_of_everybody_it_counts(shop):
    shop.knows("ana", "shop:1")
    shop.knows("anna", "erp:9")
    shop.sells("1", "ana", DAY, 100)
    shop.sells("2", "anna", DAY + 5, 200)
    shop.refunds("2", "anna", DAY + 5, 50)
    shop.credits("N", "ana", DAY + 9, 30)
    shop.takes_back("1", "ana", DAY, 100)
    customers = [f"customer-{customer_id(name)}" for name in ("ana", "anna")]
    with shop.histories.fold(evidence.family).read() as db:
        found = evidence.behind(db, customers, AS_OF, "GBP")
        assert [(fact.kind, fact.amount_minor) for fact in found] == [
            ("credited", -30),
            ("refunded", -50),
            ("placed", 200),
            ("cancelled", -100),
            ("placed", 100),
        ]
        assert evidence.behind(db, customers, AS_OF, "EUR") == []


def test_products_are_due_by_their_own_rhythm(shop):
    rng = random.Random(2)
    for number in range(40):
        shop.knows(f"c{number}", f"shop:{number}")
        day, every = DAY, rng.randint(10, 40)
        for order in range(6):
            shop.sells(f"{number}-{order}", f"c{number}", day, 100, 200)
            day += every + rng.randint(-2, 2)
    with shop.read() as db:
        within = scope(db, Question(DAY + 120))
        names = {parts(name) for name in repeat_histories(db, within).customers}
        assert len(names) == 80
        assert {code for _, _, code in names} == {"P1", "P2"}
        found = replenishment(db, within)
    assert found.timing.verdict is Verdict.FITTED
    assert found.due
    assert [each.chance for each in found.due] == sorted((each.chance for each in found.due), reverse=True)
    assert all(each.chance >= 0.35 and each.intervals >= 2 and each.last <= DAY + 120 for each in found.due)


def test_a_product_bought_once_is_left_out_unless_two_who_were_merged_bought_it(shop):
    for name, day in (("ana", 0), ("anna", 6), ("bo", 0), ("cy", 1)):
        shop.knows(name, f"shop:{name}")
        shop.sells(name, name, DAY + day, 100, 200)
    shop.sells("again", "bo", DAY + 9, 100)
    shop.sells("gone", "cy", DAY + 5, 100)
    shop.takes_back("gone", "cy", DAY + 5, 100)
    shop.merges("anna", into="ana")

    def found(**question):
        with shop.read() as db:
            some = repeat_histories(db, scope(db, Question(AS_OF, **question)))
        whose, lengths = some.intervals
        return sorted((*parts(some.customers[who])[1:], length) for who, length in zip(whose, lengths, strict=True))

    assert found() == [("shop", "P1", 6), ("shop", "P1", 9), ("shop", "P2", 6)]
    assert found(source="shop") == found()


def test_a_category_is_bought_when_any_of_its_products_is(shop):
    shop.knows("ana", "shop:1")
    for number, (day, amounts) in enumerate([(0, (100, 200)), (4, (100,)), (10, (100, 200, 300))]):
        shop.sells(str(number), "ana", DAY + day, *amounts)
    shop.sells("late", "ana", DAY + 30, 0, 0, 50)
    for code, category in (("P1", "cups"), ("P3", "bowls"), ("P2", "cups"), ("P2", None)):
        shop.puts(code, category)
    with shop.read() as db:
        within = scope(db, Question(AS_OF))
        assert every_category(db, 9) == ["bowls", "cups"]
        assert members(db, "cups") == {("shop", "P1")}

        def days(category):
            some = product_histories(db, within, category=category)
            return (some.day[some.purchases] - DAY).tolist()

        assert days("cups") == [0, 4, 10, 30]
        assert days("bowls") == [10, 30]
        assert days("plates") == []
        shop.puts("P3", "cups")
    with shop.read() as db:
        assert product_histories(db, within, category="cups").bought.days.tolist() == [4]
        assert product_histories(db, within, category="bowls").customers == ()


def test_the_rows_of_a_migration_are_the_customers_of_the_first_day(shop):
    random_shop(shop, customers=80)
    with shop.read() as db:
        some = histories(db, scope(db, Question(AS_OF)))
        then = population(db, scope(db, Question(DAY + 150)))
        now = population(db, scope(db, Question(AS_OF)))
    moved = movement(some, DAY + 150, AS_OF)
    assert {name: sum(row.values()) for name, row in moved.moves.items()} == then.customers
    arrived = {name: moved.born[name] + sum(row[name] for row in moved.moves.values()) for name in then.customers}
    assert arrived == now.customers
