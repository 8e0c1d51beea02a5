"""Slicing, padding, tiling and gathering (4.5.4 to 4.5.7)."""

from __future__ import annotations

from nnefkit.arrays import Ints, Padding
from nnefkit.execution.engines.onnxruntime import borders, primitives
from nnefkit.execution.engines.onnxruntime.builder import Builder, OnnxValue
from nnefkit.execution.engines.onnxruntime.lowerings import lowering
from nnefkit.operations.slicing import slice_bounds


@lowering("slice")
def slice_(
    b: Builder, input: OnnxValue, *, axes: Ints, begin: Ints, end: Ints, stride: Ints
) -> OnnxValue:
    """Return the elements from `begin` (inclusive) to `end` (exclusive)."""
    bounds = slice_bounds([input.shape[axis] for axis in axes], begin, end, stride)
    ranges = {
        axis: (0, 0, 1) if first == last else (first, last, step)
        for axis, (first, last, step) in zip(axes, bounds, strict=True)
    }
    return primitives.sliced(b, input, ranges)


@lowering("pad")
def pad(b: Builder, input: OnnxValue, *, padding: Padding, border: str, value: float) -> OnnxValue:
    """Return the input with its borders extended or cropped."""
    return borders.pad(b, input, padding, border, value)


@lowering("tile")
def tile(b: Builder, input: OnnxValue, *, repeats: Ints) -> OnnxValue:
    """Return the input repeated."""
    if all(times == 1 for times in repeats):
        return input
    shape = tuple(extent * times for extent, times in zip(input.shape, repeats, strict=True))
    return b.node("Tile", [input, b.ints(*repeats)], shape)


@lowering("gather")
def gather(b: Builder, input: OnnxValue, indices: OnnxValue, *, axis: int) -> OnnxValue:
    """Return the elements at `indices` along `axis`."""
    shape = (*input.shape[:axis], *indices.shape, *input.shape[axis + 1 :])
    checked = primitives.from_zero(b, indices, input.shape[axis])
    return b.node("Gather", [input, checked], shape, axis=axis)
