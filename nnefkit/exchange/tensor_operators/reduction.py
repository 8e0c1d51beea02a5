"""Reductions (4.4), sums along an axis, and the largest elements."""

from __future__ import annotations

from nnefkit.exchange.compositions import indexing, reduction
from nnefkit.exchange.refusal import refuse_empty_tensor
from nnefkit.exchange.reshaping import reshaped, to_dtype, to_scalar, truncated
from nnefkit.exchange.source_value import Value
from nnefkit.exchange.tensor_call import TensorCall, tensorflow, tflite

_REDUCTIONS = {
    "Mean": "mean_reduce",
    "Sum": "sum_reduce",
    "Max": "max_reduce",
    "Min": "min_reduce",
    "Prod": "",
    "Any": "any_reduce",
    "All": "all_reduce",
}
_TFLITE_REDUCTIONS = {
    "MEAN": "Mean",
    "SUM": "Sum",
    **{f"REDUCE_{name.upper()}": name for name in ("Max", "Min", "Prod", "Any", "All")},
}


@tflite(*_TFLITE_REDUCTIONS)
@tensorflow(*_REDUCTIONS)
def reduce_(c: TensorCall) -> Value:
    """Read a reduction over some axes, which it keeps or removes."""
    x = c[0]
    axes = sorted({c.front_axis(axis, x.rank) for axis in c.ints(1, "axes")})
    if 0 in x.shape:
        refuse_empty_tensor()
    result = _reduced(c, x, axes)
    if c.option("keep_dims"):
        return result
    return reshaped(c, result, [n for axis, n in enumerate(x.shape) if axis not in axes])


def _reduced(c: TensorCall, x: Value, axes: list[int]) -> Value:
    """Return the reduction, with an extent of 1 along the axes."""
    if not axes:
        return x
    kind = _TFLITE_REDUCTIONS.get(c.operator, c.operator)
    if kind in ("Any", "All"):
        return c.op(_REDUCTIONS[kind], x, axes=axes)
    number = to_scalar(c, x)
    if kind == "Prod":
        return c.to_result(reduction.product(c, number, axes), overflows=True)
    result = c.op(_REDUCTIONS[kind], number, axes=axes)
    if kind == "Mean" and x.dtype.kind in "iu":
        return to_dtype(c, truncated(c, result), x.dtype)
    return c.to_result(result, overflows=kind == "Sum")


@tflite("ARG_MAX", "ARG_MIN")
@tensorflow("ArgMax", "ArgMin")
def arg_extreme(c: TensorCall) -> Value:
    """Read the position of the largest or smallest element along an axis."""
    x = c[0]
    axis = c.front_axis(c.number(1, "axis"), x.rank)
    name = "argmax_reduce" if c.operator.upper().endswith("MAX") else "argmin_reduce"
    result = c.op(name, to_scalar(c, x), axes=[axis])
    return reshaped(c, result, [n for other, n in enumerate(x.shape) if other != axis])


@tflite("CUMSUM")
@tensorflow("Cumsum")
def cumulative_sum(c: TensorCall) -> Value:
    """Read sums of the elements so far, in rounds that double their number."""
    x = to_scalar(c, c[0])
    axis = c.front_axis(c.number(1, "axis"), x.rank)
    is_exclusive, is_reverse = bool(c.option("exclusive")), bool(c.option("reverse"))
    total = reduction.cumulative_sum(c, x, axis, exclusive=is_exclusive, reverse=is_reverse)
    return c.to_result(total, overflows=True)


@tflite("TOPK_V2")
@tensorflow("TopKV2")
def top_k(c: TensorCall) -> list[Value]:
    """Read the largest elements along the last axis, selected one by one, and their positions."""
    x, count = c[0], c.number(1, "number of elements")
    axis = c.front_axis(-1, x.rank)
    if not 0 < count <= x.shape[axis]:
        c.invalid(f"it selects {count} of {x.shape[axis]} elements")
    values, indices = indexing.top(c, x, count, axis)
    return [to_dtype(c, values, x.dtype), indices]
