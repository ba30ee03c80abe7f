"""What a close says, given what was bought and what the log says already."""

from uuid import UUID

import pytest

from services.analytics.buying import Buying
from services.analytics.day_close import Said, Stay, dues, lapses, moves
from services.analytics.events import CustomerAtRisk, Grade, PurchaseDue, SegmentEntered, SegmentLeft
from services.analytics.histories import Histories
from services.analytics.stand import Stand, id_of, subject_of
from services.analytics.waiting import Waiting

DAY = 20_000
BUYING = Buying(0.524843, 6.183086, 0.891359, 1.614002)
WAITING = Waiting(1.7, 2.2, 60.0)


def subject(number):
    return subject_of(UUID(int=number))


def stand(bought, day=DAY):
    """A stand from {customer: {days ago: pounds}}."""
    rows = [
        (subject(number), DAY - ago, 1, 100 * pounds, 0) for number, on in bought.items() for ago, pounds in on.items()
    ]
    customers, *columns = zip(*rows, strict=True) if rows else ([], (), (), (), ())
    return Stand(day, "GBP", Histories.of(list(customers), tuple(columns)).until(day))


BASE = {number: dict.fromkeys(range(number * 10, number * 10 + 5 * number, 5), 10) for number in range(1, 11)}


def test_whom_the_log_does_not_know_enters_a_segment_for_the_first_time():
    events = list(moves(stand(BASE), Said(), ()))
    assert [type(event) for event in events] == [SegmentEntered] * 10
    assert [event.segment for event in events] == stand(BASE).segments
    assert {event.previous for event in events} == {None}


def test_whoever_stands_where_the_log_says_is_not_mentioned():
    said = Said().after(moves(stand(BASE), Said(), ()))
    assert list(moves(stand(BASE), said, ())) == []


def test_who_moved_leaves_one_segment_and_enters_another_for_the_same_reasons():
    said = Said().after(moves(stand(BASE), Said(), ()))
    richer = {**BASE, 10: {**BASE[10], 0: 500}}
    about = [event for event in moves(stand(richer), said, ()) if event.customer_id == UUID(int=10)]
    left, entered = about
    assert isinstance(left, SegmentLeft)
    assert isinstance(entered, SegmentEntered)
    assert (left.segment, left.following, left.cause) == (entered.previous, entered.segment, "moved")
    assert left.grades == entered.grades
    assert entered.grades.among == 10
    assert entered.grades.recency == Grade(value=0, score=5, takes=10)
    assert entered.grades.money.value == 60_000


@pytest.mark.parametrize(("absorbed", "cause"), [((), "no purchases"), ([subject(7)], "absorbed")])
def test_who_is_gone_leaves_for_nowhere(absorbed, cause):
    said = Said(stays={subject(7): Stay("loyal", DAY - 3)})
    (left,) = moves(stand({}), said, absorbed)
    assert (left.customer_id, left.segment, left.since) == (UUID(int=7), "loyal", DAY - 3)
    assert (left.following, left.cause, left.grades) == (None, cause, None)


def test_a_close_that_was_cut_short_between_leaving_and_entering_only_enters():
    here = stand(BASE)
    said = Said().after(moves(here, Said(), ()))
    said.stays[subject(4)] = Stay("dormant", DAY - 9)
    whole = list(moves(here, said, ()))
    assert [type(event) for event in whole] == [SegmentLeft, SegmentEntered]
    assert list(moves(here, said.after(whole[:1]), ())) == whole[1:]
    assert list(moves(here, said.after(whole), ())) == []


def test_somebody_at_risk_is_named_with_all_that_the_chance_rests_on():
    here = stand({1: {300: 10, 298: 10}, 2: {30: 10, 20: 10, 10: 10, 0: 10}})
    (event,) = lapses(here, Said(), BUYING, 90, "mbg_nbd-2024-10-04")
    assert (event.customer_id, event.first_day, event.last_day, event.purchase_days) == (
        UUID(int=1),
        DAY - 300,
        DAY - 298,
        2,
    )
    assert event.probability >= event.threshold == 0.7
    assert (event.horizon_days, event.model) == (90, "mbg_nbd-2024-10-04")


def test_a_risk_is_said_once_until_the_next_purchase():
    gone = {300: 10, 298: 10}
    said = Said().after(lapses(stand({1: gone}), Said(), BUYING, 90, "m"))
    assert list(lapses(stand({1: gone}), said, BUYING, 90, "m")) == []
    again = stand({1: {**gone, 200: 10}})
    assert [event.last_day for event in lapses(again, said, BUYING, 90, "m")] == [DAY - 200]


def test_a_purchase_is_due_from_the_middle_of_its_window_to_the_end():
    due = WAITING.due(DAY, 3, 90, DAY)
    when = [
        event.day
        for day in range(DAY, DAY + 120)
        for event in dues(stand({1: {90: 1, 60: 1, 30: 1, 0: 1}}, day), Said(), WAITING, "m")
    ]
    assert when == list(range(due.day, due.latest + 1))


def test_a_due_purchase_says_what_it_rests_on_and_once_in_an_interval():
    here = stand({1: {130: 1, 100: 1, 70: 1, 40: 1}})
    (event,) = dues(here, Said(), WAITING, "gamma_intervals-2024-10-04")
    due = WAITING.due(DAY - 40, 3, 90, DAY)
    assert (event.due_day, event.earliest_day, event.latest_day) == (due.day, due.earliest, due.latest)
    assert (event.last_day, event.intervals, event.interval_days) == (DAY - 40, 3, 90)
    assert event.model == "gamma_intervals-2024-10-04"
    assert list(dues(here, Said().after([event]), WAITING, "m")) == []


def test_nobody_is_reminded_of_what_the_population_alone_suggests():
    assert list(dues(stand({1: {45: 1}}), Said(), WAITING, "m")) == []


def test_nothing_is_said_of_a_base_without_customers():
    nobody = stand({})
    assert list(moves(nobody, Said(), ())) == []
    assert list(lapses(nobody, Said(), BUYING, 90, "m")) == []
    assert list(dues(nobody, Said(), WAITING, "m")) == []
    closed = nobody.closed(())
    assert (closed.customers, set(closed.segments.values())) == (0, {0})


def test_the_figures_of_a_close_are_those_of_its_population():
    here = stand(BASE)
    closed = here.closed(["a", "b"])
    assert closed.customers == sum(closed.segments.values()) == 10
    assert closed.cuts.recency == tuple(here.ranking.cuts["r"])
    assert closed.models == ("a", "b")


def test_what_was_heard_twice_is_known_once():
    here = stand({1: {300: 10, 298: 10}, **{number: on for number, on in BASE.items() if number > 1}})
    events = [*moves(here, Said(), ()), *lapses(here, Said(), BUYING, 90, "m"), *dues(here, Said(), WAITING, "m")]
    assert {type(event) for event in events} == {SegmentEntered, CustomerAtRisk, PurchaseDue}
    assert Said().after(events) == Said().after(events).after(events)


def test_a_subject_and_its_customer_lead_to_each_other():
    assert id_of(subject_of(UUID(int=5))) == UUID(int=5)
