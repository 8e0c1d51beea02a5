"""The measured time of an operation, or of several that an engine does in one step."""

from __future__ import annotations

import math
from typing import NamedTuple

from nnefkit.display.elements import LONGEST_NAME
from nnefkit.display.numbers import duration
from nnefkit.display.visible_text import visible


class TimedOperation(NamedTuple):
    """An operation, or several that the engine does in one step, over the measured runs."""

    tensor: str
    """Name of the first result of the first operation."""
    operation: str
    """Name of the operation, or of the costliest of several."""
    number: int
    """Index of the first operation in the graph that was run, from 0."""
    line: int | None
    """Line of the operation in the text of the graph."""
    fused: tuple[str, ...]
    """First results of all the operations that the time belongs to; one if it was timed alone."""
    seconds: float
    """The median over the runs."""
    seconds_q1: float
    """The lower quartile: a quarter of the runs took less."""
    seconds_q3: float
    """The upper quartile: a quarter of the runs took more."""
    seconds_min: float
    share: float
    """Share of the sum of all medians, from 0 to 1."""
    macs: int | None
    """As in `nnefkit.cost`; None if they are unknown."""
    flops: int | None
    bytes: int | None
    """Bytes read and written, without what only flows inside of a step."""

    @property
    def gflops(self) -> float | None:
        """Achieved arithmetic, in 10^9 FLOPs per second; None if it is unknown."""
        return _rate(self.flops, self.seconds)

    @property
    def gbytes(self) -> float | None:
        """Achieved traffic, in 10^9 bytes per second; None if it is unknown."""
        return _rate(self.bytes, self.seconds)

    def __repr__(self) -> str:
        spread = f"{duration(self.seconds_q1)} to {duration(self.seconds_q3)}"
        name = visible(self.tensor, LONGEST_NAME)
        return f"<{name}: {self.operation}, {duration(self.seconds)} ({spread})>"


def _rate(amount: int | None, seconds: float) -> float | None:
    if amount is None or not seconds > 0 or math.isinf(seconds):
        return None
    return amount / seconds / 1e9
