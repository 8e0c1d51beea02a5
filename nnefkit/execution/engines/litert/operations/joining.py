"""Joining and dividing tensors (4.5.3)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nnefkit.arrays import Ints
from nnefkit.execution.engines.litert import primitives
from nnefkit.execution.engines.litert.builder import TfliteBuilder, TfliteValue
from nnefkit.execution.engines.litert.lowerings import lowering


@lowering("concat")
def concat(b: TfliteBuilder, values: Sequence[TfliteValue], *, axis: int) -> TfliteValue:
    """Return the values joined along an axis."""
    return primitives.concat(b, values, axis)


@lowering("stack")
def stack(b: TfliteBuilder, values: Sequence[TfliteValue], *, axis: int) -> TfliteValue:
    """Return the values joined along a new axis."""
    if values[0].dtype == np.bool_:
        return primitives.concat(b, [_unsqueezed(b, value, axis) for value in values], axis)
    shape = [*values[0].shape]
    shape.insert(axis, len(values))
    return b.op("PACK", values, shape, ValuesCount=len(values), Axis=axis)


@lowering("split")
def split(b: TfliteBuilder, value: TfliteValue, *, axis: int, ratios: Ints) -> list[TfliteValue]:
    """Return parts of the value, with extents in the proportion of `ratios`."""
    unit = value.shape[axis] // sum(ratios)
    extents = [unit * ratio for ratio in ratios]
    if len(extents) == 1:
        return [value]
    if value.dtype not in (np.float32, np.int32):
        return _parts(b, value, axis, extents)
    shapes = [(*value.shape[:axis], n, *value.shape[axis + 1 :]) for n in extents]
    dimension = b.constant(np.array(axis, np.int32))
    if len(set(extents)) == 1:
        inputs = [dimension, value]
        return b.several("SPLIT", inputs, shapes, value.dtype, NumSplits=len(extents))
    inputs = [value, b.ints(*extents), dimension]
    return b.several("SPLIT_V", inputs, shapes, value.dtype, NumSplits=len(extents))


def _parts(
    b: TfliteBuilder, value: TfliteValue, axis: int, extents: Sequence[int]
) -> list[TfliteValue]:
    """Return parts of a value of any dtype."""
    ends = np.cumsum(extents).tolist()
    return [
        primitives.sliced(b, value, {axis: (end - extent, end, 1)})
        for end, extent in zip(ends, extents, strict=True)
    ]


def _unsqueezed(b: TfliteBuilder, value: TfliteValue, axis: int) -> TfliteValue:
    return b.reshape(value, (*value.shape[:axis], 1, *value.shape[axis:]))


@lowering("unstack")
def unstack(b: TfliteBuilder, value: TfliteValue, *, axis: int) -> list[TfliteValue]:
    """Return the slices along an axis, without the axis."""
    count = value.shape[axis]
    shape = (*value.shape[:axis], *value.shape[axis + 1 :])
    if value.dtype not in (np.float32, np.int32):
        return [b.reshape(part, shape) for part in _parts(b, value, axis, [1] * count)]
    return b.several("UNPACK", [value], [shape] * count, Num=count, Axis=axis)
