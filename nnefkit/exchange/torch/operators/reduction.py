"""Reductions (4.4)."""

from __future__ import annotations

import math
from typing import Any

from nnefkit.exchange.compositions import reduction
from nnefkit.exchange.refusal import refuse
from nnefkit.exchange.reshaping import axes_of, axis_of, reshaped, to_dtype, to_logical, to_scalar
from nnefkit.exchange.source_value import Value
from nnefkit.exchange.torch.call import Call, arithmetic, in_dtype_of_result, operator, to_result


def _reduced(c: Call, name: str, x: Value, dim: Any) -> Value:
    result = c.op(name, to_scalar(c, x), axes=axes_of(dim, x.rank))
    return to_dtype(c, reshaped(c, result, c.shape), c.dtypes[0])


@operator("mean")
def mean(c: Call, x: Value, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Value:
    """Return `mean_reduce`."""
    return _reduced(c, "mean_reduce", x, dim)


@operator("sum")
def sums(c: Call, x: Value, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Value:
    """Return `sum_reduce`, or `any_reduce` for a sum of logicals."""
    if c.dtypes[0].kind == "b":
        return reshaped(c, c.op("any_reduce", to_logical(c, x), axes=axes_of(dim, x.rank)), c.shape)
    result = c.op("sum_reduce", in_dtype_of_result(c, x), axes=axes_of(dim, x.rank))
    return to_result(c, reshaped(c, result, c.shape), overflows=True)


@operator("amax")
def amax(c: Call, x: Value, dim: Any = (), keepdim: bool = False) -> Value:
    """Return `max_reduce`."""
    return _reduced(c, "max_reduce", x, [*dim] if not isinstance(dim, int) else dim)


@operator("amin")
def amin(c: Call, x: Value, dim: Any = (), keepdim: bool = False) -> Value:
    """Return `min_reduce`."""
    return _reduced(c, "min_reduce", x, [*dim] if not isinstance(dim, int) else dim)


@operator("max", "min")
def extreme(
    c: Call, x: Value, dim: Any = None, keepdim: bool = False, other: Value | None = None
) -> Any:
    """Return the largest or smallest elements, and their indices."""
    if other is not None:
        return arithmetic(c, c.operator, x, other)
    if dim is None:
        return _reduced(c, f"{c.operator}_reduce", x, None)
    axes = axes_of(dim, x.rank)
    values = _reduced(c, f"{c.operator}_reduce", x, axes) if 0 in c.wanted else None
    index = None
    if 1 in c.wanted:
        result = c.op(f"arg{c.operator}_reduce", to_scalar(c, x), axes=axes)
        index = reshaped(c, result, c.shapes[1])
    return [values, index]


@operator("argmax", "argmin")
def argument(c: Call, x: Value, dim: int | None = None, keepdim: bool = False) -> Value:
    """Return `argmax_reduce` or `argmin_reduce`."""
    flat = x if dim is not None else reshaped(c, x, (math.prod(x.shape),))
    axes = axes_of(0 if dim is None else dim, flat.rank)
    result = c.op(f"{c.operator}_reduce", to_scalar(c, flat), axes=axes)
    return reshaped(c, result, c.shape)


@operator("any", "all")
def logical(c: Call, x: Value, dim: Any = None, keepdim: bool = False) -> Value:
    """Return `any_reduce` or `all_reduce`."""
    result = c.op(f"{c.operator}_reduce", to_logical(c, x), axes=axes_of(dim, x.rank))
    return reshaped(c, result, c.shape)


@operator("prod")
def prod(
    c: Call, x: Value, dim: int | None = None, keepdim: bool = False, dtype: Any = None
) -> Value:
    """Return the product of all elements by `mul`."""
    result = reduction.product(c, in_dtype_of_result(c, x), axes_of(dim, x.rank))
    return to_result(c, reshaped(c, result, c.shape), overflows=True)


@operator("cumprod")
def cumprod(c: Call, x: Value, dim: int, dtype: Any = None) -> Value:
    """Return `mul` of the elements so far, in rounds that double their number."""
    wide = in_dtype_of_result(c, x)
    total = reduction.cumulative_product(c, wide, axis_of(dim, x.rank)) if x.rank else wide
    return to_result(c, total, overflows=True)


@operator("var_mean", "std_mean")
def variance_and_mean(
    c: Call,
    x: Value,
    dim: Any = None,
    unbiased: bool = True,
    keepdim: bool = False,
    correction: float | None = None,
) -> list[Value]:
    """Return `moments`."""
    return [
        variance(c, x, dim, unbiased, keepdim, correction),
        reshaped(c, c.op("mean_reduce", x, axes=axes_of(dim, x.rank)), c.shapes[1]),
    ]


@operator("var", "std")
def variance(
    c: Call,
    x: Value,
    dim: Any = None,
    unbiased: bool = True,
    keepdim: bool = False,
    correction: float | None = None,
) -> Value:
    """Return a result of `moments`, corrected for the number of elements."""
    axes = axes_of(dim, x.rank)
    count = math.prod(x.shape[axis] for axis in axes)
    less = (1 if unbiased else 0) if correction is None else correction
    if count <= less:
        refuse("it divides by zero: there are too few elements")
    _, result = c.ops("moments", x, axes=axes)
    if less:
        result = c.op("mul", result, float(count / (count - less)))
    if c.operator.startswith("std"):
        result = c.op("sqrt", result)
    return reshaped(c, result, c.shape)


@operator("logsumexp")
def logsumexp(c: Call, x: Value, dim: Any, keepdim: bool = False) -> Value:
    """Return the logarithm of a sum of exponentials, without overflow."""
    total = reduction.log_sum_exp(c, to_scalar(c, x), axes_of(dim, x.rank))
    return reshaped(c, total, c.shape)
