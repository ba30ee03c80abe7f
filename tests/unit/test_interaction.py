"""The rules of interactions."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from pydantic import ValidationError

from services.interactions.events import InteractionCorrected, InteractionRecorded
from services.interactions.interaction import CorrectInteraction, RecordInteraction, interaction
from shared.testing import NOW, Spec

ANA = UUID("00000000-0000-4000-8000-000000000001")
CALL = UUID("00000000-0000-4000-8000-000000000002")
RECORDED = InteractionRecorded(
    customer_id=ANA,
    interaction_id=CALL,
    kind="phone_call",
    direction="inbound",
    business_day=20514,
    summary="Asked for delivery before the 15th.",
    handler="jdewit",
    duration_minutes=6,
)


def record(**changes: Any) -> RecordInteraction:
    given = RECORDED.model_dump(exclude={"business_day"})
    return RecordInteraction(**{**given, **changes})


def corrected(**changes: Any) -> InteractionCorrected:
    told = RECORDED.model_dump(exclude={"business_day", "handler"})
    return InteractionCorrected(**{**told, "reason": "misheard", **changes})


def test_a_contact_is_recorded_on_its_business_day():
    Spec(interaction).when(record()).then(RECORDED)
    late = record(occurred_at=NOW.replace(day=1, hour=23, minute=30))
    Spec(interaction).when(late).then(RECORDED)  # half past midnight in Amsterdam


def test_it_can_be_recorded_only_once():
    Spec(interaction).given(RECORDED).when(record()).refused(kind="conflict", field="interaction_id")


@pytest.mark.parametrize(("ahead", "allowed"), [(timedelta(minutes=5), True), (timedelta(minutes=5, seconds=1), False)])
def test_it_cannot_lie_in_the_future_but_clocks_may_differ(ahead: timedelta, allowed: bool):
    spec = Spec(interaction).when(record(occurred_at=NOW + ahead))
    if allowed:
        spec.then(RECORDED)
    else:
        spec.refused(field="occurred_at")


@pytest.mark.parametrize(
    ("field", "value"),
    [("kind", "telepathy"), ("direction", "sideways"), ("summary", " "), ("duration_minutes", 1441), ("handler", "")],
)
def test_it_refuses_what_is_no_such_thing(field: str, value: Any):
    with pytest.raises(ValidationError) as caught:
        record(**{field: value})
    assert [error["loc"] for error in caught.value.errors()] == [(field,)]


def test_a_correction_says_all_as_it_is_right():
    command = CorrectInteraction(summary="Asked for delivery before the 5th.", reason="misheard")
    Spec(interaction).given(RECORDED).when(command).then(corrected(summary="Asked for delivery before the 5th."))


def test_a_correction_that_changes_nothing_is_none():
    command = CorrectInteraction(kind="phone_call", reason="looked again")
    Spec(interaction).given(RECORDED).when(command).then()


def test_a_second_correction_builds_on_the_first():
    first = corrected(kind="video_conference", summary="On video.")
    command = CorrectInteraction(direction="outbound", duration_minutes=0, reason="we called")
    Spec(interaction).given(RECORDED, first).when(command).then(
        corrected(
            kind="video_conference",
            summary="On video.",
            direction="outbound",
            duration_minutes=0,
            reason="we called",
        )
    )


def test_what_was_never_recorded_cannot_be_corrected():
    Spec(interaction).when(CorrectInteraction(kind="sms", reason="typo")).refused(kind="missing")
    assert interaction.evolve(interaction.initial, corrected()) == interaction.initial
