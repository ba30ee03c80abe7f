"""Which customers were absorbed into which, as the directory knows it."""

from __future__ import annotations

from pathlib import Path

import pytest
from histories import Histories
from test_directory import customer_id, placed, registered, tell

from services.contacts import directory, identity, lookup
from services.contacts.events import CustomersMerged, CustomersUnmerged, SubjectErased
from shared.projections.home import Home

A, B, C, D = (customer_id(number) for number in range(1, 5))


@pytest.fixture
def histories(tmp_path: Path, home: Home) -> Histories:
    histories = Histories(tmp_path, home)
    for number, name in enumerate("ABCD", start=1):
        tell(histories, number, registered(number, name, name.lower()))
    return histories


def merged(histories: Histories, absorbed: int, survivor: int) -> None:
    ids = {"customer_id": customer_id(absorbed), "survivor_id": customer_id(survivor)}
    tell(histories, absorbed, CustomersMerged(**ids, reason=None))


def test_who_counts_is_found_through_others(histories: Histories):
    merged(histories, 1, 2)
    merged(histories, 4, 2)
    merged(histories, 2, 3)
    with histories.fold(directory.family).read() as db:
        assert [identity.survivor(db, each) for each in (A, B, C, D)] == [C] * 4
        assert set(identity.absorbed(db, C)) == {A, B, D}
        assert set(identity.absorbed(db, B)) == {A, D}
        assert identity.absorbed(db, A) == []
        assert lookup.find(db, A).version == 1


def test_what_was_taken_back_counts_for_itself(histories: Histories):
    merged(histories, 1, 2)
    tell(histories, 1, CustomersUnmerged(customer_id=A, survivor_id=B))
    with histories.fold(directory.family, page=1).read() as db:
        assert identity.survivor(db, A) == A
        assert identity.absorbed(db, B) == []
        assert lookup.find(db, A).version == 2


def test_a_circle_is_cut_where_it_was_closed(histories: Histories):
    for absorbed, survivor in ((1, 2), (2, 3), (3, 1), (4, 2)):
        merged(histories, absorbed, survivor)
    with histories.fold(directory.family).read() as db:
        assert {identity.survivor(db, each) for each in (A, B, C, D)} == {C}
        assert set(identity.absorbed(db, C)) == {A, B, D}


def test_whoever_was_erased_is_in_no_table(histories: Histories):
    merged(histories, 1, 2)
    histories.happened("order-1", placed(1, 30))
    tell(histories, 1, SubjectErased(customer_id=A, reason=None, absorbed=()))
    with histories.fold(directory.family).read() as db:
        assert lookup.find(db, A) is None
        assert lookup.resolve(db, "cdnow:a") is None
        assert identity.absorbed(db, B) == []
        assert lookup.count(db, "", None) == 3
        assert [entry.name for entry in lookup.page(db, "", None, None, 10).entries] == ["B", "C", "D"]
