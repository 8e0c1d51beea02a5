"""Reductions (4.4)."""

from __future__ import annotations

import math

import numpy as np

from nnefkit.arrays import Ints
from nnefkit.execution.engines.litert.builder import TfliteBuilder, TfliteValue
from nnefkit.execution.engines.litert.lowerings import lowering
from nnefkit.execution.engines.litert.primitives import (
    cast,
    compare,
    expand,
    mul,
    reduce,
    sub,
    transpose,
)


@lowering("sum_reduce")
def sum_reduce(b: TfliteBuilder, input: TfliteValue, *, axes: Ints, normalize: bool) -> TfliteValue:
    """Return the sum, or if `normalize` the average."""
    return reduce(b, "MEAN" if normalize else "SUM", input, axes)


@lowering("mean_reduce")
def mean_reduce(b: TfliteBuilder, input: TfliteValue, *, axes: Ints) -> TfliteValue:
    """Return the average."""
    return reduce(b, "MEAN", input, axes)


@lowering("max_reduce")
def max_reduce(b: TfliteBuilder, input: TfliteValue, *, axes: Ints) -> TfliteValue:
    """Return the maximum."""
    return reduce(b, "REDUCE_MAX", input, axes)


@lowering("min_reduce")
def min_reduce(b: TfliteBuilder, input: TfliteValue, *, axes: Ints) -> TfliteValue:
    """Return the minimum."""
    return reduce(b, "REDUCE_MIN", input, axes)


@lowering("all_reduce")
def all_reduce(b: TfliteBuilder, input: TfliteValue, *, axes: Ints) -> TfliteValue:
    """Return whether all elements are true."""
    return reduce(b, "REDUCE_ALL", input, axes)


@lowering("any_reduce")
def any_reduce(b: TfliteBuilder, input: TfliteValue, *, axes: Ints) -> TfliteValue:
    """Return whether any element is true."""
    return reduce(b, "REDUCE_ANY", input, axes)


@lowering("argmax_reduce")
def argmax_reduce(b: TfliteBuilder, input: TfliteValue, *, axes: Ints) -> TfliteValue:
    """Return the index of the first maximum."""
    return _position(b, "ARG_MAX", input, axes, "REDUCE_MAX")


@lowering("argmin_reduce")
def argmin_reduce(b: TfliteBuilder, input: TfliteValue, *, axes: Ints) -> TfliteValue:
    """Return the index of the first minimum."""
    return _position(b, "ARG_MIN", input, axes, "REDUCE_MIN")


def _position(b: TfliteBuilder, kind: str, x: TfliteValue, axes: Ints, extreme: str) -> TfliteValue:
    from nnefkit.execution.engines.litert.flat_file import TENSOR_TYPES

    shape = tuple(1 if axis in axes else extent for axis, extent in enumerate(x.shape))
    if not axes:
        return expand(b, b.constant(np.int64(0)), shape)
    if not x.is_real:
        # There is no kernel for 64 bits; the first extreme is the first of all extremes.
        is_extreme = compare(b, "EQUAL", x, reduce(b, extreme, x, axes))
        kind, x = "ARG_MAX", cast(b, is_extreme, np.int32)
    axis = axes[0]
    if len(axes) > 1:
        # The elements along all axes become one row.
        kept = [other for other in range(x.rank) if other not in axes]
        x = transpose(b, x, [*kept, *axes])
        x = b.reshape(x, (*x.shape[: len(kept)], math.prod(x.shape[len(kept) :])))
        axis = x.rank - 1
    result = b.op(
        kind,
        [x, b.ints(axis)],
        (*x.shape[:axis], *x.shape[axis + 1 :]),
        np.int64,
        OutputType=TENSOR_TYPES()[np.dtype(np.int64)],
    )
    return b.reshape(result, shape)


@lowering("moments")
def moments(b: TfliteBuilder, input: TfliteValue, *, axes: Ints) -> list[TfliteValue]:
    """Return average and variance."""
    mean = reduce(b, "MEAN", input, axes)
    centered = sub(b, input, mean)
    return [mean, reduce(b, "MEAN", mul(b, centered, centered), axes)]
