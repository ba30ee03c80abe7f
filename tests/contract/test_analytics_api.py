"""The JSON of analytics: the keys that others script on, undefined as null, and what is refused in which words."""

from __future__ import annotations

import pytest
from analytics_shop import NOBODY, open_shop, today


@pytest.fixture
async def shop(tmp_path):
    async with open_shop(tmp_path) as opened:
        yield opened


async def test_a_customer_has_rhythm_standing_and_money(shop):
    ana = await shop.knows("1")
    for day, pounds in (("03-01", 10), ("03-01", 5), ("03-11", 20), ("03-26", 30)):
        await shop.sells(ana, day, pounds)
    found = (await shop.ask("/customers/shop:1", as_of="2010-03-31")).json()
    assert found == {
        "customer": str(ana),
        "as_of": "2010-03-31",
        "currency": "GBP",
        "orders": 4,
        "x": 2,
        "t_x": 25,
        "T": 30,
        "mean": 12.5,
        "median": 12.5,
        "sd": pytest.approx(3.5355, abs=1e-4),
        "next_due": "2010-04-08",
        "r": 1,
        "f": 1,
        "m": 1,
        "segment": "dormant",
        "last": "2010-03-26",
        "gross_minor": 6500,
        "net_minor": 6500,
        "index": 50.0,
        **dict.fromkeys(
            ("regularity", "due", "active", "horizon", "lapse", "expected", "value_minor", "model", "known_at")
        ),
    }
    assert (await shop.ask(f"/customers/{ana}", as_of="2010-03-31")).json() == found


async def test_a_customer_without_orders_has_nulls(shop):
    await shop.knows("1")
    found = (await shop.ask("/customers/shop:1")).json()
    assert (found["orders"], found["x"], found["gross_minor"], found["net_minor"]) == (0, 0, 0, 0)
    undefined = ("t_x", "T", "mean", "median", "sd", "next_due", "r", "f", "m", "segment", "last", "currency")
    assert [found[name] for name in undefined] == [None] * len(undefined)


@pytest.mark.parametrize("reference", ["shop:2", "shopp:1", "ana", str(NOBODY), "shop:"])
async def test_who_is_unknown_is_named(shop, reference):
    await shop.knows("1")
    answer = await shop.ask(f"/customers/{reference}")
    assert answer.status_code == 404
    assert repr(reference) in answer.json()["detail"]


async def test_the_base_of_nobody_is_zero(shop):
    found = (await shop.ask("/base")).json()
    assert found["as_of"] == today().isoformat()
    assert found["currency"] is None
    counts = ("lines", "orders", "customers", "customer_days", "gross_minor", "credit_notes", "credit_minor")
    assert [found[name] for name in counts] == [0] * len(counts)


async def test_scores_of_nobody_are_zero(shop):
    found = (await shop.ask("/rfm")).json()
    assert (found["n"], found["r"], found["f"], found["m"]) == (0, [0] * 5, [0] * 5, [0] * 5)
    assert found["segments"] == dict.fromkeys(("champion", "loyal", "at_risk", "new", "regular", "dormant"), 0)
    assert found["cuts"] == {letter: [None] * 5 for letter in "rfm"}


async def test_intervals_say_how_they_spread(shop):
    for number, gap in enumerate((4, 9, 20), start=1):
        someone = await shop.knows(str(number))
        await shop.sells(someone, "03-01", 10)
        await shop.sells(someone, f"03-{1 + gap:02}", 10)
    found = (await shop.ask("/intervals", as_of="2010-03-31")).json()
    assert found == {
        "n": 3,
        "mean": 11.0,
        "median": 9.0,
        "p90": 20,
        "histogram": [[1, 7, 1], [8, 14, 1], [15, 21, 1]],
        "timing": {"k": None, "r": None, "alpha": None},
        "wheat_k": None,
        "flags": ["not enough data"],
        "backtest": None,
    }
    assert (await shop.ask("/intervals", as_of="2010-03-31", product="P1")).json() == found
    assert (await shop.ask("/intervals", as_of="2010-03-31", product="P2")).json()["n"] == 0
    assert (await shop.ask("/intervals", as_of="2010-03-10")).json()["n"] == 2


async def test_money_in_several_currencies_needs_a_choice(shop):
    ana, bo = await shop.knows("1"), await shop.knows("1", source="us")
    await shop.sells(ana, "03-01", 10)
    await shop.sells(bo, "03-01", 99, currency="USD")
    for path in ("/base", "/rfm"):
        refused = await shop.ask(path)
        assert refused.status_code == 422
        assert refused.json()["errors"][0]["field"] == "currency"
        assert "GBP, USD" in refused.json()["detail"]
        assert (await shop.ask(path, source="us")).is_success
        assert (await shop.ask(path, currency="GBP")).is_success
    assert (await shop.ask("/base", source="us")).json()["gross_minor"] == 9900
    assert (await shop.ask("/base", currency="GBP")).json()["gross_minor"] == 1000
    assert (await shop.ask("/intervals")).is_success
    assert (await shop.ask("/customers/us:1")).json()["currency"] == "USD"


