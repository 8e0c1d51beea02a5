"""TFLite operators with the shapes of their results, of which lowerings are made.

Numbers are accepted as values; element-wise operators broadcast as in NNEF.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nnefkit.arrays import Array, Shape
from nnefkit.execution.engines.litert.builder import TfliteBuilder, TfliteValue

Number = int | float
_BROADCAST_RANK = 4
"""The rank up to which all element-wise operators broadcast."""

# -- elementwise ----------------------------------------------------------------------------------


def aligned(b: TfliteBuilder, values: Sequence[TfliteValue]) -> list[TfliteValue]:
    """Return values with equal ranks: missing dimensions are trailing ones (4.2.2).

    Values of rank 0 stay as they are.
    """
    rank = max(value.rank for value in values)
    return [
        b.reshape(value, value.shape + (1,) * (rank - value.rank)) if value.rank else value
        for value in values
    ]


def elementwise(
    b: TfliteBuilder, kind: str, *arguments: TfliteValue | Number, dtype: Any = None, **options: Any
) -> TfliteValue:
    """Add an element-wise operator on values of one dtype, which broadcast."""
    like = next(argument for argument in arguments if isinstance(argument, TfliteValue))
    given = [a if isinstance(a, TfliteValue) else b.number(a, like) for a in arguments]
    values = aligned(b, given)
    shape = np.broadcast_shapes(*(value.shape for value in values))
    merged = _merged_axes([value.shape for value in values], shape)
    if merged is None:
        return b.op(kind, values, shape, dtype or values[0].dtype, **options)
    # Axes that all values have alike are one axis.
    values = [_with_merged(b, value, merged, len(shape)) for value in values]
    small = tuple(math.prod(shape[axis] for axis in group) for group in merged)
    if len(merged) > _BROADCAST_RANK:
        values = [expand(b, value, small) if value.rank else value for value in values]
    result = b.op(kind, values, small, dtype or values[0].dtype, **options)
    return b.reshape(result, shape)


def _merged_axes(shapes: Sequence[Shape], result: Shape) -> list[list[int]] | None:
    """Return groups of neighboring axes to merge; None if the operator takes them as they are."""
    full = [shape for shape in shapes if shape]
    if len(result) <= _BROADCAST_RANK or all(shape == result for shape in full):
        return None
    groups: list[list[int]] = []
    for axis in range(len(result)):
        pattern = [shape[axis] == 1 for shape in full]
        if groups and pattern == [shape[groups[-1][-1]] == 1 for shape in full]:
            groups[-1].append(axis)
        else:
            groups.append([axis])
    return groups


def _with_merged(
    b: TfliteBuilder, value: TfliteValue, groups: Sequence[Sequence[int]], rank: int
) -> TfliteValue:
    if value.rank != rank:
        return value
    return b.reshape(value, [math.prod(value.shape[axis] for axis in group) for group in groups])


def unary(b: TfliteBuilder, kind: str, x: TfliteValue, **options: Any) -> TfliteValue:
    """Add an operator that preserves shape and dtype."""
    return b.op(kind, [x], x.shape, **options)


def add(b: TfliteBuilder, x: TfliteValue | Number, y: TfliteValue | Number) -> TfliteValue:
    """Return ``x + y``."""
    return elementwise(b, "ADD", x, y)


def sub(b: TfliteBuilder, x: TfliteValue | Number, y: TfliteValue | Number) -> TfliteValue:
    """Return ``x - y``."""
    return elementwise(b, "SUB", x, y)


def mul(b: TfliteBuilder, x: TfliteValue | Number, y: TfliteValue | Number) -> TfliteValue:
    """Return ``x * y``."""
    return elementwise(b, "MUL", x, y)


def square(b: TfliteBuilder, x: TfliteValue) -> TfliteValue:
    """Return ``x ^ 2``."""
    source = x.operator
    if source is not None and source.kind == "SUB" and x.is_real and not x.line:
        return elementwise(b, "SQUARED_DIFFERENCE", *source.inputs)
    return mul(b, x, x)


def div(b: TfliteBuilder, x: TfliteValue | Number, y: TfliteValue | Number) -> TfliteValue:
    """Return ``x / y``."""
    return elementwise(b, "DIV", x, y)


def maximum(b: TfliteBuilder, x: TfliteValue, y: TfliteValue | Number) -> TfliteValue:
    """Return the greater of two values."""
    return elementwise(b, "MAXIMUM", x, y)


def minimum(b: TfliteBuilder, x: TfliteValue, y: TfliteValue | Number) -> TfliteValue:
    """Return the lesser of two values."""
    return elementwise(b, "MINIMUM", x, y)


def log_of_one_plus(b: TfliteBuilder, x: TfliteValue) -> TfliteValue:
    """Return ``log(1 + x)``, also for `x` that would be lost beside 1.

    Near 1, LiteRT computes logarithms to the last place of 1: small `x` take the series of
    ``2 atanh(x / (2 + x))`` instead.
    """
    ratio = div(b, x, add(b, x, 2.0))
    square_ = mul(b, ratio, ratio)
    series: TfliteValue | float = 1 / 11
    for n in (9, 7, 5, 3, 1):
        series = add(b, mul(b, square_, series), 1 / n)
    near = mul(b, mul(b, ratio, 2.0), series)
    is_near = compare(b, "LESS", unary(b, "ABS", x), 0.25)
    return where(b, is_near, near, unary(b, "LOG", add(b, x, 1.0)))


def compare(
    b: TfliteBuilder, kind: str, x: TfliteValue | Number, y: TfliteValue | Number
) -> TfliteValue:
    """Add a comparison or a logical operator."""
    return elementwise(b, kind, x, y, dtype=np.bool_)


def where(
    b: TfliteBuilder, condition: TfliteValue, x: TfliteValue | Number, y: TfliteValue | Number
) -> TfliteValue:
    """Return `x` where the condition is true, else `y`."""
    like = x if isinstance(x, TfliteValue) else y
    if not isinstance(like, TfliteValue):
        like = b.constant(like, b.scalar)
    pair = [v if isinstance(v, TfliteValue) else b.number(v, like) for v in (x, y)]
    return elementwise(b, "SELECT_V2", condition, *pair, dtype=pair[0].dtype)


def cast(b: TfliteBuilder, x: TfliteValue, dtype: Any) -> TfliteValue:
    """Return the elements as another dtype."""
    from nnefkit.execution.engines.litert.flat_file import TENSOR_TYPES

    dtype = np.dtype(dtype)
    if x.dtype == dtype:
        return x
    if x.data is not None:
        return TfliteValue(x.shape, dtype, data=x.data.astype(dtype))
    types = TENSOR_TYPES()
    return b.op("CAST", [x], x.shape, dtype, InDataType=types[x.dtype], OutDataType=types[dtype])


def round_half_up(b: TfliteBuilder, x: TfliteValue) -> TfliteValue:
    """Return ``floor(x + 0.5)`` without the rounding of the addition (4.2.1)."""
    low = unary(b, "FLOOR", x)
    up = compare(b, "GREATER_EQUAL", sub(b, x, low), 0.5)
    return add(b, low, cast(b, up, x.dtype))


# -- moved elements -------------------------------------------------------------------------------


def transpose(b: TfliteBuilder, x: TfliteValue, axes: Sequence[int]) -> TfliteValue:
    """Return a value with its axes in another order; constants are transposed at once."""
    axes = [*axes]
    if axes == sorted(axes):
        return x
    shape = tuple(x.shape[axis] for axis in axes)
    if x.data is not None:
        return b.derived(x, np.ascontiguousarray(x.data.transpose(axes)))
    wide = [axis for axis in axes if x.shape[axis] != 1]
    if wide == sorted(wide):
        return b.reshape(x, shape)
    return b.op("TRANSPOSE", [x, b.ints(*axes)], shape)


def move_axis(b: TfliteBuilder, x: TfliteValue, source: int, target: int) -> TfliteValue:
    """Return a value with one axis moved to another position."""
    axes = [axis for axis in range(x.rank) if axis != source]
    axes.insert(target, source)
    return transpose(b, x, axes)


def sliced(
    b: TfliteBuilder, x: TfliteValue, ranges: Mapping[int, tuple[int, int, int]]
) -> TfliteValue:
    """Return a part of a value; start, end (-1: before the first element) and step by axis."""
    starts, stops, steps = [0] * x.rank, [*x.shape], [1] * x.rank
    shape = [*x.shape]
    mask = 0
    for axis, (start, stop, step) in ranges.items():
        starts[axis], stops[axis], steps[axis] = start, stop, step
        shape[axis] = max(-((start - stop) // step), 0)
        if stop < 0:
            mask |= 1 << axis
            stops[axis] = 0
    if shape == [*x.shape] and all(step == 1 for step in steps):
        return x
    if all(step == 1 for step in steps):
        return b.op("SLICE", [x, b.ints(*starts), b.ints(*shape)], shape)
    bounds = [b.ints(*numbers) for numbers in (starts, stops, steps)]
    return b.op("STRIDED_SLICE", [x, *bounds], shape, EndMask=mask)


def take(b: TfliteBuilder, x: TfliteValue, indices: Array, axis: int) -> TfliteValue:
    """Return the elements at known indices along one axis."""
    shape = (*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :])
    return b.op("GATHER", [x, b.constant(indices, np.int32)], shape, Axis=axis)


def concat(b: TfliteBuilder, values: Sequence[TfliteValue], axis: int) -> TfliteValue:
    """Return values joined along an axis."""
    if len(values) == 1:
        return values[0]
    first = values[0].shape
    extent = sum(value.shape[axis] for value in values)
    shape = (*first[:axis], extent, *first[axis + 1 :])
    return b.op("CONCATENATION", values, shape, Axis=axis)


def expand(b: TfliteBuilder, x: TfliteValue, shape: Sequence[int]) -> TfliteValue:
    """Return a value repeated along extents of 1."""
    shape = tuple(shape)
    if x.shape == shape:
        return x
    if x.data is not None:
        return b.derived(x, np.ascontiguousarray(np.broadcast_to(x.data, shape)))
    return b.op("BROADCAST_TO", [x, b.ints(*shape)], shape)


# -- sums and maxima ------------------------------------------------------------------------------


def reduce(b: TfliteBuilder, kind: str, x: TfliteValue, axes: Sequence[int]) -> TfliteValue:
    """Return ``SUM`` and its like; the axes stay with extents of 1."""
    if not axes:
        return x
    axes = sorted(axes)
    shape = tuple(1 if axis in axes else extent for axis, extent in enumerate(x.shape))
    return b.op(kind, [x, b.ints(*axes)], shape, KeepDims=True)
