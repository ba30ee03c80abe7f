"""What analytics publishes at the close of a business day: only changes, each with the figures that caused it.

Days are days since 1970-01-01, and money is in the currency's minor unit. Customers are compared within one currency:
an event names it. All that one day brought stands in the stream `day-<date>`, `DayClosed` last.
"""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from shared.events import Event

SegmentName = Literal["champion", "loyal", "at_risk", "new", "regular", "dormant"]
"""Where a customer stands, by recency against frequency and money."""


class Part(BaseModel):
    """A closed part of a payload."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Grade(Part):
    """A figure of a customer, the score from 1 to 5 that it has in the population, and what that score takes."""

    value: int
    score: int
    takes: int


class Grades(Part):
    """What a segment follows from, among so many customers.

    Recency is in days since the last purchase (a score takes at most so many), frequency in purchase days and money in
    minor units (at least so many).
    """

    among: int
    recency: Grade
    frequency: Grade
    money: Grade


class SegmentEntered(Event, type="crm.analytics.SegmentEntered", subject="customer_id"):
    """The customer stands in another segment than when the day before was closed, or in one for the first time."""

    customer_id: UUID
    day: int
    currency: str
    segment: SegmentName
    previous: SegmentName | None
    grades: Grades


class SegmentLeft(Event, type="crm.analytics.SegmentLeft", subject="customer_id"):
    """The customer no longer stands in a segment that it had been in since the close of a day.

    It moved to the following one; or it stands in none, because it was absorbed into another customer, or no purchase
    of it is left.
    """

    customer_id: UUID
    day: int
    currency: str
    segment: SegmentName
    since: int
    following: SegmentName | None
    cause: Literal["moved", "absorbed", "no purchases"]
    grades: Grades | None


class CustomerAtRisk(Event, type="crm.analytics.CustomerAtRisk", subject="customer_id"):
    """The customer will probably not buy within the horizon; said once after each purchase day.

    `probability` is 1 - P(active within `horizon_days`) by the model; from `threshold` on the band is high.
    """

    customer_id: UUID
    day: int
    currency: str
    first_day: int
    last_day: int
    purchase_days: int
    probability: float
    threshold: float
    horizon_days: int
    model: str


class PurchaseDue(Event, type="crm.analytics.PurchaseDue", subject="customer_id"):
    """The day has come on which the customer's next purchase is as likely to be late as early; once per interval.

    Eight of ten such purchases come from `earliest_day` to `latest_day`. It rests on so many intervals of the customer,
    together so many days, and on the model.
    """

    customer_id: UUID
    day: int
    currency: str
    last_day: int
    due_day: int
    earliest_day: int
    latest_day: int
    intervals: int
    interval_days: int
    model: str


class ScoreRevised(Event, type="crm.analytics.ScoreRevised", subject="customer_id"):
    """What the closes of the days `as_of` to `until` said of the customer would now be said otherwise.

    Facts about these days came later, or were taken back. What was said then stays in the log; `new` is None where the
    customer would have stood nowhere. The score is `segment`; the grades are those of the day `as_of`, and `day` is the
    close that found it.
    """

    customer_id: UUID
    day: int
    currency: str
    score: str
    as_of: int
    until: int
    old: str
    new: str | None
    grades: Grades | None


class Backtest(Part):
    """The same kind of model, fitted `horizon_days` earlier, against what then came: None is undefined."""

    horizon_days: int
    n: int
    actual: float
    predicted: float
    calibration_factor: float | None
    mae: float | None
    calibration_error: float | None
    auc: float | None


class ModelFitted(Event, type="crm.analytics.ModelFitted"):
    """A model was fitted to the purchases up to a day; scores name it by its version.

    `mbg_nbd` says how customers buy and drop out, `gamma_gamma` what they spend on a purchase day, and
    `gamma_intervals` when the next purchase is due. The unit is what its parameters count in: `week`, `day`, or the
    currency. Flags have to be said beside it.
    """

    model: str
    version: str
    as_of: int
    currency: str
    unit: str
    parameters: dict[str, float]
    n: int
    log_likelihood: float
    flags: tuple[str, ...]
    backtest: Backtest | None


class ModelRejected(Event, type="crm.analytics.ModelRejected"):
    """A fit must not be used; the version `kept`, if there is one, stays in use."""

    model: str
    version: str
    as_of: int
    currency: str
    unit: str
    parameters: dict[str, float]
    n: int
    log_likelihood: float
    reasons: tuple[str, ...]
    kept: str | None
    backtest: Backtest | None


class Cuts(Part):
    """What scores 1 to 5 take, as in `Grades`; None for a score that nobody has."""

    recency: tuple[int | None, ...]
    frequency: tuple[int | None, ...]
    money: tuple[int | None, ...]


class CurrencyClosed(Part):
    """The population of one currency at a close: who stands where, by which cuts, and the models in use."""

    currency: str
    customers: int
    segments: dict[SegmentName, int]
    cuts: Cuts
    models: tuple[str, ...]


class DayClosed(Event, type="crm.analytics.DayClosed"):
    """A business day was closed: all of its events, of each type so many, stand before this one in the stream.

    They follow from everything up to the position `head` of the log, as of the end of the day.
    """

    day: int
    head: int
    currencies: tuple[CurrencyClosed, ...]
    events: dict[str, int]
