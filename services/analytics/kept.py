"""What was computed for whole bases, kept as long as nothing moves."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final, TypeVar
from weakref import WeakKeyDictionary

from services.analytics.scope import Scope
from shared.projections import ReadModels, Snapshot

T = TypeVar("T")

_KEPT: Final = 64


class Kept:
    """The answers asked for last, of one set of read models; threads may share it."""

    def __init__(self) -> None:
        self._answers: OrderedDict[Any, Any] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, db: Snapshot, compute: Callable[[Snapshot, Scope], T], scope: Scope) -> T:
        """What `compute` says of a scope at the moment of a snapshot."""
        # While the derived tables catch up, the position stands still but the sums move on.
        key = (db.revision, compute, scope)
        with self._lock:
            if key in self._answers:
                self._answers.move_to_end(key)
                found: T = self._answers[key]
                return found
        computed = compute(db, scope)
        with self._lock:
            self._answers[key] = computed
            if len(self._answers) > _KEPT:
                self._answers.popitem(last=False)
        return computed


_of_models: WeakKeyDictionary[ReadModels, Kept] = WeakKeyDictionary()


def kept(models: ReadModels) -> Kept:
    """What is kept for these read models."""
    return _of_models.setdefault(models, Kept())
