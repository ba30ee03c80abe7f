"""Closed days against what they would say by now."""

from test_day_close import BASE, DAY, stand, subject

from services.analytics.revising import Earlier, Moved, Revised, revisions
from services.analytics.stand import id_of


def earlier(bought, days, **more):
    """What was said when this had been bought; nobody moved since."""
    here = stand(bought, days[0])
    segments = dict(zip(here.customers, here.segments, strict=True))
    return Earlier(days=days, segments=segments, moves=(), **{"revised": (), **more})


def steady(days):
    """Days on which the base stood as it does on the last of them."""
    return [day for day in days if stand(BASE, day).segments == stand(BASE, days[0]).segments]


DAYS = steady([DAY - 1, DAY - 2, DAY - 3])


def found(bought, said):
    return list(revisions(stand(bought).histories, said, DAY, "GBP"))


def test_days_that_would_say_the_same_are_not_mentioned():
    assert len(DAYS) == 3
    assert found(BASE, earlier(BASE, DAYS)) == []


def test_a_late_order_revises_the_days_from_its_own_on():
    late = {**BASE, 10: {**BASE[10], 2: 900}}
    about = [event for event in found(late, earlier(BASE, DAYS)) if event.customer_id == id_of(subject(10))]
    (event,) = about
    old = stand(BASE, DAY - 2)
    new = stand(late, DAY - 2)
    assert (event.as_of, event.until, event.day) == (DAY - 2, DAY - 1, DAY)
    assert event.old == old.segments[old.rows[subject(10)]]
    assert event.new == new.segments[new.rows[subject(10)]]
    assert event.grades == new.grades(new.rows[subject(10)])


def test_what_was_revised_is_not_revised_again():
    late = {**BASE, 10: {**BASE[10], 2: 900}}
    said = earlier(BASE, DAYS)
    events = found(late, said)
    revised = [Revised(subject(event.customer_id.int), event.as_of, event.until, event.new) for event in events]
    assert found(late, earlier(BASE, DAYS, revised=revised)) == []


def test_who_has_no_purchase_left_stood_nowhere():
    without = {number: on for number, on in BASE.items() if number != 3}
    about = [event for event in found(without, earlier(BASE, DAYS)) if event.customer_id == id_of(subject(3))]
    assert [(event.as_of, event.until, event.new, event.grades) for event in about] == [(DAY - 3, DAY - 1, None, None)]


def test_of_whom_nothing_was_said_there_is_nothing_to_revise():
    fewer = {number: on for number, on in BASE.items() if number != 3}
    assert id_of(subject(3)) not in {event.customer_id for event in found(BASE, earlier(fewer, DAYS))}


def test_what_was_said_of_a_day_is_what_later_moves_lead_back_to():
    here = stand(BASE, DAY - 1)
    segments = dict(zip(here.customers, here.segments, strict=True))
    truth = segments[subject(3)]
    other = "champion" if truth != "champion" else "dormant"
    segments[subject(3)] = other
    moved = [Moved(DAY, subject(3), truth)]
    assert found(BASE, Earlier(DAYS, segments, moved, ())) == []
    twice = [Moved(DAY - 1, subject(3), other), Moved(DAY - 1, subject(3), truth)]
    (event,) = found(BASE, Earlier(DAYS, segments, twice, ()))
    assert (event.as_of, event.until, event.old, event.new) == (DAY - 1, DAY - 1, other, truth)


def test_a_day_in_between_that_was_right_parts_two_revisions():
    said = earlier(BASE, DAYS, revised=[Revised(subject(3), day, day, None) for day in (DAY - 1, DAY - 3)])
    assert found(BASE, said) == []
    wrong = [Revised(subject(3), day, day, "champion") for day in (DAY - 1, DAY - 3)]
    assert stand(BASE).segments[2] != "champion"
    events = found(BASE, earlier(BASE, DAYS, revised=wrong))
    assert [(event.as_of, event.until) for event in events] == [(DAY - 1, DAY - 1), (DAY - 3, DAY - 3)]
