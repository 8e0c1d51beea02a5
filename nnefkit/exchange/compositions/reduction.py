"""Reductions (4.4), and sums along an axis."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nnefkit.exchange.call import OperatorCall
from nnefkit.exchange.compositions.linear_algebra import along_axis
from nnefkit.exchange.refusal import refuse
from nnefkit.exchange.reshaping import sliced
from nnefkit.exchange.source_graph import Value

_MOST_FACTORS = 64
_MOST_SUMS = 4096


def product(c: OperatorCall, x: Value, axes: Sequence[int]) -> Value:
    """Return the product over some axes, which keep an extent of 1, factor by factor."""
    for axis in axes:
        if x.shape[axis] > _MOST_FACTORS:
            refuse(
                f"it multiplies {x.shape[axis]} elements, and NNEF has no product over an axis",
                "Use a sum of logarithms, if the elements are positive.",
            )
        if x.shape[axis] > 1:
            x, *others = c.ops("split", x, axis=axis, ratios=[1] * x.shape[axis])
            for factor in others:
                x = c.op("mul", x, factor)
    return x


def log_sum_exp(c: OperatorCall, x: Value, axes: Sequence[int]) -> Value:
    """Return the logarithm of a sum of exponentials, without overflow."""
    largest = c.op("max_reduce", x, axes=[*axes])
    total = c.op("sum_reduce", c.op("exp", c.op("sub", x, largest)), axes=[*axes])
    return c.op("add", c.op("log", total), largest)


def cumulative_sum(
    c: OperatorCall, x: Value, axis: int, *, exclusive: bool = False, reverse: bool = False
) -> Value:
    """Return the sums of all elements up to each one along an axis.

    Args:
        c: The call of the operator.
        x: A tensor of scalars.
        axis: The axis.
        exclusive: Whether the element itself is left out.
        reverse: Whether to sum from the end of the axis.
    """
    extent = x.shape[axis]
    if extent > _MOST_SUMS:
        refuse(
            f"it sums {extent} elements one by one",
            f"NNEF has no cumulative sum; it is emulated for at most {_MOST_SUMS} elements.",
        )
    ones = np.triu(np.ones((extent, extent)), int(exclusive))
    words = ["ones", *["exclusive"] * exclusive, *["reversed"] * reverse, "up_to", str(extent)]
    matrix = c.graph.shared(
        "_".join(words),
        lambda: np.asarray(ones.T if reverse else ones, c.scalar_dtype, order="C"),
    )
    with c.graph.scope("cumulative_sum"):
        return along_axis(c, x, axis, matrix)


def cumulative_product(
    c: OperatorCall, x: Value, axis: int, *, exclusive: bool = False, reverse: bool = False
) -> Value:
    """Return the products of all elements up to each one along an axis.

    Each round multiplies by the products of as many elements as the rounds before it have joined.

    Args:
        c: The call of the operator.
        x: A tensor of scalars.
        axis: The axis.
        exclusive: Whether the element itself is left out.
        reverse: Whether to multiply from the end of the axis.
    """
    with c.graph.scope("cumulative_product"):
        if exclusive:
            x = _delayed(c, x, axis, 1, reverse=reverse)
        distance = 1
        while distance < x.shape[axis]:
            x = c.op("mul", x, _delayed(c, x, axis, distance, reverse=reverse))
            distance *= 2
        return x


def _delayed(c: OperatorCall, x: Value, axis: int, distance: int, *, reverse: bool) -> Value:
    """Return a tensor moved along an axis, with ones where it had no elements."""
    extent = x.shape[axis]
    distance = min(distance, extent)
    padding = [(0, 0)] * x.rank
    padding[axis] = (0, distance) if reverse else (distance, 0)
    if distance == extent:
        return c.graph.constant(np.ones(x.shape, c.scalar_dtype))
    begin, end = (distance, extent) if reverse else (0, extent - distance)
    part = sliced(c, x, axis, begin, end)
    return c.op("pad", part, padding=padding, border="constant", value=1.0)
