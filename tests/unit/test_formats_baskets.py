from collections import Counter
from zoneinfo import ZoneInfo

import pytest

from services.commands.formats.baskets import BASKETS
from services.commands.formats.orders import Money, OrderFile
from services.commands.formats.records import BadFile

HEADER = "household_id,basket_id,ts,product_id,quantity,sales_value,disc,week"
DOLLARS = Money(ZoneInfo("UTC"), "USD", 2)


def line(  # a valid line of which a test spoils one thing
    who="900", basket="31198570044", at="2017-01-01T11:53:26", code="1095275", count="1", value="0.5"
):
    return f"{who},{basket},{at},{code},{count},{value},0.0,1"


def write(tmp_path, *lines, header=HEADER):
    path = tmp_path / "baskets.csv"
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return path


def read(path, money=DOLLARS):
    with OrderFile(path, BASKETS, money) as file:
        rejects = [reject for some in file.stage() for reject in some]
        batches = list(file.batches())
        rejects += [reject for batch in batches for reject in batch.rejects]
        orders = [order for batch in batches for order in batch.orders]
        return orders, [(reject.row, reject.reason) for reject in rejects]


def test_a_basket_is_an_order_of_all_its_lines_wherever_they_stand(tmp_path):
    path = write(tmp_path, line(basket="2", code="A"), line(basket="1", code="B"), line(basket="2", code="C"))
    orders, rejects = read(path)
    assert [(order.number, order.customer, order.rows) for order in orders] == [
        ("2", "900", [2, 4]),
        ("1", "900", [3]),
    ]
    assert [one["code"] for one in orders[0].lines] == ["A", "C"]
    assert (orders[0].moment, rejects) == ("2017-01-01T11:53:26+00:00", [])


def test_the_sales_value_is_the_amount_of_all_pieces(tmp_path):
    [order], _ = read(write(tmp_path, line(count="3", value="4.2")))
    assert order.lines == [
        {"code": "1095275", "description": None, "quantity": 3, "unit_price": None, "amount_minor": 420}
    ]


def test_the_code_of_a_product_is_text_as_the_file_has_it(tmp_path):
    orders, _ = read(write(tmp_path, line(code="00042"), line(code="42"), line(code="a-7B")))
    assert [one["code"] for one in orders[0].lines] == ["00042", "42", "a-7B"]


def test_the_clock_of_the_shop_is_that_of_the_zone(tmp_path):
    [order], _ = read(write(tmp_path, line()), Money(ZoneInfo("America/New_York"), "USD", 2))
    assert order.moment == "2017-01-01T16:53:26+00:00"


@pytest.mark.parametrize(
    ("spoiled", "reason"),
    [
        ({"who": ""}, "household_id: no customer"),
        ({"basket": ""}, "basket_id: empty"),
        ({"code": ""}, "product_id: empty"),
        ({"at": "1"}, "ts: '1' is not a date and time (YYYY-MM-DDTHH:MM:SS)"),
        ({"count": "0"}, "quantity: 0 is not above 0"),
        ({"count": "0", "value": "4.440892e-16"}, "quantity: 0 is not above 0"),
        ({"count": "-1"}, "quantity: -1 is not above 0"),
        ({"count": "one"}, "quantity: 'one' is not a whole number"),
        ({"value": "0.0"}, "sales_value: 0.0 is not above 0"),
        ({"value": "-1.5"}, "sales_value: -1.5 is not above 0"),
        ({"value": "free"}, "sales_value: 'free' is not a number"),
    ],
)
def test_a_line_that_cannot_be_imported_names_its_row_and_the_reason(tmp_path, spoiled, reason):
    orders, rejects = read(write(tmp_path, line(), line(**spoiled), line()))
    assert ([order.rows for order in orders], rejects) == ([[2, 4]], [(3, reason)])


def test_a_line_of_another_household_does_not_join_the_basket(tmp_path):
    [order], rejects = read(write(tmp_path, line(who="900", basket="1"), line(who="901", basket="1")))
    assert order.rows == [2]
    assert rejects == [(3, "household_id: order 1 is of customer 900")]


def test_a_missing_column_refuses_the_file_before_the_first_row(tmp_path):
    with pytest.raises(BadFile, match="missing columns household_id, ts; the header has: basket_id, product_id"):
        read(write(tmp_path, "\xff", header="basket_id,product_id,quantity,sales_value"))


@pytest.mark.data
@pytest.mark.long
def test_the_complete_journey_comes_out_exactly(dataset):
    reasons, households, products, days = Counter(), set(), set(), set()
    lines = orders = cents = 0
    with OrderFile(dataset("completejourney_transactions_w01_40.csv.gz"), BASKETS, DOLLARS) as file:
        for rejects in file.stage():
            reasons.update(reject.reason.split(":")[0] for reject in rejects)
        for batch in file.batches():
            assert batch.rejects == []
            orders += len(batch.orders)
            for order in batch.orders:
                households.add(order.customer)
                lines += len(order.lines)
                cents += sum(one["amount_minor"] for one in order.lines)
                codes = {one["code"] for one in order.lines}
                products |= codes
                days |= {(order.customer, code, order.moment[:10]) for code in codes}
    assert reasons == {"quantity": 6_499, "sales_value": 1_863}
    assert (lines, orders, len(households), len(products)) == (1_092_812, 116_912, 2_447, 59_470)
    assert (len(days), cents) == (1_089_279, 341_737_983)
