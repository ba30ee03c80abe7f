"""Files of products with their categories."""

import pytest

from services.commands.formats.products import product_baskets, product_csv
from services.commands.formats.records import BadFile


def read(tmp_path, opened, text):
    path = tmp_path / "products.csv"
    path.write_text(text, encoding="utf-8")
    with opened(path) as file:
        batches = list(file.batches())
    products = [(each["code"], each["name"], each["category"]) for batch in batches for each in batch.items]
    return products, [(reject.row, reject.reason) for batch in batches for reject in batch.rejects]


def test_a_plain_list_needs_codes_and_may_have_categories(tmp_path):
    products, rejects = read(tmp_path, product_csv, "name,code,category\nRed mug,MUG,Mugs\n,BOWL, \nNobody,,\n")
    assert products == [("MUG", "Red mug", "Mugs"), ("BOWL", "BOWL", None)]
    assert rejects == [(4, "code: empty")]
    assert read(tmp_path, product_csv, "code,name\nMUG,Red mug\n")[0] == [("MUG", "Red mug", None)]


def test_a_journey_names_products_by_their_type_and_falls_back_on_the_department(tmp_path):
    text = (
        "product_id,manufacturer_id,department,brand,product_category,product_type,package_size\n"
        "25671,2,GROCERY,National,FRZN ICE,ICE - CRUSHED/CUBED,22 LB\n"
        "26081,2,MISCELLANEOUS,National,,,\n"
        "26093,2,,National,,,\n"
    )
    assert read(tmp_path, product_baskets, text)[0] == [
        ("25671", "ICE - CRUSHED/CUBED", "FRZN ICE"),
        ("26081", "MISCELLANEOUS", "MISCELLANEOUS"),
        ("26093", "26093", None),
    ]


def test_a_file_without_its_columns_is_refused(tmp_path):
    with pytest.raises(BadFile, match="missing column name"):
        read(tmp_path, product_csv, "code,category\nMUG,Mugs\n")
