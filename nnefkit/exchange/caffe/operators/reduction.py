"""Reductions (4.4)."""

from __future__ import annotations

import numpy as np

from nnefkit.exchange.caffe.call import Call, layer
from nnefkit.exchange.compositions import indexing
from nnefkit.exchange.compositions.shaping import flipped
from nnefkit.exchange.reshaping import reshaped
from nnefkit.exchange.source_value import Value

_ASUM, _SUMSQ, _MEAN = 2, 3, 4


@layer("Reduction")
def reduction(c: Call) -> Value:
    """Read a sum or a mean of elements, absolute values or squares, from an axis on."""
    x, p = c.one(), c.parameter("reduction_param")
    axis = c.axis(p.axis, x.rank)
    axes = [*range(axis, x.rank)]
    if p.operation == _ASUM:
        x = c.op("abs", x)
    elif p.operation == _SUMSQ:
        x = c.op("sqr", x)
    reduced = c.op("mean_reduce" if p.operation == _MEAN else "sum_reduce", x, axes=axes)
    result = reshaped(c, reduced, x.shape[:axis])
    return result if p.coeff == 1 else c.op("mul", result, c.decimal(p.coeff))


@layer("ArgMax")
def arg_max(c: Call) -> Value:
    """Read the positions of the largest elements, or the elements; of equal ones, the last."""
    x, p = c.one(), c.parameter("argmax_param")
    count = int(p.top_k)
    if p.HasField("axis"):
        axis = c.axis(p.axis, x.rank)
        values, places = _largest(c, x, axis, count)
        return values if p.out_max_val else places
    if x.rank < 1:
        c.invalid("its bottom is a number")
    size = int(np.prod(x.shape[1:]))
    values, places = _largest(c, reshaped(c, x, (x.shape[0], 1, size)), 2, count)
    parts = [places, values] if p.out_max_val else [places]
    result = parts[0] if len(parts) == 1 else c.op("concat", parts, axis=1)
    return reshaped(c, result, (x.shape[0], len(parts), count, *(1,) * (x.rank - 3)))


def _largest(c: Call, x: Value, axis: int, count: int) -> tuple[Value, Value]:
    """Return the largest elements along an axis in order, and their positions as scalars.

    Of equal elements, those with the largest positions come first.
    """
    if not 1 <= count <= x.shape[axis]:
        c.invalid(f"it returns {count} of {x.shape[axis]} elements")
    backward = flipped(c, x, [axis])
    values, places = indexing.top(c, backward, count, axis)
    position = c.op("cast", places, data_type="scalar")
    return values, c.op("sub", float(x.shape[axis] - 1), position)
