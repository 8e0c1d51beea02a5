"""Joining and splitting, reversal of axes, and padding that `pad` does not express (4.5)."""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd

import numpy as np

from nnefkit.arrays import Padding
from nnefkit.exchange.call import OperatorCall
from nnefkit.exchange.refusal import refuse
from nnefkit.exchange.reshaping import BEFORE_FIRST, empty, sliced, written_bounds
from nnefkit.exchange.source_value import Value


def tiled(c: OperatorCall, x: Value, repeats: Sequence[int]) -> Value:
    """Return `x` repeated along each axis.

    Raises:
        Refusal: There is not one number for each axis, or one is negative.
    """
    if len(repeats) != x.rank or min(repeats, default=0) < 0:
        refuse(f"its repeats are {[*repeats]}, but its input has rank {x.rank}", c.invalid_hint)
    if 0 in repeats:
        return empty(c, [n * repeat for n, repeat in zip(x.shape, repeats, strict=True)], x.dtype)
    return x if all(repeat == 1 for repeat in repeats) else c.op("tile", x, repeats=[*repeats])


def flipped(c: OperatorCall, x: Value, axes: Sequence[int]) -> Value:
    """Return `x` with the elements along some axes in reverse order."""
    axes = [axis for axis in axes if x.shape[axis] > 1]
    if not axes:
        return x
    if x.data is not None:
        return c.graph.derived(
            x, ("flip", *axes), lambda data: np.ascontiguousarray(np.flip(data, tuple(axes)))
        )
    count = len(axes)
    begin, end, stride = [-1] * count, [BEFORE_FIRST] * count, [-1] * count
    return c.op("slice", x, axes=axes, begin=begin, end=end, stride=stride)


def begun_backward(c: OperatorCall, x: Value, axis: int, length: int) -> Value:
    """Return `x` with the first `length` elements of an axis in reverse order."""
    if length < 2:
        return x
    if length == x.shape[axis]:
        return flipped(c, x, [axis])
    begin, end, stride = [length - 1], [BEFORE_FIRST], [-1]
    first = c.op("slice", x, axes=[axis], begin=begin, end=end, stride=stride)
    return c.op("concat", [first, sliced(c, x, axis, length, x.shape[axis])], axis=axis)


def element(c: OperatorCall, x: Value, axis: int, index: int) -> Value:
    """Return one element of an axis, which keeps an extent of 1; negative indices stay negative."""
    begin, end = written_bounds(index, index + 1 or None, x.shape[axis])
    return c.op("slice", x, axes=[axis], begin=[begin], end=[end])


def split(c: OperatorCall, x: Value, axis: int, lengths: Sequence[int]) -> list[Value]:
    """Split `x` along an axis into parts of the given lengths, some of which may be empty."""
    positive = [length for length in lengths if length]
    if len(positive) == 1:
        parts = [x]
    else:
        divisor = gcd(*positive)
        parts = c.ops("split", x, axis=axis, ratios=[length // divisor for length in positive])
    remaining = iter(parts)
    shapes = [(*x.shape[:axis], length, *x.shape[axis + 1 :]) for length in lengths]
    return [next(remaining) if all(shape) else empty(c, shape, x.dtype) for shape in shapes]


def concat(c: OperatorCall, parts: Sequence[Value], axis: int) -> Value:
    """Return the concatenation of tensors; empty ones are left out."""
    filled = [part for part in parts if 0 not in part.shape]
    if not filled:
        shape = [*parts[0].shape]
        shape[axis] = sum(part.shape[axis] for part in parts)
        return empty(c, shape, parts[0].dtype)
    return filled[0] if len(filled) == 1 else c.op("concat", filled, axis=axis)


def cropped(c: OperatorCall, x: Value, padding: Padding) -> tuple[Value, Padding]:
    """Return `x` without the elements that negative padding removes, and the remaining padding."""
    for axis, (before, after) in enumerate(padding):
        extent = x.shape[axis]
        begin, end = max(-before, 0), min(after, 0)
        written = written_bounds(begin, end or None, extent)
        x = sliced(c, x, axis, begin, extent + end, written=written)
    return x, [(max(before, 0), max(after, 0)) for before, after in padding]


def wrapped_around(c: OperatorCall, x: Value, padding: Padding) -> Value:
    """Return `x` padded with elements from the opposite end of each axis.

    Raises:
        Refusal: The padding is longer than the axis.
    """
    x, padding = cropped(c, x, padding)
    for axis, (before, after) in enumerate(padding):
        extent = x.shape[axis]
        if before > extent or after > extent:
            refuse("it wraps around an axis more than once", "Pad in several steps.")
        written = written_bounds(-before, None, extent)
        parts = [sliced(c, x, axis, extent - before, extent, written=written)] if before else []
        parts.append(x)
        parts += [sliced(c, x, axis, 0, after)] if after else []
        if len(parts) > 1:
            x = c.op("concat", parts, axis=axis)
    return x


def padded_by_constants(c: OperatorCall, x: Value, padding: Padding, number: float) -> Value:
    """Return `x` padded with a number that no literal can express, such as infinity."""
    x, padding = cropped(c, x, padding)
    for axis, lengths in enumerate(padding):
        shapes = [(*x.shape[:axis], length, *x.shape[axis + 1 :]) for length in lengths]
        before, after = (
            [c.graph.constant(np.full(shape, number, c.scalar_dtype))] if 0 not in shape else []
            for shape in shapes
        )
        if before or after:
            x = c.op("concat", [*before, x, *after], axis=axis)
    return x
