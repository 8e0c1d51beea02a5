"""Reductions (4.4), and sums along an axis."""

from __future__ import annotations

from nnefkit.exchange.chainer.call import Call, function
from nnefkit.exchange.compositions import reduction
from nnefkit.exchange.reshaping import reshaped, to_dtype, to_scalar
from nnefkit.exchange.source_value import Value

_REDUCTIONS = {
    "Sum": "sum_reduce",
    "Mean": "mean_reduce",
    "Max": "max_reduce",
    "Min": "min_reduce",
}


def _without(c: Call, x: Value, axes: list[int]) -> Value:
    """Return a result without the axes that were reduced, unless the function keeps them."""
    if c.flag("keepdims", False):
        return x
    return reshaped(c, x, [n for axis, n in enumerate(x.shape) if axis not in axes])


@function(*_REDUCTIONS)
def reduce(c: Call) -> Value:
    """Read a reduction over some axes."""
    x = to_scalar(c, c.one())
    axes = c.axes("axis", x.rank)
    return _without(c, to_dtype(c, c.op(_REDUCTIONS[c.operator], x, axes=axes), c.dtype), axes)


@function("Prod")
def product(c: Call) -> Value:
    """Read a product over some axes, factor by factor."""
    x = c.one()
    axes = c.axes("axis", x.rank)
    return _without(c, reduction.product(c, x, axes), axes)


@function("LogSumExp")
def log_sum_exp(c: Call) -> Value:
    """Read the logarithm of a sum of exponentials."""
    x = c.one()
    axes = c.axes("axis", x.rank)
    return _without(c, reduction.log_sum_exp(c, x, axes), axes)


@function("ArgMax", "ArgMin")
def position(c: Call) -> Value:
    """Read `argmax_reduce` or `argmin_reduce`."""
    x = c.one()
    if c.param("axis", None) is None:
        x = reshaped(c, x, (x.data.size if x.data is not None else _size(x),))
        axis = 0
    else:
        axis = c.front_axis(c.integer("axis"), x.rank)
    result = c.op(f"{c.operator.lower()}_reduce", x, axes=[axis])
    result.dtype = c.dtype
    return reshaped(c, result, [n for place, n in enumerate(result.shape) if place != axis])


def _size(x: Value) -> int:
    size = 1
    for extent in x.shape:
        size *= extent
    return size


@function("Cumsum", "Cumprod")
def cumulate(c: Call) -> Value:
    """Read the sums or products of all elements up to each one."""
    x = c.one()
    if c.param("axis", None) is None:
        x, axis = reshaped(c, x, (_size(x),)), 0
    else:
        axis = c.front_axis(c.integer("axis"), x.rank)
    if c.operator == "Cumsum":
        return reduction.cumulative_sum(c, x, axis)
    return reduction.cumulative_product(c, x, axis)


@function("SumTo")
def sum_to(c: Call) -> Value:
    """Read a sum over the axes that the result does not have, or has with extent 1."""
    x = c.one()
    result = c.results[0]
    shape = result.shape if result is not None else None
    if shape is None or len(shape) > x.rank:
        c.invalid("its shape is missing")
    lead = x.rank - len(shape)
    axes = [*range(lead)]
    axes += [axis for axis, n in enumerate(shape, lead) if n == 1 and x.shape[axis] != 1]
    if not axes:
        return x
    total = c.op("sum_reduce", x, axes=axes)
    return reshaped(c, total, total.shape[lead:])
