"""Customers as vCards 3.0 and 4.0, one file with any number of cards."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import vobject
from vobject.base import VObjectError

from services.commands.formats import cells
from services.commands.formats.records import BadFile, Customer, Kind, Reject, Rejected, RowBatch
from services.commands.formats.rows import BATCH
from services.commands.formats.source import Source, decoded

MAX_CARD = 4 * 2**20
"""The longest card in characters; a portrait fits, a stream without end does not."""
_KINDS: dict[str, Kind] = {"individual": "individual", "org": "organisation", "group": "household"}


class CustomerVcards:
    """A file of vCards, read once from front to end; a card counts as a row, the first is row 1."""

    header = ("card",)

    def __init__(self, path: Path) -> None:
        self._source = Source(path)
        self.rows = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._source.__exit__(kind, error, trace)

    @property
    def size(self) -> int:
        """The file's size on disk in bytes."""
        return self._source.size

    @property
    def done(self) -> int:
        """Bytes on disk that are read so far."""
        return self._source.done

    def batches(self) -> Iterator[RowBatch[Customer]]:
        """The cards in the file's order, up to 500 at a time.

        Raises:
            BadFile: When the file cannot be read further; rerunning the mended file is safe.
        """
        batch = RowBatch[Customer]()
        for card in self._cards():
            self.rows += 1
            try:
                batch.add(read(card), self.rows, (card,))
            except Rejected as reason:
                batch.rejects.append(Reject(self.rows, (card,), str(reason)))
            if len(batch) == BATCH:
                yield batch
                batch = RowBatch[Customer]()
        if len(batch):
            yield batch

    def _cards(self) -> Iterator[str]:
        card: list[str] = []
        length = 0
        for raw in self._source.lines():
            line = decoded(raw, self._source.path, self.rows + 1)
            tag = line.strip().upper()
            if not card and tag != "BEGIN:VCARD":
                if tag:
                    raise BadFile(f"{self._source.path}: row {self.rows + 1} does not begin with BEGIN:VCARD")
                continue
            card.append(line)
            length += len(line)
            if length > MAX_CARD:
                raise BadFile(f"{self._source.path}: row {self.rows + 1} is longer than {MAX_CARD:,} characters")
            if tag == "END:VCARD":
                yield "".join(card)
                card, length = [], 0
        if card:
            raise BadFile(f"{self._source.path}: row {self.rows + 1} has no END:VCARD")


def read(card: str) -> Customer:
    """One card as a customer: FN or N is the name, KIND or a lone ORG says what it is.

    The outside id is the UID; a card without one is known by a digest of name, address and number, so that the same
    card comes out as the same customer.

    Raises:
        Rejected: When it is not a vCard or has neither UID nor name.
    """
    try:
        found = vobject.readOne(card)
        organisation = _organisation(found)
        name = cells.text(_value(found, "fn") or _person(found) or organisation, "FN")
        email = cells.text(_value(found, "email").removeprefix("mailto:"), "EMAIL")
        phone = cells.text(_value(found, "tel").removeprefix("tel:"), "TEL")
        return Customer(
            outside_id=cells.text(_value(found, "uid"), "UID") or _digest(name, email, phone),
            kind=_kind(found, name, organisation),
            name=name,
            country=cells.country(_country(found), "ADR"),
            email=email,
            phone=phone,
        )
    except (VObjectError, ValueError, AttributeError, LookupError) as error:
        raise Rejected(f"card: {cells.shown(str(error))} is not a vCard") from error


def _kind(card: Any, name: str | None, organisation: str) -> Kind | None:
    given = _KINDS.get(_value(card, "kind").lower())
    if given:
        return given
    if organisation and (not _person(card) or name == organisation):
        return "organisation"
    return "individual" if name else None


def _digest(*known: str | None) -> str:
    if known[0] is None:
        raise Rejected("card: neither UID nor FN nor N")
    return hashlib.sha256("\n".join(part or "" for part in known).encode()).hexdigest()[:32]


def _value(card: Any, name: str) -> str:
    """The first value of a property, '' without one."""
    found = card.contents.get(name)
    return str(found[0].value).strip() if found else ""


def _person(card: Any) -> str:
    found = card.contents.get("n")
    if not found:
        return ""
    name = found[0].value
    return " ".join(part.strip() for part in (_joined(name.given), _joined(name.family)) if part.strip())


def _organisation(card: Any) -> str:
    found = card.contents.get("org")
    return _joined(found[0].value[:1]) if found else ""


def _country(card: Any) -> str:
    found = card.contents.get("adr")
    return _joined(found[0].value.country) if found else ""


def _joined(value: str | list[str]) -> str:
    return value if isinstance(value, str) else " ".join(value)
