"""What each score of a customer is called, says and means, in words of the reader's language."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from services.analytics.explain import Explanation, Score
from services.analytics.fitting import Flag
from services.analytics.loyalty import Segment
from services.analytics.regularity import Evenness
from services.analytics.value import Lapse
from services.analytics.words import SEGMENT_NAMES, Reader
from shared.web.i18n import N_

NAMES: Final[Mapping[Score, str]] = {
    Score.RECENCY: N_("Recency"),
    Score.FREQUENCY: N_("Frequency"),
    Score.MONEY: N_("Money"),
    Score.SEGMENT: N_("Segment"),
    Score.INDEX: N_("Loyalty index"),
    Score.ACTIVE: N_("Chance to buy"),
    Score.LAPSE: N_("Risk of lapsing"),
    Score.EXPECTED: N_("Purchase days to come"),
    Score.VALUE: N_("Value of the coming year"),
    Score.DUE: N_("Next order"),
}
MEANINGS: Final[Mapping[Score, str]] = {
    Score.RECENCY: N_("One point, and one more for every full fifth of all customers whose last order is longer ago."),
    Score.FREQUENCY: N_("One point, and one more for every full fifth of all customers with fewer purchase days."),
    Score.MONEY: N_("One point, and one more for every full fifth of all customers who spent less."),
    Score.SEGMENT: N_("Follows from the three scores by fixed rules that exclude each other."),
    Score.INDEX: N_(
        "0 to 100: up to 40 points for recency, 40 for purchase days and 20 for spend, each by the share of all"
        " customers that one is ahead of. The points add up to the index."
    ),
    Score.ACTIVE: N_("The chance of at least one purchase within the days ahead, by a model fitted to the whole base."),
    Score.LAPSE: N_(
        "The chance not to buy within the days ahead: high from seven in ten, medium from four in ten, otherwise low."
    ),
    Score.EXPECTED: N_("How many purchase days the model expects within the days ahead."),
    Score.VALUE: N_(
        "Purchases to come in 52 weeks times the spend to expect on each, later weeks worth less by a tenth a year."
        " Revenue, because no margin is set."
    ),
    Score.DUE: N_(
        "As likely before this day as after it; eight of ten such orders come within the window. Few intervals of"
        " one's own lean on those of the whole base."
    ),
}
LAPSE_NAMES: Final = {Lapse.HIGH: N_("High"), Lapse.MEDIUM: N_("Medium"), Lapse.LOW: N_("Low")}
LAPSE_TONES: Final = {Lapse.HIGH: "bad", Lapse.MEDIUM: "warn", Lapse.LOW: "good"}
EVENNESS: Final = {
    Evenness.BURSTY: N_("in bursts"),
    Evenness.IRREGULAR: N_("irregular"),
    Evenness.FAIRLY_REGULAR: N_("fairly regular"),
    Evenness.REGULAR: N_("regular"),
}
FLAGS: Final[Mapping[Flag, str]] = {
    Flag.NOT_ENOUGH_DATA: N_("Not enough data for a model: too few customers have come back so far."),
    Flag.NOT_CONVERGED: N_("The search for parameters did not settle, so the model is not used."),
    Flag.AT_A_BOUND: N_("A parameter has no end in this data, so the model is not used."),
    Flag.NO_MEAN: N_("Spend in this data has no finite mean under the model, so the model is not used."),
    Flag.BACKTEST_FAILED: N_("The model missed the recent past by more than two fifths in total, so it is not used."),
    Flag.DROPOUT_NOT_IDENTIFIED: N_(
        "This data does not show when customers drop out. Purchases and value are usable, “lost for good” is not."
    ),
}


def value(found: Explanation, reader: Reader, currency: str) -> str:
    """A score as a person reads it."""
    gettext, formats = reader.words.gettext, reader.formats
    said = found.value
    if isinstance(said, date):
        return formats.date(said)
    if isinstance(said, str):
        return gettext(SEGMENT_NAMES[Segment(said)] if found.score is Score.SEGMENT else LAPSE_NAMES[Lapse(said)])
    if found.score is Score.ACTIVE:
        return formats.percent(said)
    if found.score is Score.VALUE:
        return formats.money(None if said is None else round(said), currency, whole=True)
    return formats.number(said, 1 if found.score in {Score.INDEX, Score.EXPECTED} else 0)


def sentence(found: Explanation, reader: Reader) -> str:
    """One sentence on what a score says of its customer; those of recency, frequency and money have their reason."""
    _, inputs = reader.words.gettext, found.inputs
    if found.contributions:
        return parts(found, reader)
    if found.score is Score.DUE:
        return due(inputs, reader)
    texts = {
        Score.ACTIVE: _("To order again within %(days)s."),
        Score.LAPSE: _("With a chance of %(risk)s there is no order within %(days)s."),
        Score.EXPECTED: _("Expected within %(days)s."),
        Score.VALUE: _("Revenue to expect within %(weeks)s weeks, discounted by %(discount)s a year."),
    }
    told = {
        "days": reader.formats.days(inputs.get("horizon_days")),
        "risk": reader.formats.percent(inputs.get("risk")),
        "weeks": reader.formats.number(inputs.get("weeks")),
        "discount": reader.formats.percent(inputs.get("discount")),
    }
    return texts.get(found.score, _(MEANINGS[found.score])) % told


def parts(found: Explanation, reader: Reader) -> str:
    """The parts of a score, one after the other."""
    _, formats = reader.words.gettext, reader.formats
    names = {"r": "R", "f": "F", "m": "M", "recency": _("recency"), "frequency": _("frequency"), "spend": _("spend")}
    digits = 1 if found.score is Score.INDEX else 0
    return ", ".join(f"{names[name]} {formats.number(points, digits)}" for name, points in found.contributions) + "."


def due(inputs: Mapping[str, Any], reader: Reader) -> str:
    """The window of the next order, and how far overdue it is."""
    _, formats = reader.words.gettext, reader.formats
    days = {"earliest": formats.date(inputs["earliest"]), "latest": formats.date(inputs["latest"])}
    if not inputs["own"]:
        text = _(
            "One order is not enough data. The population suggests: eight of ten between %(earliest)s and %(latest)s."
        )
        return text % days
    said = _("Eight of ten such orders come between %(earliest)s and %(latest)s.") % days
    if not inputs["overdue"]:
        return said
    overdue = _("Overdue: with a chance of %(chance)s it would have come by now.")
    return f"{said} {overdue % {'chance': formats.percent(inputs['shorter'])}}"


def flags(found: tuple[Flag, ...], reader: Reader) -> list[str]:
    """What speaks against a model, or has to be said beside it; each once."""
    return [reader.words.gettext(FLAGS[flag]) for flag in dict.fromkeys(found)]
