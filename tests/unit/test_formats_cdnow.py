from zoneinfo import ZoneInfo

import pytest

from services.commands.formats.cdnow import CDNOW
from services.commands.formats.orders import Money, OrderFile

UTC = Money(ZoneInfo("UTC"), "USD", 2)


def read(path, money=UTC):
    with OrderFile(path, CDNOW, money) as file:
        rejects = [(reject.row, reject.reason) for some in file.stage() for reject in some]
        orders = [order for batch in file.batches() for order in batch.orders]
        return orders, rejects


def write(tmp_path, *rows):
    path = tmp_path / "cdnow.csv"
    path.write_text("\n".join(["master_id,customer_id,date,quantity,amount", *rows]) + "\n")
    return path


def test_the_nth_row_of_a_customer_on_a_date_is_the_order(tmp_path):
    path = write(
        tmp_path,
        "00004,0001,1997-01-01,2,29.33",
        "00007,0002,1997-01-01,1,0.00",
        "00004,0001,1997-01-18,2,29.73",
        "00004,0001,1997-01-01,2,29.33",
    )
    orders, rejects = read(path)
    numbers = [(order.number, order.customer) for order in orders]
    assert numbers == [
        ("1/1997-01-01/1", "1"),
        ("2/1997-01-01/1", "2"),
        ("1/1997-01-18/1", "1"),
        ("1/1997-01-01/2", "1"),
    ]
    assert rejects == []


def test_a_purchase_is_one_line_of_cds_and_an_amount_of_zero_is_a_purchase(tmp_path):
    orders, _ = read(write(tmp_path, "1,0001,1997-01-01,2,29.33", "1,0001,1997-01-02,1,0.00"))
    assert [order.lines for order in orders] == [
        [{"code": "cd", "description": None, "quantity": 2, "unit_price": None, "amount_minor": 2933}],
        [{"code": "cd", "description": None, "quantity": 1, "unit_price": None, "amount_minor": 0}],
    ]


def test_a_day_begins_at_midnight_of_the_zone(tmp_path):
    path = write(tmp_path, "1,0001,1997-01-01,1,1.00")
    assert read(path)[0][0].moment == "1997-01-01T00:00:00+00:00"
    assert read(path, Money(ZoneInfo("America/New_York"), "USD", 2))[0][0].moment == "1997-01-01T05:00:00+00:00"


def test_mending_a_row_does_not_renumber_the_rows_after_it(tmp_path):
    orders, rejects = read(write(tmp_path, "1,1,1997-01-01,1,oops", "1,1,1997-01-01,1,2.00"))
    assert rejects == [(2, "amount: 'oops' is not a number")]
    assert [order.number for order in orders] == ["1/1997-01-01/2"]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("1,,1997-01-01,1,1.00", "customer_id: no customer"),
        ("1,1,1997-02-30,1,1.00", "date: '1997-02-30' is not a date (YYYY-MM-DD)"),
        ("1,1,1997-01-01,0,1.00", "quantity: 0 is not above 0"),
        ("1,1,1997-01-01,1,-1.00", "amount: -1.00 is below 0"),
    ],
)
def test_a_row_that_cannot_be_imported_says_why(tmp_path, row, reason):
    assert read(write(tmp_path, row)) == ([], [(2, reason)])


@pytest.mark.data
def test_the_sample_comes_out_whole(dataset):
    orders, rejects = read(dataset("cdnow_sample_1of10.csv.gz"))
    assert rejects == []
    assert (len(orders), len({order.customer for order in orders})) == (6_919, 2_357)
    assert len({order.number for order in orders}) == 6_919