async def test_a_customer_of_several_currencies_needs_a_choice(shop):
    ana = await shop.knows("1")
    await shop.sells(ana, "03-01", 10)
    await shop.sells(ana, "03-05", 30, currency="EUR")
    refused = await shop.ask("/customers/shop:1")
    assert refused.status_code == 422
    assert "EUR, GBP" in refused.json()["detail"]
    assert (await shop.ask("/customers/shop:1", currency="EUR")).json()["gross_minor"] == 3000


async def test_a_source_that_does_not_know_the_customer_is_refused(shop):
    await shop.knows("1")
    await shop.knows("1", source="us")
    answer = await shop.ask("/customers/shop:1", source="us")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "source"


@pytest.mark.parametrize(
    ("name", "value"), [("as_of", "2010-02-30"), ("as_of", "yesterday"), ("currency", "pounds"), ("source", "")]
)
async def test_what_cannot_be_is_refused_by_its_name(shop, name, value):
    answer = await shop.ask("/base", **{name: value})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == name


async def test_a_question_waits_for_what_was_just_written(shop):
    ana = await shop.knows("1")
    outcome = await shop.sells(ana, "03-01", 10)
    assert (await shop.ask("/base", after=shop.token(outcome))).json()["orders"] == 1


@pytest.mark.parametrize("role", ["operator", "privacy_officer"])
async def test_others_than_those_who_work_with_customers_get_no_figures(tmp_path, role):
    async with open_shop(tmp_path, role) as shop:
        for path in ("/base", "/rfm", "/intervals", "/customers/shop:1"):
            assert (await shop.ask(path)).status_code == 403


@pytest.mark.parametrize("path", ["/models", "/portfolio", "/cohorts", "/due", "/intervals"])
@pytest.mark.parametrize("customers", [0, 1])
async def test_what_a_base_of_nobody_or_one_cannot_say_is_null(shop, path, customers):
    for number in range(customers):
        await shop.sells(await shop.knows(str(number)), "03-01", 10)
    answer = await shop.ask(path, as_of="2010-03-31")
    assert answer.status_code == 200
    found = answer.json()
    if path == "/models":
        assert (found["n"], found["mbg_nbd"]["r"], found["backtest"]) == (customers, None, {})
        assert "mbg_nbd: not enough data" in found["flags"]
    if path == "/portfolio":
        assert (found["n"], found["total_minor"], found["lifetime"]) == (customers, 1000 * customers, None)
    if path == "/cohorts":
        assert found == [{"month": "2010-03", "size": 1, "active": [1]}] * customers
    if path == "/due":
        assert found == []


async def test_a_migration_knows_who_came_and_who_stayed(shop):
    for number in range(3):
        someone = await shop.knows(str(number))
        await shop.sells(someone, f"03-0{number + 1}", 10)
    found = (await shop.ask("/migration", **{"from": "2010-03-01", "to": "2010-03-31"})).json()
    assert (found["from"], found["to"], found["n"], found["born"], found["gone"]) == (
        "2010-03-01",
        "2010-03-31",
        1,
        2,
        0,
    )
    assert sum(sum(row.values()) for row in found["matrix"].values()) == 1


@pytest.mark.parametrize(
    ("path", "params", "field"),
    [
        ("/migration", {"from": "2010-03-02", "to": "2010-03-01"}, "from"),
        ("/migration", {"from": "2010-03-02"}, "to"),
        ("/models", {"as_of": "2010-03-02", "holdout_until": "2010-03-02"}, "holdout_until"),
        ("/models", {"unit": "years"}, "unit"),
        ("/intervals", {"as_of": "2010-03-02", "fit_until": "2010-03-02"}, "fit_until"),
        ("/intervals", {"product": "P1", "each_product": "true"}, "product"),
        ("/due", {"limit": "0"}, "limit"),
        ("/explain/charm/shop:1", {}, "score"),
        ("/explain/active/shop:1", {"as_of": "2010-03-31"}, "score"),
        ("/explain/index/shop:1", {"as_of": "2010-02-01"}, "customer"),
    ],
)
async def test_a_question_that_makes_no_sense_is_refused_by_its_field(shop, path, params, field):
    await shop.sells(await shop.knows("1"), "03-01", 10)
    answer = await shop.ask(path, **params)
    assert answer.status_code == 422
    assert [error["field"].rpartition(".")[2] for error in answer.json()["errors"]] == [field]


async def test_a_score_opens_down_to_its_events(shop):
    ana = await shop.knows("1")
    await shop.sells(ana, "03-01", 10)
    await shop.sells(ana, "03-08", 20)
    opened = (await shop.ask("/explain/index/shop:1", as_of="2010-03-31")).json()
    assert opened["value"] == sum(part["points"] for part in opened["contributions"]) == 50
    assert opened["inputs"]["purchase_days"] == len(opened["events"]) == 2
    assert opened["definition"]
