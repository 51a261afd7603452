"""The arithmetic of a run and what it is held against.  Knows nothing of clients."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


def half_range(values: Sequence[float]) -> float:
    """Return half the interquartile range; 0 for fewer than two values."""
    if len(values) < 2:
        return 0.0
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return (high - low) / 2


def spread(values: Sequence[float]) -> float:
    """Return half the interquartile range as a share of the median."""
    middle = statistics.median(values)
    return half_range(values) / abs(middle) if middle else 0.0


def ratios(of: Sequence[float], to: Sequence[float]) -> list[float]:
    """Return the ratio of each round: what slows the whole machine slows both sides of it."""
    return [one / other for one, other in zip(of, to, strict=True)]


def slope(values: Sequence[float]) -> float:
    """Return by how much the values rise from one to the next, by least squares."""
    middle = (len(values) - 1) / 2
    mean = statistics.fmean(values)
    across = sum((at - middle) ** 2 for at in range(len(values)))
    return sum((at - middle) * (value - mean) for at, value in enumerate(values)) / across if across else 0.0


@dataclass(frozen=True, slots=True)
class Bar:
    """What a figure must not exceed, or with ``least`` must reach."""

    limit: float
    least: bool = False

    def met(self, value: float) -> bool:
        return value >= self.limit if self.least else value <= self.limit

    def __str__(self) -> str:
        return f"{'≥' if self.least else '≤'} {self.limit:g}"


@dataclass(frozen=True, slots=True)
class Figure:
    """One row of the table.  ``values`` are those of the rounds; none where its client could not be measured.

    One without a quantity stands for the rows of a case that broke off.
    """

    case: str
    quantity: str
    values: tuple[float, ...]
    bar: Bar | None = None
    detail: str = ""
    """What the ratio is made of, in units of this machine."""
    judged: bool = True
    """Whether the run was long enough to hold it against its bar."""
    ratio: bool = False
    """Whether its spread is shown as a share of it; else it is in the figure's own unit."""

    @property
    def value(self) -> float | None:
        return statistics.median(self.values) if self.values else None

    @property
    def held(self) -> bool:
        """Whether it belongs to the total: it has a bar and was measured for long enough, or broke off."""
        return not self.quantity or (self.bar is not None and self.judged)

    @property
    def verdict(self) -> str:
        """``met``, ``NOT MET``, ``not run``, or empty where there is no bar or the run was too short to judge."""
        value = self.value
        if value is None:
            return "not run"
        if self.bar is None or not self.judged:
            return ""
        return "met" if self.bar.met(value) else "NOT MET"

    def _noise(self) -> str:
        return f"±{spread(self.values):.0%}" if self.ratio else f"±{half_range(self.values):.2f}"

    def _shown(self) -> str:
        """Return the figure with as many digits as it takes not to speak against its verdict."""
        value = self.value
        if value is None:
            return ""
        digits = 2 if abs(value) < 100 else 0
        while self.bar is not None and self.bar.met(float(f"{value:.{digits}f}")) != self.bar.met(value):
            digits += 1
        return f"{value:.{digits}f}"

    def cells(self) -> tuple[str, ...]:
        """Return the row as text: case, quantity, figure, spread, bar, verdict, detail."""
        noise = self._noise() if len(self.values) > 1 else ""
        return (self.case, self.quantity, self._shown(), noise, str(self.bar or ""), self.verdict, self.detail)


def total(figures: Iterable[Figure]) -> str:
    """Return how many rows met their bar, of all that have one, and how many were not run."""
    verdicts = Counter(figure.verdict for figure in figures if figure.held)
    missed = f", {verdicts['not run']} not run" if verdicts["not run"] else ""
    return f"{verdicts['met']} of {verdicts.total()} rows met{missed}"


HEAD = ("case", "quantity", "figure", "spread", "bar", "", "of what")
