"""Reductions (4.4)."""

from __future__ import annotations

from typing import Any

from nnefkit.exchange.compositions.reduction import log_sum_exp, product
from nnefkit.exchange.refusal import refuse
from nnefkit.exchange.reshaping import reshaped, to_dtype, to_logical, to_scalar
from nnefkit.exchange.source_graph import Value
from nnefkit.exchange.torch.call import Call, operator
from nnefkit.exchange.torch.values import axes_of


def _reduced(c: Call, name: str, x: Value, dim: Any) -> Value:
    result = c.op(name, to_scalar(c, x), axes=axes_of(dim, x.rank))
    found = reshaped(c, result, c.shape)
    return to_dtype(c, found, c.dtypes[0])


@operator("mean")
def mean(c: Call, x: Value, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Value:
    """`mean_reduce`."""
    return _reduced(c, "mean_reduce", x, dim)


@operator("sum")
def sums(c: Call, x: Value, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Value:
    """`sum_reduce`."""
    return _reduced(c, "sum_reduce", x, dim)


@operator("amax")
def amax(c: Call, x: Value, dim: Any = (), keepdim: bool = False) -> Value:
    """`max_reduce`."""
    return _reduced(c, "max_reduce", x, [*dim] if not isinstance(dim, int) else dim)


@operator("amin")
def amin(c: Call, x: Value, dim: Any = (), keepdim: bool = False) -> Value:
    """`min_reduce`."""
    return _reduced(c, "min_reduce", x, [*dim] if not isinstance(dim, int) else dim)


@operator("max", "min")
def extreme(
    c: Call, x: Value, dim: Any = None, keepdim: bool = False, other: Value | None = None
) -> Any:
    """The extreme items, and where they are."""
    if other is not None:
        from nnefkit.exchange.torch.values import arithmetic

        return arithmetic(c, c.operator, x, other)
    if dim is None:
        return _reduced(c, f"{c.operator}_reduce", x, None)
    axes = axes_of(dim, x.rank)
    values = _reduced(c, f"{c.operator}_reduce", x, axes) if 0 in c.wanted else None
    index = None
    if 1 in c.wanted:
        found = c.op(f"arg{c.operator}_reduce", to_scalar(c, x), axes=axes)
        index = reshaped(c, found, c.shapes[1])
    return [values, index]


@operator("argmax", "argmin")
def argument(c: Call, x: Value, dim: int | None = None, keepdim: bool = False) -> Value:
    """`argmax_reduce`."""
    flat = x if dim is not None else reshaped(c, x, (_count(x.shape),))
    axes = axes_of(0 if dim is None else dim, flat.rank)
    result = c.op(f"{c.operator}_reduce", to_scalar(c, flat), axes=axes)
    return reshaped(c, result, c.shape)


def _count(shape: tuple[int, ...]) -> int:
    count = 1
    for extent in shape:
        count *= extent
    return count


@operator("any", "all")
def logical(c: Call, x: Value, dim: Any = None, keepdim: bool = False) -> Value:
    """`any_reduce`, `all_reduce`."""
    result = c.op(f"{c.operator}_reduce", to_logical(c, x), axes=axes_of(dim, x.rank))
    return reshaped(c, result, c.shape)


@operator("prod")
def prod(
    c: Call, x: Value, dim: int | None = None, keepdim: bool = False, dtype: Any = None
) -> Value:
    """`mul`, item by item."""
    flat = to_scalar(c, reshaped(c, x, (_count(x.shape),)) if dim is None else x)
    axis = axes_of(0 if dim is None else dim, flat.rank)[0]
    return to_dtype(c, reshaped(c, product(c, flat, [axis]), c.shape), c.dtypes[0])


@operator("var_mean", "std_mean")
def variance_and_mean(
    c: Call,
    x: Value,
    dim: Any = None,
    unbiased: bool = True,
    keepdim: bool = False,
    correction: float | None = None,
) -> list[Value]:
    """`moments`."""
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
    """`moments`, corrected for the number of items."""
    axes = axes_of(dim, x.rank)
    count = 1
    for axis in axes:
        count *= x.shape[axis]
    less = (1 if unbiased else 0) if correction is None else correction
    if count <= less:
        refuse("it divides by zero: there are not enough items")
    _, found = c.ops("moments", x, axes=axes)
    if less:
        found = c.op("mul", found, float(count / (count - less)))
    if c.operator.startswith("std"):
        found = c.op("sqrt", found)
    return reshaped(c, found, c.shape)


@operator("logsumexp")
def logsumexp(c: Call, x: Value, dim: Any, keepdim: bool = False) -> Value:
    """The logarithm of a sum of exponents, safe from overflow."""
    return reshaped(c, log_sum_exp(c, x, axes_of(dim, x.rank)), c.shape)
