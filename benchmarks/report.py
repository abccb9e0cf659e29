"""Rows, bars and verdicts, as a table and as JSON."""

from __future__ import annotations

import json
import math
import os
import platform
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from typing_extensions import override

ROOT = Path(__file__).resolve().parents[1]
RESULTS = Path(__file__).parent / "results"
Verdict = Literal["reached", "MISSED", "not measured", ""]


@dataclass(frozen=True, slots=True)
class Bar:
    """What a value must not be above (`at_most`) or below."""

    limit: float
    at_most: bool = True

    def reached(self, value: float) -> bool:
        """Whether the value is on the right side; a value that is not a number is on neither."""
        return value <= self.limit if self.at_most else value >= self.limit

    @override
    def __str__(self) -> str:
        return f"{'≤' if self.at_most else '≥'} {self.limit:g}"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. `value` None means that it was not measured, and `note` says why."""

    what: str
    value: float | None
    unit: str = ""
    bar: Bar | None = None
    note: str = ""

    @property
    def verdict(self) -> Verdict:
        """Empty where there is no bar."""
        if self.value is None:
            return "not measured"
        if self.bar is None:
            return ""
        return "reached" if self.bar.reached(self.value) else "MISSED"

    @property
    def measured(self) -> str:
        """The value with its unit."""
        if self.value is None:
            return "-"
        digits = f"{self.value:.0f}" if self.value == int_or_nan(self.value) else f"{self.value:.3g}"
        return f"{digits} {self.unit}".strip()

    def as_json(self) -> dict[str, Any]:
        """The row with its verdict; what is not a number is null."""
        finite = self.value is not None and math.isfinite(self.value)
        return {
            "what": self.what,
            "value": self.value if finite else None,
            "unit": self.unit,
            "bar": str(self.bar) if self.bar else None,
            "verdict": self.verdict,
            "note": self.note,
        }


def int_or_nan(value: float) -> float:
    """The nearest whole number."""
    return float(round(value)) if math.isfinite(value) else math.nan


def ratio(ours: float, theirs: float) -> float:
    """Ours for each of theirs; not a number when theirs is nothing."""
    return ours / theirs if theirs else math.nan


def table(rows: Sequence[Row]) -> str:
    """The rows in columns, each with its note on a line below."""
    head = ("what", "measured", "bar", "verdict")
    cells = [(row.what, row.measured, str(row.bar or ""), row.verdict) for row in rows]
    widths = [max(len(line[column]) for line in [head, *cells]) for column in range(len(head))]
    lines = [_line(head, widths), _line(["-" * width for width in widths], widths)]
    for row, line in zip(rows, cells, strict=True):
        lines.append(_line(line, widths))
        if row.note:
            lines.append(f"    {row.note}")
    return "\n".join(lines)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.strip()
    return {
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "commit": commit,
        "cores": len(os.sched_getaffinity(0)),
        "load_average": os.getloadavg()[0],
        "machine": platform.machine(),
        "python": platform.python_version(),
    }


def write_json(file: Path, rows: Sequence[Row], raw: dict[str, Any], about: dict[str, Any]) -> None:
    """Write everything a run found; `raw` holds the figures that the rows were made of."""
    file.parent.mkdir(parents=True, exist_ok=True)
    content = {"about": about, "rows": [row.as_json() for row in rows], "raw": raw}
    file.write_text(json.dumps(_without_nan(content), indent=1, ensure_ascii=False), encoding="utf-8")


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nan(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_without_nan(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
