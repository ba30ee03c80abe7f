"""Rules: what a score takes, and which segment scores make. The default counts; others are asked about by what-if."""

from __future__ import annotations

from itertools import pairwise, product
from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

BEST: Final = 5
SCORES: Final = range(1, BEST + 1)

Percent = Annotated[int, Field(ge=1, le=99)]
Least = Annotated[int, Field(ge=0, le=10**15)]
Score = Annotated[int, Field(ge=1, le=BEST)]
Half = Annotated[float, Field(ge=1, le=BEST, multiple_of=0.5)]


def _ascending(values: tuple[int, ...]) -> bool:
    return all(low < high for low, high in pairwise(values))


class _Parameters(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class CutOffs(_Parameters):
    """What the scores 2 to 5 of one letter take; everybody has at least score 1. Either `shares` or `cuts`.

    Attributes:
        shares: Whole percent of all customers that must have a strictly worse value, ascending.
        cuts: The value itself, from score to score harder to reach: r at most so many days since the last purchase,
            f at least so many purchase days, m at least so many minor units.
    """

    shares: tuple[Percent, Percent, Percent, Percent] | None = None
    cuts: tuple[Least, Least, Least, Least] | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.shares is None) == (self.cuts is None):
            raise ValueError("give either shares or cuts, four of them: what scores 2 to 5 take")
        if self.shares is not None and not _ascending(self.shares):
            raise ValueError("shares must ascend: a better score takes more customers who are worse")
        return self


class SegmentRule(_Parameters):
    """Which customers a segment takes; what is left out does not matter, bounds belong to the span.

    Attributes:
        segment: Its name: one there is, or a new one.
        r: Lowest and highest recency score.
        f: Lowest and highest frequency score.
        m: Lowest and highest money score.
        s: Lowest and highest mean of frequency and money, in halves.
        once: Only who has bought on one day, or if false, only who has on several.
    """

    segment: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,30}$")]
    r: tuple[Score, Score] | None = None
    f: tuple[Score, Score] | None = None
    m: tuple[Score, Score] | None = None
    s: tuple[Half, Half] | None = None
    once: bool | None = None

    @field_validator("r", "f", "m", "s")
    @classmethod
    def _low_to_high(cls, span: tuple[float, float] | None) -> tuple[float, float] | None:
        if span is not None and span[0] > span[1]:
            raise ValueError("must be the lower bound and then the higher one")
        return span

    def takes(self, r: int, f: int, m: int, *, once: bool) -> bool:
        """Whether it takes a customer of these scores."""
        spans = ((r, self.r), (f, self.f), (m, self.m), ((f + m) / 2, self.s))
        return self.once in {None, once} and all(span is None or span[0] <= it <= span[1] for it, span in spans)


FIFTHS: Final = CutOffs(shares=(20, 40, 60, 80))
_SEGMENTS: Final = (
    SegmentRule(segment="champion", r=(4, 5), s=(4, 5)),
    SegmentRule(segment="loyal", r=(3, 3), s=(4, 5)),
    SegmentRule(segment="at_risk", r=(1, 2), s=(4, 5)),
    SegmentRule(segment="new", r=(4, 5), s=(1, 3.5), once=True),
    SegmentRule(segment="dormant", r=(1, 2), s=(1, 2.5)),
    SegmentRule(segment="regular"),
)


class Rules(_Parameters):
    """From purchases to scores to a segment: the first rule that takes a customer names it; what is left out stays."""

    r: CutOffs = FIFTHS
    f: CutOffs = FIFTHS
    m: CutOffs = FIFTHS
    segments: Annotated[tuple[SegmentRule, ...], Field(max_length=100)] = _SEGMENTS

    @field_validator("r")
    @classmethod
    def _fewer_days(cls, given: CutOffs) -> CutOffs:
        if given.cuts is not None and not _ascending(given.cuts[::-1]):
            raise ValueError("cuts must descend: a better score takes fewer days since the last purchase")
        return given

    @field_validator("f", "m")
    @classmethod
    def _more_of_it(cls, given: CutOffs) -> CutOffs:
        if given.cuts is not None and not _ascending(given.cuts):
            raise ValueError("cuts must ascend: a better score takes more")
        return given

    @field_validator("segments")
    @classmethod
    def _everybody_somewhere(cls, given: tuple[SegmentRule, ...]) -> tuple[SegmentRule, ...]:
        for r, f, m, once in product(SCORES, SCORES, SCORES, (True, False)):
            if not any(rule.takes(r, f, m, once=once) for rule in given):
                bought = "one purchase day" if once else "several purchase days"
                raise ValueError(f"none takes r {r}, f {f}, m {m} with {bought}: end with one that has no conditions")
        return given

    def segment(self, r: int, f: int, m: int, purchase_days: int) -> str:
        """The segment of three scores."""
        once = purchase_days == 1
        return next(rule.segment for rule in self.segments if rule.takes(r, f, m, once=once))


TODAY: Final = Rules()
"""The rules that count."""
