"""What-if over HTTP, at the command line and as a page: both sides of one moment, and nothing is recorded."""

from __future__ import annotations

import html
import json
import re

import pytest
from analytics_shop import open_shop
from fake_rapport import FakeRapport

from services.commands.app import run

DAY = "2010-03-31"
SEGMENTS = ("champion", "loyal", "at_risk", "new", "regular", "dormant")
OFTEN = {"f": {"cuts": [2, 3, 4, 5]}, "m": {"cuts": [2_000, 5_000, 9_000, 12_000]}}


@pytest.fixture
async def shop(tmp_path):
    async with open_shop(tmp_path) as opened:
        yield opened


@pytest.fixture
async def sold(shop):
    """Five customers: the first ordered on one day, the fifth on five, £10 on each, all lately."""
    shop.people = [await shop.knows(str(number)) for number in range(1, 6)]
    for number, who in enumerate(shop.people, start=1):
        for day in range(number):
            await shop.sells(who, f"03-{20 + day}", 10)
    return shop


async def tried(shop, rules, **asked):
    body = {"as_of": DAY, "rules": rules, **asked}
    return await shop.client.post("/analytics/api/v1/what-if", json=body)


async def test_the_rules_that_count_come_back_unchanged_and_change_nothing(sold):
    rules = (await sold.ask("/rules")).json()
    assert rules["r"] == rules["f"] == rules["m"] == {"shares": [20, 40, 60, 80]}
    assert rules["segments"][0] == {"segment": "champion", "r": [4, 5], "s": [4, 5]}
    found = (await tried(sold, rules)).json()
    rfm = (await sold.ask("/rfm", as_of=DAY)).json()
    assert (found["n"], found["changed"], found["rescored"], found["moves"], found["customers"]) == (5, 0, 0, {}, [])
    assert found["before"] == found["after"] == rfm["segments"]
    assert found["cuts"] == {"before": rfm["cuts"], "after": rfm["cuts"]}


async def test_other_rules_say_who_would_move_and_nothing_is_recorded(sold):
    store = sold.embedded.platform.log.store
    head = await store.position()
    answer = await tried(sold, {"f": {"cuts": [9, 10, 11, 12]}}, limit=1)
    found = answer.json()
    assert answer.status_code == 200
    assert await store.position() == head
    assert (found["as_of"], found["currency"], found["n"]) == (DAY, "GBP", 5)
    # Recency and money rank them 1 to 5 as before, frequency gives everybody 1: the mean of f and m is at most 3.
    assert found["moves"] == {"champion": {"regular": 2}}
    assert (found["changed"], found["rescored"]) == (2, 4)
    assert {name: count for name, count in found["before"].items() if count} == {
        "champion": 2, "regular": 1, "dormant": 2
    }  # fmt: skip
    assert sum(found["after"].values()) == 5
    assert found["gross_minor"]["before"]["champion"] == 9_000
    assert found["gross_minor"]["after"]["champion"] == 0
    [first] = found["customers"]
    assert first == {
        "customer": str(sold.people[4]),
        "before": "champion",
        "after": "regular",
        "scores": {"before": [5, 5, 5], "after": [5, 1, 5]},
        "gross_minor": 5_000,
    }
    assert (await sold.ask("/rfm", as_of=DAY)).json()["segments"] == found["before"]


async def test_a_new_segment_is_counted_beside_ours(sold):
    segments = [{"segment": "top", "m": [5, 5]}, {"segment": "rest"}]
    found = (await tried(sold, {"segments": segments})).json()
    assert found["after"] == dict.fromkeys(SEGMENTS, 0) | {"top": 1, "rest": 4}
    assert found["changed"] == 5


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "rules"),
        ({"rules": {"f": {"cuts": [5, 4, 3, 2]}}}, "rules.f"),
        ({"rules": {"r": {"cuts": [1, 2, 3, 4]}}}, "rules.r"),
        ({"rules": {"m": {"shares": [20, 40, 60, 100]}}}, "rules.m.shares[3]"),
        ({"rules": {"segments": [{"segment": "x", "r": [2, 5]}]}}, "rules.segments"),
        ({"rules": {"points": {}}}, "rules.points"),
        ({"rules": {}, "as_of": "2010-02-30"}, "as_of"),
        ({"rules": {}, "limit": 1001}, "limit"),
        ({"rules": {}, "source": "nobody"}, "source"),
    ],
)
async def test_what_is_wrong_is_named(shop, body, field):
    answer = await shop.client.post("/analytics/api/v1/what-if", json=body)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


async def test_several_currencies_and_none_chosen_are_refused(sold):
    await sold.sells(sold.people[0], "03-05", 10, currency="USD")
    assert (await tried(sold, {})).json()["errors"][0]["field"] == "currency"
    assert (await tried(sold, {}, currency="USD")).json()["n"] == 1


