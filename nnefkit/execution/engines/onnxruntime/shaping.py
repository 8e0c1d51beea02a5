"""Tensor shape operations (4.5)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nnefkit.execution.engines.onnxruntime import padding as borders
from nnefkit.execution.engines.onnxruntime import primitives
from nnefkit.execution.engines.onnxruntime.builder import Builder, Value
from nnefkit.execution.engines.onnxruntime.primitives import cast as cast_to
from nnefkit.execution.engines.onnxruntime.primitives import compare, elementwise, unary, where
from nnefkit.execution.engines.onnxruntime.registry import lowering
from nnefkit.operations.shaping import reshape_shape, unsqueeze_shape
from nnefkit.operations.slicing import slice_bounds
from nnefkit.operations.sliding_window import Padding

Ints = Sequence[int]

# -- reshape, squeeze, unsqueeze, transpose (4.5.1, 4.5.2) -----------------------------------------


@lowering("reshape")
def reshape(b: Builder, input: Value, **attribs: Any) -> Value:
    """The same items in row-major order."""
    return b.reshape(input, reshape_shape(input.shape, **attribs))


@lowering("squeeze")
def squeeze(b: Builder, input: Value, *, axes: Ints) -> Value:
    """Without the singular dimensions `axes`."""
    shape = tuple(extent for axis, extent in enumerate(input.shape) if axis not in axes)
    if input.data is not None or not axes:
        return b.reshape(input, shape)
    return b.node("Squeeze", [input, b.ints(*axes)], shape)


@lowering("unsqueeze")
def unsqueeze(b: Builder, input: Value, *, axes: Ints) -> Value:
    """With singular dimensions at `axes` of the output."""
    shape = unsqueeze_shape(input.shape, axes=axes)
    if input.data is not None or not axes:
        return b.reshape(input, shape)
    return b.node("Unsqueeze", [input, b.ints(*axes)], shape)


@lowering("transpose")
def transpose(b: Builder, input: Value, *, axes: Ints) -> Value:
    """With the leading axes in the order of `axes`."""
    return primitives.transpose(b, input, [*axes, *range(len(axes), input.rank)])


# -- split, concat, stack, unstack (4.5.3) ---------------------------------------------------------


@lowering("split")
def split(b: Builder, value: Value, *, axis: int, ratios: Ints) -> list[Value]:
    """The parts, in their order along `axis`."""
    unit = value.shape[axis] // sum(ratios)
    return _parts(b, value, axis, [unit * ratio for ratio in ratios])


def _parts(b: Builder, value: Value, axis: int, extents: Ints) -> list[Value]:
    if len(extents) == 1:
        return [value]
    before, after = value.shape[:axis], value.shape[axis + 1 :]
    shapes = [(*before, extent, *after) for extent in extents]
    return b.several("Split", [value, b.ints(*extents)], shapes, axis=axis)


@lowering("concat")
def concat(b: Builder, values: list[Value], *, axis: int) -> Value:
    """The values one behind the other along `axis`."""
    return primitives.concat(b, values, axis)


@lowering("stack")
def stack(b: Builder, values: list[Value], *, axis: int) -> Value:
    """The values side by side along a new axis."""
    return primitives.concat(b, [unsqueeze(b, value, axes=[axis]) for value in values], axis)


@lowering("unstack")
def unstack(b: Builder, value: Value, *, axis: int) -> list[Value]:
    """The slices along `axis`, without it."""
    parts = _parts(b, value, axis, [1] * value.shape[axis])
    return [squeeze(b, part, axes=[axis]) for part in parts]


# -- slice, pad, tile, gather (4.5.4 to 4.5.7) -----------------------------------------------------


@lowering("slice")
def slice_(b: Builder, input: Value, *, axes: Ints, begin: Ints, end: Ints, stride: Ints) -> Value:
    """The items from `begin` (inclusive) to `end` (exclusive)."""
    bounds = slice_bounds([input.shape[axis] for axis in axes], begin, end, stride)
    ranges = {
        axis: (0, 0, 1) if first == last else (first, last, step)
        for axis, (first, last, step) in zip(axes, bounds, strict=True)
    }
    return primitives.sliced(b, input, ranges)


@lowering("pad")
def pad(b: Builder, input: Value, *, padding: Padding, border: str, value: float) -> Value:
    """The borders extended or cropped."""
    return borders.pad(b, input, padding, border, value)


@lowering("tile")
def tile(b: Builder, input: Value, *, repeats: Ints) -> Value:
    """The input repeated."""
    if all(times == 1 for times in repeats):
        return input
    shape = tuple(extent * times for extent, times in zip(input.shape, repeats, strict=True))
    return b.node("Tile", [input, b.ints(*repeats)], shape)


@lowering("gather")
def gather(b: Builder, input: Value, indices: Value, *, axis: int) -> Value:
    """The items at `indices` along `axis`."""
    shape = (*input.shape[:axis], *indices.shape, *input.shape[axis + 1 :])
    places = primitives.from_zero(b, indices, input.shape[axis])
    return b.node("Gather", [input, places], shape, axis=axis)


# -- cast (4.5.8) ----------------------------------------------------------------------------------


@lowering("cast")
def cast(b: Builder, input: Value, *, dtype: str) -> Value:
    """Another data-type: to integer it rounds down, to logical ``!= 0``."""
    if dtype == "scalar":
        return cast_to(b, input, b.scalar)
    if dtype == "integer":
        return _rounded_down(b, input) if input.dtype.kind == "f" else cast_to(b, input, np.int64)
    if input.dtype == np.bool_:
        return input
    return unary(b, "Not", compare(b, "Equal", input, 0))


def _rounded_down(b: Builder, x: Value) -> Value:
    """As 64-bit integers, the nearest where there is none; NaN becomes 0."""
    limit = 2.0**63
    holds = compare(b, "Less", unary(b, "Abs", x), limit)
    whole = cast_to(b, where(b, holds, unary(b, "Floor", x), 0.0), np.int64)
    for kind, bound, extreme in (
        ("GreaterOrEqual", limit, 2**63 - 1),
        ("LessOrEqual", -limit, -(2**63)),
    ):
        beyond = compare(b, kind, x, bound)
        whole = elementwise(
            b, "Where", beyond, b.constant(extreme, np.int64), whole, dtype=np.int64
        )
    return whole
