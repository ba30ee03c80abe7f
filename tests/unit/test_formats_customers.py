import pytest

from services.commands.formats.customers import CustomerCsv
from services.commands.formats.records import BadFile
from services.commands.formats.vcard import CustomerVcards

CARD = """BEGIN:VCARD
VERSION:{version}
{fields}
END:VCARD
"""


def read(opened):
    with opened as file:
        batches = list(file.batches())
    customers = [customer for batch in batches for customer in batch.items]
    assert len(customers) == sum(len(batch.rows) for batch in batches)
    return customers, [(reject.row, reject.reason) for batch in batches for reject in batch.rejects]


def read_csv(tmp_path, text):
    path = tmp_path / "customers.csv"
    path.write_text(text, encoding="utf-8")
    return read(CustomerCsv(path))


def read_card(tmp_path, fields, version="4.0"):
    return read_cards(tmp_path, CARD.format(version=version, fields=fields))


def read_cards(tmp_path, text):
    path = tmp_path / "cards.vcf"
    path.write_text(text, encoding="utf-8", newline="\r\n")
    return read(CustomerVcards(path))


def test_only_the_outside_id_is_required(tmp_path):
    customers, rejects = read_csv(tmp_path, "outside_id,note\n0042,hello\n")
    nothing = {"kind": None, "name": None, "country": None, "email": None, "phone": None}
    assert customers == [{"outside_id": "42", **nothing}]
    assert rejects == []


def test_a_full_row_is_a_full_customer(tmp_path):
    header = "name,outside_id,kind,country,email,phone"
    row = "Ada Lovelace,x-1,Individual,united kingdom,ada@example.org,+44 20 79"
    assert read_csv(tmp_path, f"{header}\n{row}\n")[0] == [
        {
            "outside_id": "x-1",
            "kind": "individual",
            "name": "Ada Lovelace",
            "country": "GB",
            "email": "ada@example.org",
            "phone": "+44 20 79",
        }
    ]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (",,", "outside_id: empty"),
        ("1,robot,", "kind: 'robot' is not one of individual, organisation, household"),
        ("1,,Atlantis", "country: 'Atlantis' is not a country; write its two letters of ISO 3166"),
    ],
)
def test_a_row_that_cannot_be_imported_says_why(tmp_path, row, reason):
    assert read_csv(tmp_path, f"outside_id,kind,country\n{row}\n2,,NL\n")[1] == [(2, reason)]


def test_a_file_without_outside_ids_is_refused(tmp_path):
    with pytest.raises(BadFile, match="missing column outside_id; the header has: name"):
        read_csv(tmp_path, "name\nAda\n")


def test_customers_come_five_hundred_at_a_time(tmp_path):
    path = tmp_path / "many.csv"
    path.write_text("outside_id\n" + "".join(f"c{n}\n" for n in range(1_001)))
    with CustomerCsv(path) as file:
        assert [len(batch) for batch in file.batches()] == [500, 500, 1]


@pytest.mark.parametrize("version", ["3.0", "4.0"])
def test_a_card_is_a_customer_with_its_contact_points(tmp_path, version):
    fields = (
        "UID:urn:uuid:4fbe\nN:Lovelace;Ada;;;\nFN:Ada Lovelace\nitem1.EMAIL;TYPE=work:ada@example.org\n"
        "TEL;TYPE=cell:+44 20 7946 0000\nADR;TYPE=home:;;1 Street;London;;SW1;United Kingdom\nNOTE:long\n  folded"
    )
    assert read_card(tmp_path, fields, version) == (
        [
            {
                "outside_id": "urn:uuid:4fbe",
                "kind": "individual",
                "name": "Ada Lovelace",
                "country": "GB",
                "email": "ada@example.org",
                "phone": "+44 20 7946 0000",
            }
        ],
        [],
    )


def test_a_number_written_as_an_address_is_a_number(tmp_path):
    [customer], _ = read_card(tmp_path, "UID:1\nFN:Ada\nTEL;VALUE=uri:tel:+44-20-7946-0000")
    assert customer["phone"] == "+44-20-7946-0000"


@pytest.mark.parametrize(
    ("fields", "kind", "name"),
    [
        ("UID:1\nKIND:org\nFN:Analytical Engines", "organisation", "Analytical Engines"),
        ("UID:1\nORG:Analytical Engines;R&D\nN:;;;;", "organisation", "Analytical Engines"),
        (
            "UID:1\nORG:Analytical Engines\nFN:Analytical Engines\nN:Engines;Analytical;;;",
            "organisation",
            "Analytical Engines",
        ),
        ("UID:1\nORG:Analytical Engines\nFN:Ada Lovelace\nN:Lovelace;Ada;;;", "individual", "Ada Lovelace"),
        ("UID:1\nKIND:group\nFN:The Byrons", "household", "The Byrons"),
        ("UID:1\nN:Lovelace;Ada;;;", "individual", "Ada Lovelace"),
        ("UID:1", None, None),
    ],
)
def test_a_card_of_an_organisation_is_not_taken_for_a_person_who_works_there(tmp_path, fields, kind, name):
    [customer], rejects = read_card(tmp_path, fields)
    assert (customer["kind"], customer["name"], rejects) == (kind, name, [])


def test_a_card_without_uid_is_the_same_customer_every_time_but_not_another(tmp_path):
    ids = [read_card(tmp_path, fields)[0][0]["outside_id"] for fields in ("FN:Ada", "FN:Ada", "FN:Ada\nTEL:+44 20")]
    assert ids[0] == ids[1] != ids[2]
    assert "Ada" not in ids[0]


def test_a_card_that_does_not_read_is_rejected_and_the_next_one_is_imported(tmp_path):
    text = CARD.format(version="4.0", fields="this is no property") + "\n" + CARD.format(version="4.0", fields="FN:Ada")
    [customer], [(row, reason)] = read_cards(tmp_path, text)
    assert customer["name"] == "Ada"
    assert (row, reason.startswith("card: ")) == (1, True)


def test_a_card_without_uid_and_name_is_rejected(tmp_path):
    assert read_card(tmp_path, "NOTE:nobody") == ([], [(1, "card: neither UID nor FN nor N")])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("outside_id\n1\n", "row 1 does not begin with BEGIN:VCARD"),
        ("BEGIN:VCARD\nFN:Ada\n", "row 1 has no END:VCARD"),
    ],
)
def test_a_file_that_holds_no_cards_is_refused(tmp_path, text, reason):
    with pytest.raises(BadFile, match=reason):
        read_cards(tmp_path, text)


def test_a_card_without_end_is_refused_before_it_fills_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr("services.commands.formats.vcard.MAX_CARD", 100)
    with pytest.raises(BadFile, match="row 1 is longer than 100 characters"):
        read_card(tmp_path, "NOTE:" + "x" * 200)
