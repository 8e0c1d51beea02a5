"""Reductions."""

from __future__ import annotations

from typing import Any

import numpy as np

from nnefkit.arrays import Array
from nnefkit.exchange.onnx.call import Call, operator
from nnefkit.exchange.reshaping import reshaped, to_dtype, to_dtype_truncated, to_scalar, transposed
from nnefkit.exchange.source_graph import LOGICAL, Value

_LONGEST_PRODUCT = 64

_SIMPLE = {
    "ReduceSum": "sum_reduce",
    "ReduceMean": "mean_reduce",
    "ReduceMax": "max_reduce",
    "ReduceMin": "min_reduce",
}


@operator(
    *_SIMPLE,
    "ReduceL1",
    "ReduceL2",
    "ReduceSumSquare",
    "ReduceLogSum",
    "ReduceLogSumExp",
    "ReduceProd",
)
def reduce(c: Call) -> Value:
    """Over some axes, or over all of them, which are kept as singular ones or not."""
    x = c[0]
    axes = c.ints("axes", 1)
    if not axes and c.attribute("noop_with_empty_axes", 0):
        axes = []
    elif not axes:
        axes = [*range(x.rank)]
    axes = sorted({axis + x.rank if axis < 0 else axis for axis in axes})
    if x.data_type == LOGICAL:
        name = "any_reduce" if c.operator == "ReduceMax" else "all_reduce"
        result: Value = c.op(name, x, axes=axes)
    elif not axes:
        result = _kept(c, _nothing(c, to_scalar(c, x)), x.dtype)
    else:
        result = _kept(c, _reduced(c, to_scalar(c, x), axes), x.dtype)
    if c.attribute("keepdims", 1):
        return result
    return reshaped(c, result, [n for axis, n in enumerate(x.shape) if axis not in axes])


_FRACTIONS = frozenset({"ReduceMean", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp"})


def _kept(c: Call, x: Value, dtype: np.dtype[Any]) -> Value:
    return (to_dtype_truncated if c.operator in _FRACTIONS else to_dtype)(c, x, dtype)


def _nothing(c: Call, x: Value) -> Value:
    """What a reduction of no axes leaves of its formula."""
    step = {
        "ReduceL1": ["abs"],
        "ReduceL2": ["abs"],
        "ReduceSumSquare": ["sqr"],
        "ReduceLogSum": ["log"],
    }.get(c.operator, [])
    for name in step:
        x = c.op(name, x)
    return x


def _reduced(c: Call, x: Value, axes: list[int]) -> Value:
    if c.operator in _SIMPLE:
        return c.op(_SIMPLE[c.operator], x, axes=axes)
    if c.operator == "ReduceProd":
        return multiplied(c, x, axes)
    with c.graph.scope(c.operator.replace("Reduce", "reduce_").lower()):
        return _composed(c, x, axes)


def _composed(c: Call, x: Value, axes: list[int]) -> Value:
    if c.operator == "ReduceLogSumExp":
        most = c.op("max_reduce", x, axes=axes)
        total = c.op("sum_reduce", c.op("exp", c.op("sub", x, most)), axes=axes)
        return c.op("add", c.op("log", total), most)
    before = {"ReduceL1": "abs", "ReduceL2": "sqr", "ReduceSumSquare": "sqr"}.get(c.operator)
    result = c.op("sum_reduce", c.op(before, x) if before else x, axes=axes)
    after = {"ReduceL2": "sqrt", "ReduceLogSum": "log"}.get(c.operator)
    return c.op(after, result) if after else result


def multiplied(c: Call, x: Value, axes: list[int]) -> Value:
    """The product, factor by factor: NNEF has no reduction for it."""
    for axis in axes:
        if x.shape[axis] > _LONGEST_PRODUCT:
            c.refuse(
                f"it multiplies {x.shape[axis]} items, and NNEF has no product over an axis",
                "Use logarithms in the network, if the items are positive.",
            )
        if x.shape[axis] == 1:
            continue
        parts = c.ops("split", x, axis=axis, ratios=[1] * x.shape[axis])
        x = parts[0]
        for part in parts[1:]:
            x = c.op("mul", x, part)
    return x


@operator("ArgMax", "ArgMin")
def arg(c: Call) -> Value:
    """The position of the first or last extreme item."""
    x = to_scalar(c, c[0])
    axis = c.axis("axis", 0, x.rank)
    name = "argmax_reduce" if c.operator == "ArgMax" else "argmin_reduce"
    if c.attribute("select_last_index", 0):
        x = c.op("slice", x, axes=[axis], begin=[-1], end=[-x.shape[axis] - 1], stride=[-1])
        found = c.op("cast", c.op(name, x, axes=[axis]), data_type="scalar")
        last = c.graph.constant(x.shape[axis] - 1, np.float32)
        result = to_dtype(c, c.op("sub", last, found), np.dtype(np.int64))
    else:
        result = c.op(name, x, axes=[axis])
    if c.attribute("keepdims", 1):
        return result
    return reshaped(c, result, [n for a, n in enumerate(x.shape) if a != axis])


@operator("CumSum")
def cumulative_sum(c: Call) -> Value:
    """Sums of all that came before: a product with a triangle of ones."""
    x = to_scalar(c, c[0])
    axis = int(np.asarray(c.values(1, "axis")).reshape(-1)[0]) % max(x.rank, 1)
    extent = x.shape[axis]
    if extent > 4096:
        c.refuse(f"it sums up {extent} items one by one", "NNEF has no cumulative sum.")
    triangle = np.triu(np.ones((extent, extent), np.float32), int(c.attribute("exclusive", 0)))
    if c.attribute("reverse", 0):
        triangle = triangle.T
    with c.graph.scope("cumulative_sum"):
        result = along_axis(c, x, axis, np.ascontiguousarray(triangle))
    return to_dtype(c, result, c[0].dtype)


def along_axis(c: Call, x: Value, axis: int, matrix: Array) -> Value:
    """Each stretch of `x` along an axis, times a matrix."""
    weights = c.graph.constant(matrix.astype(np.float32), name=f"{c.output_names[0]}.matrix")
    if x.rank == 1:
        row = reshaped(c, x, (1, *x.shape))
        return reshaped(c, c.op("matmul", row, weights), (matrix.shape[1],))
    weights = reshaped(c, weights, (1,) * (x.rank - 2) + matrix.shape)
    if axis == x.rank - 1:
        return c.op("matmul", x, weights)
    if axis == x.rank - 2:
        # From the left, so that nothing is moved.
        flipped = transposed(c, weights, [*range(x.rank - 2), x.rank - 1, x.rank - 2])
        return c.op("matmul", flipped, x)
    order = [a for a in range(x.rank) if a != axis] + [axis]
    back = [order.index(a) for a in range(x.rank)]
    return transposed(c, c.op("matmul", transposed(c, x, order), weights), back)
