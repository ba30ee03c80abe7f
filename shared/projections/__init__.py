"""How a read model is declared: sums, documents, what is derived from them, and the family they form."""

from shared.projections.columns import EventId, Stream, Subject, Text, Whole
from shared.projections.expressions import f
from shared.projections.family import Family
from shared.projections.models import ReadModels
from shared.projections.snapshot import Snapshot
from shared.projections.tables import Derived, Document, Rows, Sum

__all__ = [
    "Derived",
    "Document",
    "EventId",
    "Family",
    "ReadModels",
    "Rows",
    "Snapshot",
    "Stream",
    "Subject",
    "Sum",
    "Text",
    "Whole",
    "f",
]
