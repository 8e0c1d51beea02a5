"""Reductions (4.4)."""

from __future__ import annotations

from math import prod

import numpy as np

from nnefkit.exchange.caffe2.call import Call, operator
from nnefkit.exchange.compositions import indexing
from nnefkit.exchange.reshaping import EXACT, reshaped, to_dtype, to_scalar
from nnefkit.exchange.source_value import Value

_REDUCTIONS = {
    "ReduceSum": "sum_reduce",
    "ReduceMean": "mean_reduce",
    "ReduceMax": "max_reduce",
    "ReduceMin": "min_reduce",
}


def _axes(c: Call, x: Value) -> tuple[list[int], list[int]]:
    """Return the axes of a reduction, and the shape of its result."""
    axes = sorted({c.axis(axis, x.rank) for axis in c.arguments.integers("axes")})
    axes = axes or [*range(x.rank)]
    if c.arguments.flag("keepdims", True):
        return axes, [1 if axis in axes else n for axis, n in enumerate(x.shape)]
    return axes, [n for axis, n in enumerate(x.shape) if axis not in axes]


@operator(*_REDUCTIONS)
def reduce(c: Call) -> Value:
    """Read a sum, mean, maximum or minimum over some axes."""
    x = c.ranked(0)
    axes, shape = _axes(c, x)
    if not axes:
        return x
    result = c.op(_REDUCTIONS[c.operator], to_scalar(c, x), axes=axes)
    return reshaped(c, to_dtype(c, result, x.dtype), shape)


@operator("ReduceL1", "ReduceL2")
def norm(c: Call) -> Value:
    """Read the sum of absolute values, or the root of the sum of squares, over some axes."""
    x = c.ranked(0)
    axes, shape = _axes(c, x)
    is_first = c.operator == "ReduceL1"
    if not axes:
        return c.op("abs", x)
    total = c.op("sum_reduce", c.op("abs" if is_first else "sqr", x), axes=axes)
    return reshaped(c, total if is_first else c.op("sqrt", total), shape)


_ENDS = {
    f"Reduce{side}{name}": (side == "Front", f"{name.lower()}_reduce")
    for side in ("Front", "Back")
    for name in ("Sum", "Mean", "Max")
}


@operator(*_ENDS)
def reduce_end(c: Call) -> Value:
    """Read a sum, mean or maximum over the first or the last axes."""
    x = c.ranked(1)
    is_front, name = _ENDS[c.operator]
    if len(c.inputs) > 1:
        c.refuse("it reduces parts of given lengths", "Reduce all elements.")
    count = c.arguments.integer("num_reduce_dim", 1)
    if not 0 <= count <= x.rank:
        c.invalid(f"it reduces {count} axes of {x.rank}")
    if count == 0:
        return x
    axes = [*range(count)] if is_front else [*range(x.rank - count, x.rank)]
    result = to_dtype(c, c.op(name, to_scalar(c, x), axes=axes), x.dtype)
    return reshaped(c, result, x.shape[count:] if is_front else x.shape[: x.rank - count])


@operator("SumElements", "SumSqrElements")
def sum_elements(c: Call) -> Value:
    """Read the sum, or the mean, of all elements or of their squares."""
    x = c.ranked(0)
    if c.operator == "SumSqrElements":
        x = c.op("sqr", x)
    name = "mean_reduce" if c.arguments.flag("average") else "sum_reduce"
    return reshaped(c, c.op(name, x, axes=[*range(x.rank)]), ()) if x.rank else x


@operator("LpNorm")
def whole_norm(c: Call) -> Value:
    """Read the sum, or the mean, of the absolute values or the squares of all elements."""
    x, order = c.ranked(1), c.arguments.integer("p", 2)
    if order not in (1, 2):
        c.invalid(f"its p is {order}")
    magnitude = c.op("abs" if order == 1 else "sqr", x)
    name = "mean_reduce" if c.arguments.flag("average") else "sum_reduce"
    return reshaped(c, c.op(name, magnitude, axes=[*range(x.rank)]), (1,))


@operator("ColwiseMax", "RowwiseMax")
def matrix_maximum(c: Call) -> Value:
    """Read the maxima of the columns or rows of the matrices in a batch."""
    x = c.ranked(3, 3)
    axis = 1 if c.operator == "ColwiseMax" else 2
    shape = (x.shape[0], x.shape[3 - axis])
    return reshaped(c, c.op("max_reduce", x, axes=[axis]), shape)


@operator("ArgMax", "ArgMin")
def position(c: Call) -> Value:
    """Read `argmax_reduce` or `argmin_reduce`; of equal elements, the first one counts."""
    x = c.ranked(1)
    axis = c.axis(c.arguments.integer("axis", -1), x.rank)
    name = "argmax_reduce" if c.operator == "ArgMax" else "argmin_reduce"
    result = c.op(name, to_scalar(c, x), axes=[axis])
    if c.arguments.flag("keepdims", True):
        return result
    return reshaped(c, result, (*x.shape[:axis], *x.shape[axis + 1 :]))


@operator("TopK")
def top(c: Call) -> list[Value]:
    """Read the largest elements along an axis in order, up to 32, and their positions."""
    x, a = c.ranked(1), c.arguments
    axis = c.axis(a.integer("axis", -1), x.rank)
    if "k" not in a:
        c.refuse("its number of elements depends on an input", "Give it as the argument 'k'.")
    count = a.integer("k", 0)
    if not 1 <= count <= x.shape[axis]:
        c.refuse(
            f"it takes {count} of {x.shape[axis]} elements",
            "Take at least one, and not more than there are.",
        )
    values, places = indexing.top(c, x, count, axis)
    results = [to_dtype(c, values, x.dtype), places]
    if len(c.names) > 2 and prod(x.shape) <= EXACT:
        # The positions in the whole tensor as one row.
        after = prod(x.shape[axis + 1 :])
        grid = np.arange(prod(x.shape), dtype=np.int64).reshape(x.shape)
        first = np.take(grid, [0], axis).astype(np.float32)
        offset = c.graph.constant(first)
        flat = c.op("add", c.op("mul", to_scalar(c, places), float(after)), offset)
        results.append(reshaped(c, to_dtype(c, flat, np.dtype(np.int64)), (prod(places.shape),)))
    return results
