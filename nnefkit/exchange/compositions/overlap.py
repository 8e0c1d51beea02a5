"""Sums of overlapping windows: images from their blocks, signals from their frames (4.3.1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nnefkit.exchange.call import OperatorCall
from nnefkit.exchange.refusal import refuse
from nnefkit.exchange.reshaping import reshaped, sliced, transposed
from nnefkit.exchange.source_value import Value

_MAX_TERMS = 512


@dataclass(frozen=True)
class OverlappedAxis:
    """How the windows along an axis overlap."""

    extent: int
    """The extent of the sum."""
    before: int
    """The number of elements of the first window that are before the sum."""
    stride: int
    dilation: int


def overlap_added(c: OperatorCall, x: Value, axes: Sequence[OverlappedAxis]) -> Value:
    """Return the sum of windows, each at its own position.

    Elements are added one by one rather than multiplied by zeros, so that infinities and NaN
    do not spread.

    Args:
        c: The call of the operator.
        x: The windows: [N, ...extents of a window, ...number of windows along each axis].
        axes: How they overlap along each axis.

    Returns:
        The sum, of shape [N, ...extents].

    Raises:
        Refusal: More than 512 windows overlap along an axis.
    """
    with c.graph.scope("overlap_add"):
        for axis in axes:
            # Each round turns the first axis of windows, and that of their numbers, into one.
            x = _added(c, x, 1 + len(axes), axis)
        return x


def _added(c: OperatorCall, x: Value, grid: int, axis: OverlappedAxis) -> Value:
    """Add windows, whose elements are along axis 1, along the axis of their numbers."""
    x = _spread(c, x, axis.dilation)
    stride = axis.stride
    terms = -(-x.shape[1] // stride)
    if terms > _MAX_TERMS:
        refuse(
            f"{terms} windows overlap along an axis",
            f"At most {_MAX_TERMS} are supported: use smaller windows or a larger stride.",
        )
    x = _padded(c, x, 1, 0, terms * stride - x.shape[1])
    cut = reshaped(c, x, (x.shape[0], terms, stride, *x.shape[2:]))
    parts = [
        _padded(c, part, grid, number, terms - 1 - number)
        for number, part in enumerate(c.ops("unstack", cut, axis=1))
    ]
    total = parts[0] if terms == 1 else c.op("add_n", parts)
    order = [a for a in range(total.rank) if a != 1]
    order.insert(grid, 1)
    moved = transposed(c, total, order)
    # The axis of window numbers is now one position further to the front.
    count = moved.shape[grid - 1] * stride
    line = reshaped(c, moved, (*moved.shape[: grid - 1], count, *moved.shape[grid + 1 :]))
    last = min(count, axis.before + axis.extent)
    part = sliced(c, line, grid - 1, axis.before, last)
    return _padded(c, part, grid - 1, 0, axis.before + axis.extent - last)


def _spread(c: OperatorCall, x: Value, dilation: int) -> Value:
    """Return windows with zeros between the elements along axis 1."""
    extent = x.shape[1]
    if dilation == 1 or extent == 1:
        return x
    single = reshaped(c, x, (x.shape[0], extent, 1, *x.shape[2:]))
    wide = _padded(c, single, 2, 0, dilation - 1)
    merged = reshaped(c, wide, (x.shape[0], extent * dilation, *x.shape[2:]))
    return sliced(c, merged, 1, 0, (extent - 1) * dilation + 1)


def _padded(c: OperatorCall, x: Value, axis: int, before: int, after: int) -> Value:
    """Return a tensor with zeros before and after its elements along an axis."""
    if not before and not after:
        return x
    padding = [(0, 0)] * x.rank
    padding[axis] = (before, after)
    if x.data is not None:
        return c.graph.constant(np.pad(x.data, padding))
    return c.op("pad", x, padding=padding, border="constant", value=0.0)
