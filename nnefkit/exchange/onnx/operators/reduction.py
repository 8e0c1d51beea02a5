"""Reductions (4.4) and cumulative sums."""

from __future__ import annotations

from collections.abc import Collection
from math import prod

import numpy as np

from nnefkit.exchange.compositions.integer_range import (
    logarithm,
    narrowed,
    real,
    root,
    within_64_bits,
)
from nnefkit.exchange.compositions.reduction import (
    cumulative_product,
    cumulative_sum,
    log_sum_exp,
    product,
)
from nnefkit.exchange.onnx.call import Call, operator
from nnefkit.exchange.reshaping import EXACT, reshaped, to_dtype, to_scalar, truncated
from nnefkit.exchange.source_value import INTEGER, LOGICAL, SCALAR, Value

_STANDARD = {
    "ReduceSum": "sum_reduce",
    "ReduceMean": "mean_reduce",
    "ReduceMax": "max_reduce",
    "ReduceMin": "min_reduce",
}
_COMPOSED = {"ReduceProd": product, "ReduceLogSumExp": log_sum_exp}
_BEFORE = {"ReduceL1": "abs", "ReduceL2": "sqr", "ReduceSumSquare": "sqr"}
"""Operators that sum a function of the elements."""
_AFTER = {"ReduceL2": "sqrt", "ReduceLogSum": "log"}
"""Operators that apply a function to a sum."""
_WITHOUT_AXES = {**_BEFORE, "ReduceL2": "abs", "ReduceLogSum": "log"}
"""The functions that operators compute if they reduce no axes."""
_OVERFLOWING = ("ReduceSum", "ReduceProd", "ReduceL1", "ReduceSumSquare")
"""Operators on integers whose results may be outside of the range of their dtype."""


@operator(*_STANDARD, *_COMPOSED, "ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceLogSum")
def reduce(c: Call) -> Value:
    """Read a reduction of some axes, or of all."""
    x, axes = c[0], _axes(c)
    if x.data_type == LOGICAL:
        result = c.op("any_reduce" if c.operator == "ReduceMax" else "all_reduce", x, axes=axes)
    else:
        reduced = _reduced_integers if x.data_type == INTEGER else _reduced
        result = to_dtype(c, reduced(c, to_scalar(c, x), axes), x.dtype)
    return result if c.attribute("keepdims", 1) else _without(c, result, axes)


def _axes(c: Call) -> list[int]:
    rank = c[0].rank
    axes = c.axes(1, rank)
    if axes:
        return sorted({*axes})
    return [] if c.attribute("noop_with_empty_axes", 0) else [*range(rank)]


def _without(c: Call, x: Value, axes: Collection[int]) -> Value:
    """Return a tensor without some axes of extent 1."""
    return reshaped(c, x, [n for axis, n in enumerate(x.shape) if axis not in axes])


def _reduced(c: Call, x: Value, axes: list[int]) -> Value:
    if not axes:
        function = _WITHOUT_AXES.get(c.operator)
        return c.op(function, x) if function else x
    if c.operator in _STANDARD:
        return c.op(_STANDARD[c.operator], x, axes=axes)
    before, after = _BEFORE.get(c.operator), _AFTER.get(c.operator)
    with c.graph.scope(c.operator.replace("Reduce", "reduce_").lower()):
        if c.operator in _COMPOSED:
            return _COMPOSED[c.operator](c, x, axes)
        result = c.op("sum_reduce", c.op(before, x) if before else x, axes=axes)
        return c.op(after, result) if after else result


def _reduced_integers(c: Call, x: Value, axes: list[int]) -> Value:
    """Return a reduction of integers, cast to scalars, rounded toward zero as in ONNX Runtime."""
    dtype = c[0].dtype
    if dtype == np.uint64 and prod(x.shape[axis] for axis in axes) > EXACT:
        c.refuse(
            f"it reduces more than {EXACT:,} unsigned integers of 64 bits",
            "Cast them to int64 before.",
        )
    if c.operator in _OVERFLOWING:
        estimate = lambda: _reduced(c, real(c, x), axes)  # noqa: E731
        return narrowed(c, _reduced(c, x, axes), dtype, estimate)
    if c.operator == "ReduceLogSumExp" and axes:
        shape = [1 if axis in axes else extent for axis, extent in enumerate(x.shape)]
        return c.fragment("integer_log_sum_exp", shape, x, axes=axes)
    if c.operator == "ReduceL2" and axes:
        estimate = lambda: c.op("sum_reduce", c.op("sqr", real(c, x)), axes=axes)  # noqa: E731
        return root(c, within_64_bits(c, c.op("sum_reduce", c.op("sqr", x), axes=axes), estimate))
    if c.operator not in ("ReduceMean", "ReduceLogSum"):
        return _reduced(c, x, axes)
    total = x
    if axes:
        estimate = lambda: c.op("sum_reduce", real(c, x), axes=axes)  # noqa: E731
        total = narrowed(c, c.op("sum_reduce", x, axes=axes), dtype, estimate)
    if c.operator == "ReduceLogSum":
        return logarithm(c, total)
    return truncated(c, c.op("div", total, float(prod(x.shape[axis] for axis in axes))))


@operator("ArgMax", "ArgMin")
def arg(c: Call) -> Value:
    """Read `argmax_reduce` or `argmin_reduce`, or the same for the last of equal elements."""
    x = to_scalar(c, c[0])
    axis = c.axis("axis", 0, x.rank)
    name = "argmax_reduce" if c.operator == "ArgMax" else "argmin_reduce"
    if c.attribute("select_last_index", 0):
        x = c.op("slice", x, axes=[axis], begin=[-1], end=[-x.shape[axis] - 1], stride=[-1])
        from_end = c.op("cast", c.op(name, x, axes=[axis]), data_type=SCALAR)
        last = c.graph.constant(x.shape[axis] - 1, np.float32)
        result = to_dtype(c, c.op("sub", last, from_end), np.dtype(np.int64))
    else:
        result = c.op(name, x, axes=[axis])
    return result if c.attribute("keepdims", 1) else _without(c, result, [axis])


@operator("CumSum", "CumProd")
def cumulative(c: Call) -> Value:
    """Read cumulative sums or products."""
    x = to_scalar(c, c[0])
    axis = c.axis_input(1, x.rank)
    exclusive, reverse = bool(c.attribute("exclusive", 0)), bool(c.attribute("reverse", 0))
    composed = cumulative_sum if c.operator == "CumSum" else cumulative_product
    result = composed(c, x, axis, exclusive=exclusive, reverse=reverse)
    return to_dtype(c, narrowed(c, result, c[0].dtype), c[0].dtype)
