"""The cost of one operation, and sums of such costs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from nnefkit.display.elements import LONGEST_NAME
from nnefkit.display.numbers import quantity, size
from nnefkit.display.visible_text import visible


class OperationCost(NamedTuple):
    """An operation of a graph, and what it costs in one run."""

    tensor: str
    """Name of its first result."""
    operation: str
    number: int
    """Index of the operation in the graph, from 0."""
    line: int | None
    """Line of the operation in the text of the graph."""
    macs: int | None
    """Multiply-accumulates of convolutions and matrix products; None if they are unknown."""
    flops: int | None
    """Arithmetic operations, two for each multiply-accumulate; None if they are unknown."""
    parameters: int
    """Elements of the variables that it reads and no operation before it."""
    bytes_read: int
    """Size of the tensors that it reads, weights included."""
    bytes_written: int
    """Size of its results."""
    live_bytes: int | None
    """Size of the tensors in memory while it runs, without weights; None if it runs only once."""
    once: bool
    """True if it depends on weights alone, so that it need not run again in each run."""
    scope: tuple[str, ...]
    """The fragment calls that it was expanded from, outermost first."""
    label: str
    """The label of its weights, else that of the operation before it."""
    note: str
    """What its numbers leave open: empty, "unknown" or "at most"."""

    @property
    def intensity(self) -> float | None:
        """FLOPs for each byte read or written; None if unknown, or if it moves no bytes."""
        return _intensity(self.flops, self.bytes_read + self.bytes_written)

    def __repr__(self) -> str:
        flops = "unknown" if self.flops is None else f"{quantity(self.flops)} FLOPs"
        moved = size(self.bytes_read + self.bytes_written)
        name = visible(self.tensor, LONGEST_NAME)
        return f"<{name}: {self.operation}, {flops}, {moved} moved>"


class CostSum(NamedTuple):
    """The sum of the costs of some operations."""

    operations: int
    macs: int
    """Of the operations whose number is known; so are FLOPs."""
    flops: int
    parameters: int
    bytes_read: int
    bytes_written: int
    unknown: int = 0
    """Number of operations whose MACs and FLOPs are unknown and left out."""

    @property
    def intensity(self) -> float | None:
        """FLOPs for each byte read or written; None if unknown, or if no bytes are moved."""
        flops = None if self.unknown else self.flops
        return _intensity(flops, self.bytes_read + self.bytes_written)


def _intensity(flops: int | None, moved: int) -> float | None:
    return None if flops is None or not moved else flops / moved


def total(rows: Iterable[OperationCost]) -> CostSum:
    """Return the sum of the costs of some operations."""
    count = macs = flops = parameters = read = written = unknown = 0
    for row in rows:
        count += 1
        macs += row.macs or 0
        flops += row.flops or 0
        parameters += row.parameters
        read += row.bytes_read
        written += row.bytes_written
        unknown += row.flops is None
    return CostSum(count, macs, flops, parameters, read, written, unknown)
