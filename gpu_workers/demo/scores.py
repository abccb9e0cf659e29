"""The table of an evaluation: what was measured, how often, the result and the bar that it has to reach."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One measure: a share from 0 to 1 unless `unit` says otherwise; no bar where none is promised."""

    measure: str
    count: int
    result: float
    bar: float | None = None
    unit: str = "%"
    at_most: bool = False

    @property
    def ok(self) -> bool:
        """Whether the bar is reached; a result that is not a number reaches none."""
        if self.bar is None:
            return True
        return self.result <= self.bar if self.at_most else self.result >= self.bar

    @property
    def line(self) -> str:
        """The row in Markdown."""
        bar, verdict = "", ""
        if self.bar is not None:
            bar = f"{'≤' if self.at_most else '≥'} {self._written(self.bar)}"
            verdict = "ok" if self.ok else "MISSED"
        return f"| {self.measure} | {self.count} | {self._written(self.result)} | {bar} | {verdict} |"

    def _written(self, value: float) -> str:
        return f"{100 * value:.1f} %" if self.unit == "%" else f"{value:.2f} {self.unit}"


HEAD = "| measure | count | result | bar | |\n|---|---|---|---|---|"


def table(rows: Iterable[Row]) -> str:
    """All rows in Markdown."""
    return "\n".join((HEAD, *(row.line for row in rows)))
