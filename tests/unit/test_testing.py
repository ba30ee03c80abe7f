"""The given/when/then of decider tests notices what it should."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import pytest
from pydantic import AfterValidator

from shared.decider import Command, Decider
from shared.errors import Refused
from shared.events import Event
from shared.testing import Spec


class LampSwitched(Event, type="test.testing.LampSwitched"):
    day: int


class LampDimmed(Event, type="test.testing.LampDimmed"):
    level: Annotated[int, AfterValidator(lambda level: level + 1)]


class SwitchOn(Command):
    pass


class Dim(Command):
    pass


def decide(command: Command, lit: bool) -> Sequence[Event]:
    if isinstance(command, Dim):
        return [LampDimmed(level=1)]
    if lit:
        raise Refused("the lamp is on", field="lamp", kind="conflict")
    return [LampSwitched(day=command.day)]


lamp: Decider[Command, bool] = Decider("lamp", initial=False, decide=decide, evolve=lambda _lit, _event: True)
ON_MONDAY = LampSwitched(day=20514)


def test_events_are_compared_whole():
    Spec(lamp).when(SwitchOn()).then(ON_MONDAY)
    with pytest.raises(AssertionError, match="expected"):
        Spec(lamp).when(SwitchOn()).then(LampSwitched(day=1))


def test_a_command_keeps_the_time_that_it_names():
    earlier = datetime(1970, 1, 2, tzinfo=UTC)
    Spec(lamp).when(SwitchOn(occurred_at=earlier, timezone="UTC")).then(LampSwitched(day=1))


def test_a_refusal_must_be_of_the_named_kind_and_field():
    spec = Spec(lamp).given(ON_MONDAY).when(SwitchOn())
    assert spec.refused(kind="conflict", field="lamp") == "the lamp is on"
    with pytest.raises(AssertionError, match="refused as conflict"):
        spec.refused(kind="missing", field="lamp")
    with pytest.raises(AssertionError, match="refused as conflict"):
        spec.refused(kind="conflict", field="light")


def test_an_expected_refusal_that_does_not_come_fails():
    with pytest.raises(AssertionError, match="expected a refusal"):
        Spec(lamp).when(SwitchOn()).refused()


def test_an_event_that_changes_in_the_store_is_noticed():
    with pytest.raises(AssertionError, match="read back"):
        Spec(lamp).when(Dim()).decided()


def test_a_spec_without_a_command_fails():
    with pytest.raises(AssertionError, match="when"):
        Spec(lamp).given(ON_MONDAY).then()
