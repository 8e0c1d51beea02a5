"""Reductions (4.4)."""

from __future__ import annotations

import numpy as np

from nnefkit.exchange.caffe.call import Call, layer
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
    """Read `argmax_reduce` as scalars, or the maximum; of equal elements, the last one counts."""
    x, p = c.one(), c.parameter("argmax_param")
    if p.top_k != 1:
        c.refuse(
            f"it returns the {p.top_k} largest elements, and NNEF does not sort",
            "Set top_k: 1, or cut the network before it and sort outside.",
        )
    if p.HasField("axis"):
        axis = c.axis(p.axis, x.rank)
        return c.op("max_reduce", x, axes=[axis]) if p.out_max_val else _last(c, x, axis)
    if x.rank < 1:
        c.invalid("its bottom is a number")
    size = int(np.prod(x.shape[1:]))
    flat = reshaped(c, x, (x.shape[0], 1, size))
    parts = [_last(c, flat, 2)]
    if p.out_max_val:
        parts.append(c.op("max_reduce", flat, axes=[2]))
    result = parts[0] if len(parts) == 1 else c.op("concat", parts, axis=1)
    return reshaped(c, result, (x.shape[0], len(parts), *(1,) * max(x.rank - 2, 1)))


def _last(c: Call, x: Value, axis: int) -> Value:
    """Return the position of the last of the largest elements along an axis."""
    backward = c.op("argmax_reduce", flipped(c, x, [axis]), axes=[axis])
    return c.op("sub", float(x.shape[axis] - 1), c.op("cast", backward, data_type="scalar"))
