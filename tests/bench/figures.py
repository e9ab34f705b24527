"""How a figure is told: the median of several runs beside the spread, and whether the goal is met."""

from collections.abc import Sequence
from statistics import median
from typing import NamedTuple


class Figure(NamedTuple):
    """Ours and the baseline's runs, taken in turn, in `unit`. The goal bounds their ratio, or (`added`) their
    difference."""

    name: str
    unit: str
    ours: Sequence[float]
    baseline: Sequence[float]
    goal: float
    added: bool = False

    def line(self) -> str:
        ours, baseline = median(self.ours), median(self.baseline)
        reached = ours - baseline if self.added else ours / baseline
        sign, unit = ("+", self.unit) if self.added else ("", "x")
        met = "met" if reached <= self.goal else "MISSED"
        runs = f"{_spread(self.ours)} {_spread(self.baseline)} {self.unit}"
        return f"{self.name:<46} {runs}  {reached:{sign}7.2f} {unit:<2}  <= {sign}{self.goal:g} {unit}: {met}"


HEADING = f"{'':<46} {'ours (least-most)':>24} {'baseline':>24}     {'reached':>9}  goal"


def _spread(runs: Sequence[float]) -> str:
    return f"{median(runs):.2f} ({min(runs):.2f}-{max(runs):.2f})".rjust(24)
