"""Overlays: a number for each operation, which colors its box and is drawn along the depth."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from nnefkit.display import numbers

STEPS = 5
"""Number of steps of the color scale, besides the one for nothing."""
COLUMNS = 480
"""Maximum number of columns of the strip along the depth."""
SNR_BOUNDS = (80.0, 60.0, 40.0, 20.0)
"""Ratios in dB below which the next step begins."""
CHANGES = ("", "changed", "added", "removed")
"""The kinds of changes, by class."""

Combine = Literal["worst", "sum", "most"]


@dataclass(frozen=True)
class Overlay:
    """A number for each operation."""

    key: str
    """``"error"``, ``"time"`` and so on."""
    title: str
    values: Sequence[float]
    """By number of the operation; NaN where there is none."""
    write: Callable[[float], str]
    """Return a value in words, with its unit."""
    combine: Combine = "sum"
    """What a block shows of its operations."""
    ratio: bool = False
    """Whether it is a signal-to-noise ratio: small ones are bad."""
    counts: bool = False
    """Whether any number above 0 is bad: NaN."""
    categories: bool = False
    """Whether values are positions in `CHANGES`."""

    def value(self, operations: Iterable[int]) -> float:
        """Return the value of a block; NaN if its operations have none."""
        known = [v for n in operations if not math.isnan(v := self.values[n])]
        if not known:
            return math.nan
        if self.combine == "sum":
            return sum(known)
        return min(known) if self.combine == "worst" else max(known)

    def words(self, value: float, count: int = 0) -> str:
        """Return a value in words; of a block with changes also their number."""
        if math.isnan(value):
            return ""
        if self.categories:
            word = CHANGES[int(value)]
            return f"{count:,} changes" if count > 1 else word
        return "" if self.ratio and value == math.inf else self.write(value)

    def level(self, value: float, scale: tuple[float, float]) -> int:
        """Return the class of a value from 0 (nothing) to `STEPS`."""
        if math.isnan(value):
            return 0
        if self.categories:
            return int(value)
        if self.ratio:
            if value == math.inf:
                return 0
            return 1 + sum(value < bound for bound in SNR_BOUNDS)
        if self.counts:
            return STEPS if value else 0
        low, high = scale
        if high <= low:
            return STEPS if value else 0
        share = (value - low) / (high - low)
        return max(1, math.ceil(min(share, 1.0) * STEPS)) if value != 0 or low < 0 else 0

    def scale(self, values: Iterable[float]) -> tuple[float, float]:
        """Return the ends of the color scale for the values in a scene."""
        known = [value for value in values if math.isfinite(value)]
        if not known:
            return 0.0, 0.0
        return min(0.0, *known), max(known)

    def legend(self, scale: tuple[float, float]) -> dict[str, Any]:
        """Return what the legend shows."""
        if self.categories:
            kinds = sorted({int(v) for v in self.values if not math.isnan(v) and v})
            return {"title": self.title, "kinds": [[k, CHANGES[k]] for k in kinds]}
        if self.ratio:
            return {"title": self.title, "ends": ["equal", "below 20 dB"], "low": "equal"}
        if self.counts:
            return {"title": self.title, "ends": ["none", "some"]}
        ends = [self.write(scale[0]), self.write(scale[1])]
        note = {"sum": "blocks: sum", "most": "blocks: largest", "worst": "blocks: worst"}
        return {"title": self.title, "ends": ends, "note": note[self.combine]}

    def strip(self, order: Sequence[int]) -> dict[str, Any]:
        """Return the values along the depth, of many operations the worst of each few.

        Args:
            order: Numbers of the operations.
        """
        step = max(1, -(-len(order) // COLUMNS))
        picked: list[int] = []
        shown: list[float | None] = []
        for start in range(0, len(order), step):
            piece = order[start : start + step]
            known = [n for n in piece if not math.isnan(self.values[n])]
            best = min if self.ratio else max
            worst = best(known, key=self.values.__getitem__) if known else piece[0]
            picked.append(worst)
            shown.append(self._height(self.values[worst]))
        known_heights = [height for height in shown if height is not None]
        if self.ratio:
            top, ends = SNR_TOP, [f"≥{SNR_TOP:g} dB", "0 dB"]
        else:
            top = max(known_heights, default=0.0)
            ends = [self.write(top), self.write(0.0)]
        bottom = 0.0 if self.ratio else min(0.0, *known_heights, 0.0)
        if bottom < 0:
            ends[1] = self.write(bottom)
        return {
            "title": self.title,
            "numbers": picked,
            "values": [None if h is None else _rounded(h) for h in shown],
            "range": [bottom, top if top > bottom else bottom + 1.0],
            "ends": ends,
            "step": step,
            "line": self.ratio,
        }

    def _height(self, value: float) -> float | None:
        if math.isnan(value):
            return None
        if self.ratio:
            return min(max(value, 0.0), SNR_TOP)
        return value if math.isfinite(value) else None


SNR_TOP = 80.0


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


def decibels(ratio: float) -> str:
    """Return a signal-to-noise ratio with its unit."""
    if ratio == math.inf:
        return "equal"
    return "shapes differ" if ratio == -math.inf else f"{numbers.number(ratio)} dB"


def from_names(
    by_name: Mapping[str, float], number_of: Mapping[str, int], count: int
) -> list[float]:
    """Return values by number of the operation, from values by tensor."""
    values = [math.nan] * count
    for name, value in by_name.items():
        number = number_of.get(name)
        if number is not None:
            values[number] = float(value)
    return values
