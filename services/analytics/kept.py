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
_KEPT_LAST: Final = 8


class Kept:
    """The answers asked for last, of one set of read models; threads may share it."""

    def __init__(self) -> None:
        self._answers: OrderedDict[Any, Any] = OrderedDict()
        self._last: OrderedDict[Any, Any] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, db: Snapshot, compute: Callable[[Snapshot, Scope], T], scope: Scope) -> T:
        """What `compute` says of a scope at the moment of a snapshot."""
        return self._get(db, compute, scope, lambda: compute(db, scope))

    def renewed(self, db: Snapshot, compute: Callable[[Snapshot, Scope, T | None], T], scope: Scope) -> T:
        """The same, for what can go on from its last answer in that scope: `compute` is given it."""

        def renew() -> T:
            with self._lock:
                before: T | None = self._last.get((compute, scope))
            return compute(db, scope, before)

        found = self._get(db, compute, scope, renew)
        with self._lock:
            self._last[compute, scope] = found
            self._last.move_to_end((compute, scope))
            if len(self._last) > _KEPT_LAST:
                self._last.popitem(last=False)
        return found

    def _get(self, db: Snapshot, compute: Any, scope: Scope, answer: Callable[[], T]) -> T:
        # While the derived tables catch up, the position stands still but the sums move on.
        key = (db.revision, compute, scope)
        with self._lock:
            if key in self._answers:
                self._answers.move_to_end(key)
                found: T = self._answers[key]
                return found
        computed = answer()
        with self._lock:
            self._answers[key] = computed
            if len(self._answers) > _KEPT:
                self._answers.popitem(last=False)
        return computed


_of_models: WeakKeyDictionary[ReadModels, Kept] = WeakKeyDictionary()


def kept(models: ReadModels) -> Kept:
    """What is kept for these read models."""
    return _of_models.setdefault(models, Kept())
