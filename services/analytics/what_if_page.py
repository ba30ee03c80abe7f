"""The page of what-if: other cut-offs in a form, which segments customers would go to, and who they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import Query, Request
from fastapi.responses import HTMLResponse

from services.analytics.heat import Cell, Heat, Row, level
from services.analytics.histories import histories
from services.analytics.insights import Choices, Tab, insight
from services.analytics.kept import kept
from services.analytics.loyalty import SEGMENTS, Segment
from services.analytics.question import Viewed
from services.analytics.rules import TODAY
from services.analytics.what_if import WhatIf, what_if
from services.analytics.what_if_form import Form, rows, rules_of
from services.analytics.words import SEGMENT_NAMES, Reader
from shared.projections import Snapshot
from shared.web import guard
from shared.web.guard import may
from shared.web.serving import Frame, Here

router = guard.router(include_in_schema=False)
_SHOWN: Final = 50


@dataclass(frozen=True)
class Mover:
    """A customer who would stand in another segment; scores are r, f and m, the amount is in minor units."""

    customer: str
    before: str
    after: str
    scores: tuple[int, int, int]
    others: tuple[int, int, int]
    gross: int


@router.get("/what-if")
@may("analyst", "manager")
async def what_if_page(
    request: Request,
    here: Here,
    frame: Frame,
    viewed: Viewed,
    form: Form,
    was: Segment | None = None,
    to: Segment | None = None,
    start: Annotated[int, Query(ge=0, le=10**9)] = 0,
) -> HTMLResponse:
    """What other cut-offs would make of the base; `was` and `to` choose whom of those who move to list."""
    answers = kept(here.models)

    def compose(db: Snapshot, choices: Choices) -> Mapping[str, Any]:
        scope = choices.ground.scope
        rules, wrong = rules_of(form, scope.minor)
        found = what_if(answers.get(db, histories, scope), scope.as_of, rules)
        asked = {"rows": list(rows(form, wrong, found.before.ranking, choices)), "tried": rules != TODAY and not wrong}
        if not asked["tried"]:
            return asked
        places, after = found.movers(was, to), start + _SHOWN
        return asked | {
            "heat": heat(found, choices),
            "movers": [_mover(found, place) for place in places[start:after]],
            "total": len(places),
            "flow": _flow(was, to, choices.reader),
            "everybody": choices.way(was=None, to=None) + "#movers",
            "first": choices.way() + "#movers" if start else None,
            "next": choices.way(start=after) + "#movers" if after < len(places) else None,
        }

    more: dict[str, str | None] = {name: text for typed in form for name, text in typed.said.items()}
    more |= {"was": was, "to": to}
    return await insight(request, here, frame, viewed, Tab.LOYALTY, compose, page="what-if", more=more)


def heat(found: WhatIf, choices: Choices) -> Heat:
    """Who would go where as a table, one row for each segment by the rules that count, and their sum."""
    _, ngettext, formats = choices.reader.words.gettext, choices.reader.words.ngettext, choices.reader.formats
    moves = found.moves
    lines = [
        Row(_(SEGMENT_NAMES[was]), (formats.number(sum(moves[was].values())),), _cells(was, moves[was], choices))
        for was in SEGMENTS
    ]
    together = tuple(
        Cell(formats.number(count), 0, _("customers by these rules")) for count in found.after.customers.values()
    )
    lines.append(Row(_("by these rules"), (formats.number(found.n),), together))
    changed = int(found.changed.sum())
    title = ngettext(
        "%(count)s of %(all)s customers would stand in another segment",
        "%(count)s of %(all)s customers would stand in another segment",
        changed,
    )
    note = _("Rows: segments by the rules that count. Columns: the same customers by these rules.")
    columns = (_("segment"), _("customers"), *(_(SEGMENT_NAMES[segment]) for segment in SEGMENTS))
    told = {"count": formats.number(changed), "all": formats.number(found.n)}
    return Heat(title % told, note, columns, 2, tuple(lines))


def _cells(was: Segment, counts: Mapping[str, int], choices: Choices) -> tuple[Cell, ...]:
    _, formats = choices.reader.words.gettext, choices.reader.formats
    total = sum(counts.values()) or 1
    cells = []
    for to in SEGMENTS:
        count = counts[to]
        told = {"share": formats.percent(count / total), "segment": _(SEGMENT_NAMES[to])}
        tip = _("%(share)s of them would be %(segment)s") % told
        href = choices.way(was=was.value, to=to.value) + "#movers" if count and to is not was else None
        cells.append(Cell(formats.number(count), level(count / total, 1), tip, href))
    return tuple(cells)


def _flow(was: Segment | None, to: Segment | None, reader: Reader) -> str:
    """Which of those who would move are listed."""
    _ = reader.words.gettext
    names = [_("all segments") if name is None else _(SEGMENT_NAMES[name]) for name in (was, to)]
    if was is None and to is None:
        return _("Who would move")
    return _("From %(before)s to %(after)s") % {"before": names[0], "after": names[1]}


def _mover(found: WhatIf, place: int) -> Mover:
    (was, scores), (to, others) = found.before.grade(place), found.after.grade(place)
    return Mover(found.customers[place], was, to, scores, others, int(found.gross[place]))
