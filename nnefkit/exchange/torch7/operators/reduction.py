"""Reductions (4.4)."""

from __future__ import annotations

from nnefkit.exchange.reshaping import reshaped
from nnefkit.exchange.source_value import Value
from nnefkit.exchange.torch7.call import Call, module

_REDUCTIONS = {"Max": "max_reduce", "Min": "min_reduce"}


def counted_dimension(c: Call, x: Value, rank_field: str = "nInputDims") -> int:
    """Return the axis of a module, whose dimension does not count that of a batch."""
    number = c.integer("dimension", 1)
    if number > 0 and c.has(rank_field) and x.rank == c.integer(rank_field) + 1:
        number += 1
    return c.dimension(number, x.rank)


@module(*_REDUCTIONS)
def extreme(c: Call) -> Value:
    """Read `max_reduce` or `min_reduce`."""
    x = c.one()
    axis = counted_dimension(c, x)
    return _without(c, c.op(_REDUCTIONS[c.module.short_name], x, axes=[axis]), axis)


@module("Sum", "Mean")
def total(c: Call) -> Value:
    """Read `sum_reduce` or `mean_reduce`."""
    x = c.one()
    axis = counted_dimension(c, x)
    is_mean = c.flag("sizeAverage", default=c.module.short_name == "Mean")
    result = c.op("mean_reduce" if is_mean else "sum_reduce", x, axes=[axis])
    return _without(c, result, axis) if c.flag("squeeze", default=True) else result


@module("ArgMax")
def arg_max(c: Call) -> Value:
    """Read `argmax_reduce` as scalars, which count from 1."""
    x = c.one()
    number = c.integer("dim", 1)
    if c.has("nInputDim") and x.rank > c.integer("nInputDim"):
        number += 1
    axis = c.dimension(number, x.rank)
    position = c.op("cast", c.op("argmax_reduce", x, axes=[axis]), data_type="scalar")
    return _without(c, c.op("add", position, 1.0), axis)


def _without(c: Call, x: Value, axis: int) -> Value:
    """Return a tensor without an axis of one element; a vector stays one."""
    return x if x.rank == 1 else reshaped(c, x, (*x.shape[:axis], *x.shape[axis + 1 :]))
