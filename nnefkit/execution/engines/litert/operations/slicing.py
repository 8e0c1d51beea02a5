"""Slicing, padding, tiling and gathering (4.5.4 to 4.5.7)."""

from __future__ import annotations

from nnefkit.arrays import Ints, Padding
from nnefkit.execution.engines.litert import borders, primitives
from nnefkit.execution.engines.litert.builder import TfliteBuilder, TfliteValue
from nnefkit.execution.engines.litert.lowerings import lowering
from nnefkit.operations.slicing import slice_bounds


@lowering("slice")
def slice_(
    b: TfliteBuilder, input: TfliteValue, *, axes: Ints, begin: Ints, end: Ints, stride: Ints
) -> TfliteValue:
    """Return the elements from `begin` (inclusive) to `end` (exclusive)."""
    bounds = slice_bounds([input.shape[axis] for axis in axes], begin, end, stride)
    return primitives.sliced(b, input, dict(zip(axes, bounds, strict=True)))


@lowering("pad")
def pad(
    b: TfliteBuilder, input: TfliteValue, *, padding: Padding, border: str, value: float
) -> TfliteValue:
    """Return the input with its borders extended or cropped."""
    return borders.pad(b, input, padding, border, value)


@lowering("tile")
def tile(b: TfliteBuilder, input: TfliteValue, *, repeats: Ints) -> TfliteValue:
    """Return the input repeated."""
    if all(times == 1 for times in repeats):
        return input
    shape = [extent * times for extent, times in zip(input.shape, repeats, strict=True)]
    return b.op("TILE", [input, b.ints(*repeats)], shape)


@lowering("gather")
def gather(b: TfliteBuilder, input: TfliteValue, indices: TfliteValue, *, axis: int) -> TfliteValue:
    """Return the elements at `indices` along `axis`."""
    if indices.data is not None:
        return primitives.take(b, input, indices.data, axis)
    shape = (*input.shape[:axis], *indices.shape, *input.shape[axis + 1 :])
    return b.op("GATHER", [input, indices], shape, Axis=axis)
