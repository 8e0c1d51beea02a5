"""Reduce operations (4.4), and `moments` (4.9.6)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from nnefkit.execution.engines.onnxruntime.builder import Builder, OnnxValue
from nnefkit.execution.engines.onnxruntime.lowerings import lowering
from nnefkit.execution.engines.onnxruntime.primitives import (
    cast,
    compare,
    matmul,
    nan_flags,
    reduce,
    square,
    sub,
    transpose,
    where,
    with_nan,
)

Axes = Sequence[int]


@lowering("sum_reduce")
def sum_reduce(b: Builder, input: OnnxValue, *, axes: Axes, normalize: bool) -> OnnxValue:
    """Return the sum, or if `normalize` the mean."""
    if input.dtype.kind == "i" and axes:
        return _integer_sum(b, input, axes)
    return reduce(b, "ReduceMean" if normalize else "ReduceSum", input, axes)


def _integer_sum(b: Builder, input: OnnxValue, axes: Axes) -> OnnxValue:
    """Return the sum of integers as a product with ones: ONNX Runtime sums them as float64."""
    flat, shape = _flattened(b, input, axes)
    rows = b.reshape(flat, (math.prod(flat.shape[:-1]), flat.shape[-1]))
    return b.reshape(matmul(b, rows, b.constant(np.ones((flat.shape[-1], 1), np.int64))), shape)


@lowering("mean_reduce")
def mean_reduce(b: Builder, input: OnnxValue, *, axes: Axes) -> OnnxValue:
    """Return the mean."""
    return reduce(b, "ReduceMean", input, axes)


@lowering("max_reduce")
def max_reduce(b: Builder, input: OnnxValue, *, axes: Axes) -> OnnxValue:
    """Return the maximum."""
    result = reduce(b, "ReduceMax", input, axes)
    return with_nan(b, input, result, lambda flags: reduce(b, "ReduceMax", flags, axes))


@lowering("min_reduce")
def min_reduce(b: Builder, input: OnnxValue, *, axes: Axes) -> OnnxValue:
    """Return the minimum."""
    result = reduce(b, "ReduceMin", input, axes)
    return with_nan(b, input, result, lambda flags: reduce(b, "ReduceMax", flags, axes))


@lowering("all_reduce")
def all_reduce(b: Builder, input: OnnxValue, *, axes: Axes) -> OnnxValue:
    """Return whether all elements are true: the minimum of zeros and ones."""
    return cast(b, reduce(b, "ReduceMin", cast(b, input, np.int32), axes), np.bool_)


@lowering("any_reduce")
def any_reduce(b: Builder, input: OnnxValue, *, axes: Axes) -> OnnxValue:
    """Return whether any element is true: the maximum of zeros and ones."""
    return cast(b, reduce(b, "ReduceMax", cast(b, input, np.int32), axes), np.bool_)


@lowering("argmax_reduce")
def argmax_reduce(b: Builder, input: OnnxValue, *, axes: Axes) -> OnnxValue:
    """Return the position of the first maximum."""
    return _first_position(b, "ArgMax", input, axes)


@lowering("argmin_reduce")
def argmin_reduce(b: Builder, input: OnnxValue, *, axes: Axes) -> OnnxValue:
    """Return the position of the first minimum."""
    return _first_position(b, "ArgMin", input, axes)


def _first_position(b: Builder, kind: str, input: OnnxValue, axes: Axes) -> OnnxValue:
    """Return the position of the first extreme element, or if `b.careful` of the first NaN."""
    position = _position(b, kind, input, axes)
    if not b.careful or input.dtype.kind != "f":
        return position
    flags = nan_flags(b, input)
    has_nan = compare(b, "Greater", reduce(b, "ReduceMax", flags, axes), 0.0)
    return where(b, has_nan, _position(b, "ArgMax", flags, axes), position)


def _position(b: Builder, kind: str, input: OnnxValue, axes: Axes) -> OnnxValue:
    """Return the position in the volume of the reduced axes, in row-major order."""
    if len(axes) == 1:
        shape = tuple(1 if axis in axes else extent for axis, extent in enumerate(input.shape))
        return b.node(kind, [input], shape, np.int64, axis=axes[0], keepdims=1)
    flat, shape = _flattened(b, input, axes)
    position = b.node(kind, [flat], (*flat.shape[:-1], 1), np.int64, axis=flat.rank - 1, keepdims=1)
    return b.reshape(position, shape)


def _flattened(b: Builder, x: OnnxValue, axes: Axes) -> tuple[OnnxValue, tuple[int, ...]]:
    """Return a value with the reduced axes as one last axis, and the shape of the result."""
    shape = tuple(1 if axis in axes else extent for axis, extent in enumerate(x.shape))
    kept = [axis for axis in range(x.rank) if axis not in axes]
    volume = math.prod(x.shape[axis] for axis in axes)
    moved = transpose(b, x, [*kept, *sorted(axes)])
    return b.reshape(moved, [*(x.shape[axis] for axis in kept), volume]), shape


@lowering("moments")
def moments(b: Builder, input: OnnxValue, *, axes: Axes) -> list[OnnxValue]:
    """Return mean and variance."""
    mean = reduce(b, "ReduceMean", input, axes)
    difference = sub(b, input, mean)
    return [mean, reduce(b, "ReduceMean", square(b, difference), axes)]
