"""Reductions (4.4), and sums along an axis."""

from __future__ import annotations

from math import prod

from nnefkit.exchange.compositions import reduction
from nnefkit.exchange.reshaping import reshaped, to_logical, to_scalar, transposed
from nnefkit.exchange.source_value import LOGICAL, Value
from nnefkit.exchange.theano.call import Call, op
from nnefkit.exchange.theano.operators.elementwise import scalar_tree

_OF_SCALARS = {"Add": "sum_reduce", "Maximum": "max_reduce", "Minimum": "min_reduce"}
_OF_LOGICALS = {
    "AND": "all_reduce",
    "OR": "any_reduce",
    "Add": "any_reduce",
    "Maximum": "any_reduce",
    "Mul": "all_reduce",
    "Minimum": "all_reduce",
}


def _without(c: Call, x: Value, axes: list[int]) -> Value:
    return reshaped(c, x, [n for axis, n in enumerate(x.shape) if axis not in axes])


def _combined(c: Call, x: Value, name: str, axes: list[int]) -> Value:
    """Return the elements along some axes, combined by a scalar operation."""
    if x.data_type == LOGICAL and c.dtype.kind == "b" and name in _OF_LOGICALS:
        return c.op(_OF_LOGICALS[name], x, axes=axes)
    if name in ("AND", "OR") and c.dtype.kind == "b":
        return c.op(_OF_LOGICALS[name], to_logical(c, x), axes=axes)
    x = to_scalar(c, x)
    if name == "Mul":
        return reduction.product(c, x, axes)
    if name not in _OF_SCALARS:
        c.refuse(f"it combines elements by {name}", "Use a sum, a product, a maximum or a minimum.")
    return c.op(_OF_SCALARS[name], x, axes=axes)


@op("Sum", "Prod", "All", "Any", "CAReduce", "CAReduceDtype")
def reduce(c: Call) -> Value:
    """Read a reduction over some axes."""
    x = c.one()
    known = {"Sum": "Add", "Prod": "Mul", "All": "AND", "Any": "OR"}
    name = known.get(c.operator) or str(scalar_tree(c).get("op"))
    axes = c.axes("axis", x.rank)
    return _without(c, c.to_result(_combined(c, x, name, axes)), axes)


def _position(c: Call, x: Value, axes: list[int]) -> Value:
    """Return the position of the maximum along some axes, which count as one."""
    rest = [axis for axis in range(x.rank) if axis not in axes]
    moved = transposed(c, to_scalar(c, x), [*rest, *axes])
    outer = tuple(x.shape[axis] for axis in rest)
    flat = reshaped(c, moved, (*outer, prod(x.shape[axis] for axis in axes)))
    result = c.op("argmax_reduce", flat, axes=[flat.rank - 1])
    return reshaped(c, result, outer)


@op("MaxAndArgmax")
def max_and_argmax(c: Call) -> list[Value]:
    """Read `max_reduce` and `argmax_reduce`."""
    x = c[0]
    axes = c.axes("axis", x.rank)
    largest = c.op("max_reduce", to_scalar(c, x), axes=axes)
    return [_without(c, c.to_result(largest), axes), _position(c, x, axes)]


@op("Argmax")
def argmax(c: Call) -> Value:
    """Read `argmax_reduce`."""
    x = c[0]
    return _position(c, x, c.axes("axis", x.rank))


@op("CumOp", "CumsumOp", "CumprodOp")
def cumulate(c: Call) -> Value:
    """Read the sums or products of all elements up to each one."""
    x = to_scalar(c, c.one())
    mode = c.text("mode", "add" if c.operator != "CumprodOp" else "mul")
    if c.param("axis", None) is None:
        x, axis = reshaped(c, x, (prod(x.shape),)), 0
    else:
        axis = c.front_axis(c.integer("axis"), x.rank)
    if mode not in ("add", "mul"):
        c.invalid(f"its mode is '{mode}'")
    combine = reduction.cumulative_sum if mode == "add" else reduction.cumulative_product
    return c.to_result(combine(c, x, axis))
