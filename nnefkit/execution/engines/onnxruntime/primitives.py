"""ONNX operators with the shapes of their results, of which lowerings are made.

Numbers are accepted as values; element-wise operators broadcast as in NNEF.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from nnefkit.arrays import Array
from nnefkit.execution.engines.onnxruntime.builder import Builder, OnnxValue

Number = int | float
INT64_MIN = -(2**63)

# -- elementwise ----------------------------------------------------------------------------------


def align(b: Builder, *values: OnnxValue) -> list[OnnxValue]:
    """Return values with equal ranks: missing dimensions are trailing ones (4.2.2).

    Values of rank 0 stay as they are.
    """
    rank = max(value.rank for value in values)
    return [
        b.reshape(value, value.shape + (1,) * (rank - value.rank)) if value.rank else value
        for value in values
    ]


def _operands(b: Builder, values: Sequence[OnnxValue]) -> list[OnnxValue]:
    """Return aligned values as an operator takes them.

    Weights lose leading dimensions of 1, which ONNX does not need since it aligns from the right:
    ONNX Runtime recognizes a bias by its single dimension.
    """
    aligned = align(b, *values)
    rank = max(value.rank for value in values)
    if b.portable or not any(value.rank == rank and value.data is None for value in aligned):
        return aligned
    return [_without_ones(b, value) for value in aligned]


def _without_ones(b: Builder, value: OnnxValue) -> OnnxValue:
    if value.data is None or value.rank < 2 or value.shape[-1] == 1:
        return value
    first = next(axis for axis, extent in enumerate(value.shape) if extent != 1)
    return b.reshape(value, value.shape[first:])


def as_matrix(b: Builder, value: OnnxValue, rank: int) -> OnnxValue:
    """Return a factor without batch dimensions of 1: ONNX Runtime packs only single matrices.

    Only weights are changed, and only where the rank of the other factor is as large.
    """
    single = value.data is not None and math.prod(value.shape[:-2]) == 1 and value.rank <= rank
    return b.reshape(value, value.shape[-2:]) if single and not b.portable else value


def elementwise(
    b: Builder, kind: str, *arguments: OnnxValue | Number, dtype: Any = None
) -> OnnxValue:
    """Add an element-wise operator on values of one dtype, which broadcast."""
    like = next(argument for argument in arguments if isinstance(argument, OnnxValue))
    values = _operands(b, [a if isinstance(a, OnnxValue) else b.number(a, like) for a in arguments])
    shape = np.broadcast_shapes(*(value.shape for value in values))
    return b.node(kind, values, shape, dtype or values[0].dtype)


def add(b: Builder, x: OnnxValue | Number, y: OnnxValue | Number) -> OnnxValue:
    """Return ``x + y``."""
    return elementwise(b, "Add", x, y)


def sub(b: Builder, x: OnnxValue | Number, y: OnnxValue | Number) -> OnnxValue:
    """Return ``x - y``."""
    return elementwise(b, "Sub", x, y)


def mul(b: Builder, x: OnnxValue | Number, y: OnnxValue | Number) -> OnnxValue:
    """Return ``x * y``."""
    return elementwise(b, "Mul", x, y)


def div(b: Builder, x: OnnxValue | Number, y: OnnxValue | Number) -> OnnxValue:
    """Return ``x / y``."""
    return elementwise(b, "Div", x, y)


def floor_div(b: Builder, x: OnnxValue, y: OnnxValue) -> OnnxValue:
    """Return the quotient of integers, rounded down; it fails where an integer is divided by 0."""
    if y.data is None or not np.all(y.data):
        # The only index of one element: any other is out of range.
        is_zero = cast(b, compare(b, "Equal", y, 0), np.int64)
        y = add(b, y, b.node("Gather", [b.ints(0), is_zero], y.shape, axis=0))
    if y.data is None or np.any(y.data == -1):
        # The quotient of the least integer and -1 overflows, which ends the process.
        is_negating = compare(b, "Equal", y, -1)
        x = where(b, *align(b, is_negating, unary(b, "Neg", x), x))
        y = where(b, is_negating, 1, y)
    quotient = div(b, x, y)
    rest = sub(b, x, mul(b, quotient, y))
    # The operator rounds toward zero.
    is_above = compare(b, "Less", mul(b, unary(b, "Sign", rest), unary(b, "Sign", y)), 0)
    return sub(b, quotient, cast(b, is_above, np.int64))


def maximum(b: Builder, x: OnnxValue | Number, y: OnnxValue | Number) -> OnnxValue:
    """Return the greater of two values."""
    return elementwise(b, "Max", x, y)


def minimum(b: Builder, x: OnnxValue | Number, y: OnnxValue | Number) -> OnnxValue:
    """Return the lesser of two values."""
    return elementwise(b, "Min", x, y)


def compare(b: Builder, kind: str, x: OnnxValue | Number, y: OnnxValue | Number) -> OnnxValue:
    """Add a comparison or a logical operator."""
    return elementwise(b, kind, x, y, dtype=np.bool_)


def where(
    b: Builder, condition: OnnxValue, x: OnnxValue | Number, y: OnnxValue | Number
) -> OnnxValue:
    """Return `x` where the condition is true, else `y`."""
    like = x if isinstance(x, OnnxValue) else y
    if not isinstance(like, OnnxValue):
        like = b.constant(like, b.scalar)
    left, right = (v if isinstance(v, OnnxValue) else b.number(v, like) for v in (x, y))
    if left.dtype == np.bool_:
        chosen = compare(b, "And", condition, left)
        other = compare(b, "And", unary(b, "Not", condition), right)
        return compare(b, "Or", chosen, other)
    return elementwise(b, "Where", condition, left, right, dtype=left.dtype)


def unary(b: Builder, kind: str, x: OnnxValue, **attributes: Any) -> OnnxValue:
    """Add an operator that preserves shape and dtype."""
    return b.node(kind, [x], x.shape, **attributes)


def square(b: Builder, x: OnnxValue) -> OnnxValue:
    """Return ``x ^ 2``."""
    # The square of a difference may be part of a layer normalization, which ONNX Runtime
    # recognizes by `Pow`.
    return elementwise(b, "Pow", x, 2.0) if x.kind == "Sub" else mul(b, x, x)


def cast(b: Builder, x: OnnxValue, dtype: Any) -> OnnxValue:
    """Return the elements as another dtype."""
    dtype = np.dtype(dtype)
    if x.dtype == dtype:
        return x
    return b.node("Cast", [x], x.shape, dtype, to=dtype)


def round_half_up(b: Builder, x: OnnxValue) -> OnnxValue:
    """Return ``floor(x + 0.5)`` without the rounding of the addition (4.2.1)."""
    low = unary(b, "Floor", x)
    up = compare(b, "GreaterOrEqual", sub(b, x, low), 0.5)
    return add(b, low, cast(b, up, x.dtype))


# -- moved elements -------------------------------------------------------------------------------


def transpose(b: Builder, x: OnnxValue, axes: Sequence[int]) -> OnnxValue:
    """Return a value with its axes in another order."""
    axes = list(axes)
    if axes == sorted(axes):
        return x
    return b.node("Transpose", [x], tuple(x.shape[axis] for axis in axes), perm=axes)


def move_axis(b: Builder, x: OnnxValue, source: int, target: int) -> OnnxValue:
    """Return a value with one axis moved to another position."""
    axes = [axis for axis in range(x.rank) if axis != source]
    axes.insert(target, source)
    return transpose(b, x, axes)


def sliced(b: Builder, x: OnnxValue, ranges: dict[int, tuple[int, int, int]]) -> OnnxValue:
    """Return a part of a value, with start, end (-1: before the first element) and step by axis."""
    axes, starts, stops, steps = [], [], [], []
    shape = list(x.shape)
    for axis, (start, stop, step) in ranges.items():
        if (start, stop, step) == (0, shape[axis], 1):
            continue
        axes.append(axis)
        starts.append(start)
        stops.append(stop if stop >= 0 else INT64_MIN)
        steps.append(step)
        shape[axis] = max(-((start - stop) // step), 0)
    if not axes:
        return x
    bounds = [b.ints(*numbers) for numbers in (starts, stops, axes, steps)]
    return b.node("Slice", [x, *bounds], tuple(shape))


def take(b: Builder, x: OnnxValue, indices: Array, axis: int) -> OnnxValue:
    """Return the elements at known indices along one axis."""
    shape = (*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :])
    return b.node("Gather", [x, b.constant(indices, np.int64)], shape, axis=axis)


def from_zero(b: Builder, indices: OnnxValue, extent: int) -> OnnxValue:
    """Return indices that fail where they are negative, instead of counting from the end.

    Negative ones are less by the extent, so that none counts from the end.
    """
    if indices.data is not None and (indices.data >= 0).all():
        return indices
    return where(b, compare(b, "Less", indices, 0), sub(b, indices, extent), indices)


def concat(b: Builder, values: Sequence[OnnxValue], axis: int) -> OnnxValue:
    """Return values joined along an axis."""
    if len(values) == 1:
        return values[0]
    first = values[0].shape
    extent = sum(value.shape[axis] for value in values)
    return b.node("Concat", values, (*first[:axis], extent, *first[axis + 1 :]), axis=axis)


def expand(b: Builder, x: OnnxValue, shape: Sequence[int]) -> OnnxValue:
    """Return a value repeated along extents of 1."""
    shape = tuple(shape)
    return x if x.shape == shape else b.node("Expand", [x, b.ints(*shape)], shape)


# -- sums and maxima ------------------------------------------------------------------------------


def reduce(b: Builder, kind: str, x: OnnxValue, axes: Sequence[int]) -> OnnxValue:
    """Return ``ReduceSum`` and its like; the axes stay with extents of 1."""
    if not axes:
        return x
    axes = sorted(axes)
    shape = tuple(1 if axis in axes else extent for axis, extent in enumerate(x.shape))
    if kind == "ReduceSum" or b.opset >= 18:
        return b.node(kind, [x, b.ints(*axes)], shape, keepdims=1)
    return b.node(kind, [x], shape, keepdims=1, axes=axes)


def matmul(b: Builder, x: OnnxValue, y: OnnxValue) -> OnnxValue:
    """Return the product of matrices; batch dimensions broadcast as in ONNX."""
    batch = np.broadcast_shapes(x.shape[:-2], y.shape[:-2])
    return b.node("MatMul", [x, y], (*batch, x.shape[-2], y.shape[-1]))


def along(b: Builder, x: OnnxValue, axis: int, matrix: Array) -> OnnxValue:
    """Apply a linear function along one axis; `matrix` has a row for each result."""
    last = move_axis(b, x, axis, x.rank - 1)
    lines = b.reshape(last, (math.prod(last.shape[:-1]), last.shape[-1]))
    product = matmul(b, lines, b.constant(matrix.T, x.dtype))
    return move_axis(b, b.reshape(product, (*last.shape[:-1], len(matrix))), x.rank - 1, axis)


def as_rows(b: Builder, x: OnnxValue, axis: int) -> OnnxValue:
    """Return a value as images with the elements along `axis`: (before, 1, extent, after)."""
    before, after = math.prod(x.shape[:axis]), math.prod(x.shape[axis + 1 :])
    return b.reshape(x, (before, 1, x.shape[axis], after))


def with_nan(
    b: Builder, x: OnnxValue, result: OnnxValue, maxima: Callable[[OnnxValue], OnnxValue]
) -> OnnxValue:
    """Return maxima or minima that are NaN where one of their elements is; `b.careful` asks for it.

    ONNX Runtime returns NaN or another element, depending on its place.

    Args:
        b: The builder.
        x: The elements.
        result: Their maxima or minima as ONNX Runtime computes them.
        maxima: Computes maxima of the same elements of another tensor.
    """
    if not b.careful or x.dtype.kind != "f":
        return result
    return where(b, compare(b, "Greater", maxima(nan_flags(b, x)), 0.0), float("nan"), result)


def nan_flags(b: Builder, x: OnnxValue) -> OnnxValue:
    """Return 1 where an element is NaN, else 0."""
    return cast(b, b.node("IsNaN", [x], x.shape, np.bool_), np.float32)