async def test_of_nobody_there_is_nothing_to_say(shop):
    found = (await tried(shop, OFTEN)).json()
    assert (found["n"], found["changed"], found["customers"]) == (0, 0, [])


def text_of(page):
    return html.unescape(re.sub(r"<[^>]+>|\s+", " ", page.text))


async def test_the_page_shows_the_form_first_and_loyalty_leads_to_it(sold):
    [link] = re.findall(r'href="(/analytics/what-if[^"]*)"', (await sold.see("/loyalty", as_of=DAY)).text)
    page = await sold.client.get(html.unescape(link), headers={"Accept": "text/html"})
    assert "These are the rules that count" in text_of(page)
    assert re.findall(r'name="f(\d)" type="text" value="(\d+)"', page.text) == [
        ("2", "20"), ("3", "40"), ("4", "60"), ("5", "80")
    ]  # fmt: skip


async def test_who_may_not_try_rules_is_not_led_there(tmp_path):
    async with open_shop(tmp_path / "other", role="specialist") as other:
        await other.sells(await other.knows("1"), "03-20", 10)
        page = await other.see("/loyalty", as_of=DAY)
        assert page.status_code == 200
        assert "/what-if" not in page.text
        assert (await other.see("/what-if")).status_code == 403
        assert (await tried(other, {})).status_code == 403
        assert (await other.ask("/rules")).status_code == 200


async def test_the_page_says_as_much_as_the_api_and_leads_to_the_scores(sold):
    cuts = {f"f{score}": str(7 + score) for score in range(2, 6)}
    page = await sold.see("/what-if", as_of=DAY, f_by="cuts", **cuts)
    assert "2 of 5 customers would stand in another segment" in text_of(page)
    assert text_of(page).count("why") == 2
    assert f'href="/analytics/customers/{sold.people[4]}?' in page.text
    [flow] = {html.unescape(link) for link in re.findall(r'href="([^"]*was=champion[^"]*)"', page.text)}
    opened = await sold.client.get(flow, headers={"Accept": "text/html"})
    assert "From Champion to Regular" in text_of(opened)
    assert "2 of 2 shown" in text_of(opened)


async def test_money_is_typed_as_people_write_it(sold):
    page = await sold.see("/what-if", as_of=DAY, m_by="cuts", m2="1", m3="2,50", m4="3.75", m5="1000")
    assert "would stand in another segment" in text_of(page)


async def test_what_was_typed_wrong_is_said_beside_it_and_not_lost(sold):
    for typed in ("", "x", "-1", "1e9", "9" * 400, "<b>", "60", "3.5", "٣"):
        page = await sold.see("/what-if", as_of=DAY, r_by="cuts", r2="60", r3=typed, r4="20", r5="10")
        assert page.status_code == 200
        assert "each smaller than the one before" in text_of(page)
        assert f'value="{html.escape(typed[:16])}"' in page.text
        assert "would stand" not in page.text


@pytest.fixture
def rapport_run(tmp_path, monkeypatch, capsys):
    fake = FakeRapport()
    for name in ("RAPPORT_URL", "RAPPORT_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RAPPORT_DATA", str(tmp_path))

    def run_it(*arguments):
        code = run(["analytics", *map(str, arguments)], fake.composition())
        return code, *capsys.readouterr()

    run_it.fake = fake
    return run_it


def test_a_file_of_rules_is_tried_and_told(rapport_run, tmp_path):
    rules = tmp_path / "rules.json"
    rules.write_text(json.dumps(OFTEN))
    code, out, err = rapport_run("what-if", rules, "--as-of", DAY, "--currency", "GBP", "--json")
    assert (code, err, json.loads(out)["changed"]) == (0, "", 2)
    [(method, path, _, body)] = rapport_run.fake.requests
    assert (method, path) == ("POST", "/analytics/api/v1/what-if")
    assert body == {"as_of": DAY, "currency": "GBP", "rules": OFTEN, "limit": 100}
    _, out, _ = rapport_run("what-if", rules)
    assert "2 of 5 customers would stand in another segment" in out
    assert "5 / 1 / 5" in out


def test_the_rules_are_shown_to_people_and_to_scripts(rapport_run):
    assert json.loads(rapport_run("rules", "--json")[1])["f"] == {"shares": [20, 40, 60, 80]}
    out = rapport_run("rules")[1]
    assert "20, 40, 60, 80 % of customers worse" in out
    assert "4 to 5" in out


@pytest.mark.parametrize(("content", "said"), [(None, "cannot read"), ("{", "is not JSON"), (b"\xff", "is not JSON")])
def test_a_file_that_holds_no_rules_is_named(rapport_run, tmp_path, content, said):
    rules = tmp_path / "rules.json"
    if content is not None:
        rules.write_bytes(content if isinstance(content, bytes) else content.encode())
    code, out, err = rapport_run("what-if", rules)
    assert (code, out) == (2, "")
    assert err.startswith("rapport: RULES.json: ")
    assert said in err
