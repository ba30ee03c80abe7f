"""The clock of a contestant: wall time, CPU of the process and its children, and the largest memory."""

import resource
import time
from types import TracebackType
from typing import Any, Self


class Timed:
    """Times what happens inside."""

    def __enter__(self) -> Self:
        self._cpu, self._wall = _cpu(), time.perf_counter()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.seconds, self.cpu = time.perf_counter() - self._wall, _cpu() - self._cpu

    def result(self, events: int) -> dict[str, Any]:
        """What a contestant prints."""
        peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        return {
            "events": events,
            "seconds": round(self.seconds, 4),
            "cpu": round(self.cpu, 4),
            "peak_mb": peak // 1024,
        }


def _cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)
