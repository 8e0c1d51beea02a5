"""Reductions (4.4), positions of extreme elements, and sums along an axis."""

from __future__ import annotations

from math import prod

from nnefkit.exchange.compositions import indexing, reduction
from nnefkit.exchange.mxnet.call import Call, operator
from nnefkit.exchange.mxnet.operators.elementwise import dtype_named
from nnefkit.exchange.reshaping import reshaped, to_dtype, to_scalar
from nnefkit.exchange.source_value import SCALAR, Value

_REDUCTIONS = {
    **dict.fromkeys(("sum", "sum_axis", "_np_sum", "_npi_sum", "nansum"), "sum_reduce"),
    **dict.fromkeys(("mean", "_npi_mean"), "mean_reduce"),
    **dict.fromkeys(("max", "max_axis", "_np_max", "_np_amax", "_npi_max"), "max_reduce"),
    **dict.fromkeys(("min", "min_axis", "_np_min", "_np_amin", "_npi_min"), "min_reduce"),
    **dict.fromkeys(("prod", "_np_prod", "_np_product", "_npi_prod", "nanprod"), ""),
}


def _is_numpy(c: Call) -> bool:
    return c.operator.startswith("_np")


def _axes(c: Call, rank: int, name: str = "axis") -> list[int]:
    """Return the axes of a reduction; all of them if none are given."""
    axes = {c.axis(axis, rank) for axis in c.integers(name)}
    if c.flag("exclude"):
        return [axis for axis in range(rank) if axis not in axes]
    return sorted(axes) or [*range(rank)]


def _kept(c: Call, result: Value, axes: list[int]) -> Value:
    """Return a result with its axes, or without; before MXNet 2, one number has the shape [1]."""
    if c.flag("keepdims"):
        return result
    shape = [n for axis, n in enumerate(result.shape) if axis not in axes]
    return reshaped(c, result, shape if shape or _is_numpy(c) else [1])


@operator(*_REDUCTIONS)
def reduce_(c: Call) -> Value:
    """Read a reduction over some axes, or over all others."""
    x = to_scalar(c, c[0])
    axes = _axes(c, x.rank)
    c.text("dtype", "")
    c.read.add("initial")
    if c.has("initial"):
        c.refuse("it starts from another number", "Add the number to the result.")
    if c.operator.startswith("nan"):
        neutral = 0.0 if c.operator == "nansum" else 1.0
        x = c.op("select", c.op("ne", x, x), neutral, x)
    name = _REDUCTIONS[c.operator]
    if not axes:
        return c[0]
    reduced = c.op(name, x, axes=axes) if name else reduction.product(c, x, axes)
    result = _kept(c, reduced, axes)
    return result if name == "mean_reduce" else to_dtype(c, result, c[0].dtype)


@operator("norm")
def norm(c: Call) -> Value:
    """Read the root of a sum of squares, or a sum of absolute values."""
    x, order = to_scalar(c, c[0]), c.integer("ord", 2)
    axes = _axes(c, x.rank)
    c.text("out_dtype", "")
    if order not in (1, 2):
        c.refuse(f"its ord is {order}", "Use 1 or 2.")
    part = c.op("sum_reduce", c.op("abs" if order == 1 else "sqr", x), axes=axes)
    return _kept(c, part if order == 1 else c.op("sqrt", part), axes)


@operator("moments")
def moments(c: Call) -> list[Value]:
    """Read `moments`, the mean and the variance."""
    x = to_scalar(c, c[0])
    axes = _axes(c, x.rank, "axes")
    return [_kept(c, each, axes) for each in c.ops("moments", x, axes=axes)]


@operator("_npi_var", "_npi_std")
def variance(c: Call) -> Value:
    """Read `moments`, the variance or its root, which may be divided by fewer elements."""
    x, less = to_scalar(c, c[0]), c.integer("ddof", 0)
    axes = _axes(c, x.rank)
    c.text("dtype", "")
    count = prod(x.shape[axis] for axis in axes)
    if not 0 <= less < count:
        c.invalid(f"its ddof is {less} for {count} elements")
    result = _kept(c, c.ops("moments", x, axes=axes)[1], axes)
    if less:
        result = c.op("mul", result, c.decimal(count / (count - less)))
    return c.op("sqrt", result) if c.operator.endswith("std") else result


@operator("argmax", "argmin", "_npi_argmax", "_npi_argmin")
def arg_extreme(c: Call) -> Value:
    """Read `argmax_reduce` or `argmin_reduce`; before MXNet 2, as scalars."""
    x, given = to_scalar(c, c[0]), c.optional_integer("axis")
    if given is None:
        rank = x.rank
        flat = reshaped(c, x, (prod(x.shape),))
        x, axis = flat, 0
        keeps = [1] * rank
    else:
        axis = c.axis(given, x.rank)
        keeps = [1 if place == axis else n for place, n in enumerate(x.shape)]
    name = "argmax_reduce" if c.operator.endswith("max") else "argmin_reduce"
    result = c.op(name, x, axes=[axis])
    if c.flag("keepdims"):
        result = reshaped(c, result, keeps)
    else:
        result = _kept(c, result, [axis])
    return result if _is_numpy(c) else c.op("cast", result, data_type=SCALAR)


@operator("argmax_channel")
def arg_max_channel(c: Call) -> Value:
    """Read `argmax_reduce` of the last axis of a matrix, as scalars."""
    x = to_scalar(c, c.ranked(2))
    result = reshaped(c, c.op("argmax_reduce", x, axes=[1]), (x.shape[0],))
    return c.op("cast", result, data_type=SCALAR)


@operator("cumsum", "_np_cumsum", "_npi_cumsum")
def cumulative_sum(c: Call) -> Value:
    """Read sums of the elements so far, in rounds that double their number."""
    x, axis = to_scalar(c, c[0]), c.optional_integer("axis")
    c.text("dtype", "")
    if axis is None:
        x, axis = reshaped(c, x, (prod(x.shape),)), 0
    result = reduction.cumulative_sum(c, x, c.axis(axis, x.rank))
    return to_dtype(c, result, c[0].dtype)


# -- the largest elements --------------------------------------------------------------------------


@operator("topk", "_npx_topk", "sort", "argsort", "_npi_argsort", "_npi_sort")
def top(c: Call) -> Value | list[Value]:
    """Read the largest or smallest elements along an axis, or their positions as scalars."""
    x, kind = c[0], c.operator.removeprefix("_npx_").removeprefix("_npi_")
    axis = c.axis_or_all(-1)
    if axis is None:
        x, axis = reshaped(c, x, (prod(x.shape),)), 0
    axis = c.axis(axis, x.rank)
    count = c.integer("k", 1) if kind == "topk" else 0
    if count > x.shape[axis]:
        c.invalid(f"it selects {count} of {x.shape[axis]} elements")
    is_ascending = c.flag("is_ascend", kind != "topk")
    returned = {"sort": "value", "argsort": "indices"}.get(kind) or c.text(
        "ret_typ", "indices", ("value", "indices", "both")
    )
    is_integer = dtype_named(c).kind in "iu" and returned != "value"
    values, indices = indexing.top(
        c, x, count if count > 0 else x.shape[axis], axis, largest=not is_ascending
    )
    if not is_integer:
        indices = to_scalar(c, indices)
    return {"value": values, "indices": indices}.get(returned) or [values, indices]
