"""How time and memory of a replay grow with the history: the same customers, ten and a hundred times as many events."""

import json
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import history
from rounds import Side, run

SIZES = (100_000, 1_000_000, 10_000_000)
_ROUNDS = 3
_WIDTH, _HEIGHT, _MARGIN = 360, 220, 46
_REPLAY = Side("replay", "replay.py", "--folder {folder} --store {store} --events {events} --processes {processes}")


def measured(data: Path, report: Path | None, told: Callable[[str], None]) -> list[dict[str, Any]]:
    """Replay each size, several times; the medians, printed and, with `report`, written and drawn."""
    found = []
    for events in SIZES:
        known = {"store": str(history.store_of(data, events)), "events": str(events), "processes": "1"}
        runs = [run(_REPLAY, known) for _ in range(_ROUNDS)]
        row = {name: median(one[name] for one in runs) for name in ("events", "seconds", "cpu", "peak_mb")}
        found.append(row)
        told(
            f"{events:>12,} events: {row['seconds']:.1f} s, {row['cpu'] / events * 1e6:.1f} µs CPU an event,"
            f" {row['peak_mb']} MB"
        )
    ten = found[2]["seconds"] / found[1]["seconds"], found[2]["peak_mb"] / found[1]["peak_mb"]
    told(f"10,000,000 over 1,000,000: {ten[0]:.1f}x the time (at most 11x), {ten[1]:.2f}x the memory (at most 1.3x)")
    if report:
        report.with_suffix(".json").write_text(json.dumps(found, indent=1))
        report.with_suffix(".svg").write_text(drawn(found))
    return found


def drawn(found: list[dict[str, Any]]) -> str:
    """Two small plots as SVG: microseconds an event, and megabytes, over the number of events."""
    plots = [
        _plot("CPU per event, µs", [row["cpu"] / row["events"] * 1e6 for row in found], 0),
        _plot("Largest memory, MB", [float(row["peak_mb"]) for row in found], _WIDTH),
    ]
    size = f'width="{2 * _WIDTH}" height="{_HEIGHT}" viewBox="0 0 {2 * _WIDTH} {_HEIGHT}"'
    style = 'font-family="sans-serif" font-size="12" fill="#445"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>{"".join(plots)}</svg>\n'


def _plot(title: str, values: list[float], left: int) -> str:
    top = max(values) * 1.15
    step = (_WIDTH - 2 * _MARGIN) / (len(values) - 1)
    points = [
        (left + _MARGIN + n * step, _HEIGHT - _MARGIN - value / top * (_HEIGHT - 2 * _MARGIN))
        for n, value in enumerate(values)
    ]
    line = " ".join(f"{x:.0f},{y:.0f}" for x, y in points)
    drawing = [f'<text x="{left + _MARGIN}" y="24" font-weight="bold">{title}</text>']
    drawing.append(f'<polyline points="{line}" fill="none" stroke="#1f77b4" stroke-width="2"/>')
    base = _HEIGHT - _MARGIN
    drawing.append(f'<path d="M{left + _MARGIN} {base}h{_WIDTH - 2 * _MARGIN}" stroke="#99a"/>')
    for (x, y), value, events in zip(points, values, SIZES, strict=True):
        drawing.append(f'<circle cx="{x:.0f}" cy="{y:.0f}" r="3.5" fill="#1f77b4"/>')
        drawing.append(f'<text x="{x:.0f}" y="{y - 9:.0f}" text-anchor="middle">{value:,.1f}</text>')
        drawing.append(f'<text x="{x:.0f}" y="{base + 18}" text-anchor="middle">{events:,}</text>')
    return "".join(drawing)
