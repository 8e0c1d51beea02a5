"""Orders of axes, and axes of size 1 that one program adds and another one drops."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations
from typing import NamedTuple

from nnefkit.arrays import Array, Shape

Permutation = tuple[int, ...]


def layouts(rank: int) -> Iterator[Permutation]:
    """Yield orders of axes: as they are, channels first and last, then all others up to rank 4."""
    unchanged = tuple(range(rank))
    yield unchanged
    yield from other_layouts(rank)


def other_layouts(rank: int) -> Iterator[Permutation]:
    """Yield the orders of `layouts` that move an axis."""
    if not 2 <= rank <= 5:
        return
    preferred = [(0, *range(2, rank), 1), (0, rank - 1, *range(1, rank - 1))] if rank > 2 else []
    # Without the axis of the batch, channels are the first or the last axis.
    preferred += [(*range(1, rank), 0), (rank - 1, *range(rank - 1))] if rank == 3 else []
    yield from dict.fromkeys(preferred)
    # All orders of 5 axes would take 120 comparisons.
    if rank <= 4:
        rest = (p for p in permutations(range(rank)) if p not in preferred)
        yield from (p for p in rest if p != tuple(range(rank)))


def without_unit_axes(array: Array) -> Array:
    """Return the array without its axes of size 1."""
    return array.reshape(core(array.shape))


def core(shape: Shape) -> Shape:
    """Return a shape without its axes of size 1."""
    return tuple(size for size in shape if size != 1)


class AxisLayout(NamedTuple):
    """How the axes of the second tensor are arranged to compare it."""

    axes: Permutation | None
    """Their order; None if it is unchanged. With `unit_axes`, of the axes of other sizes."""
    unit_axes: bool = False
    """Whether axes of size 1 were dropped or added."""

    def arranged(self, array: Array, shape: Shape) -> Array:
        """Return the array as it is compared; `shape` is that of the first tensor."""
        if self.unit_axes:
            array = without_unit_axes(array)
        if self.axes is not None:
            array = array.transpose(self.axes)
        return array.reshape(shape) if self.unit_axes else array
