"""Reductions (4.4), and sums along an axis."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nnefkit.exchange.call import OperatorCall
from nnefkit.exchange.compositions.elementwise import NEUTRAL
from nnefkit.exchange.refusal import refuse
from nnefkit.exchange.reshaping import sliced
from nnefkit.exchange.source_value import Value

_MAX_FACTORS = 64


def product(c: OperatorCall, x: Value, axes: Sequence[int]) -> Value:
    """Return the product over some axes, which keep an extent of 1, factor by factor."""
    for axis in axes:
        if x.shape[axis] > _MAX_FACTORS:
            refuse(
                f"it multiplies {x.shape[axis]} elements, and NNEF has no product over an axis",
                "Use a sum of logarithms if the elements are positive.",
            )
        if x.shape[axis] > 1:
            x, *others = c.ops("split", x, axis=axis, ratios=[1] * x.shape[axis])
            for factor in others:
                x = c.op("mul", x, factor)
    return x


def log_sum_exp(c: OperatorCall, x: Value, axes: Sequence[int]) -> Value:
    """Return the logarithm of a sum of exponentials, without overflow."""
    shape = [1 if axis in axes else extent for axis, extent in enumerate(x.shape)]
    return c.fragment("log_sum_exp", shape, x, axes=[*axes])


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
    # Products with a matrix of ones would multiply later elements by 0, and infinity by 0 is NaN.
    with c.graph.scope("cumulative_sum"):
        return _cumulated(c, "add", x, axis, exclusive=exclusive, reverse=reverse)


def cumulative_product(
    c: OperatorCall, x: Value, axis: int, *, exclusive: bool = False, reverse: bool = False
) -> Value:
    """Return the products of all elements up to each one along an axis.

    Args:
        c: The call of the operator.
        x: A tensor of scalars.
        axis: The axis.
        exclusive: Whether the element itself is left out.
        reverse: Whether to multiply from the end of the axis.
    """
    with c.graph.scope("cumulative_product"):
        return _cumulated(c, "mul", x, axis, exclusive=exclusive, reverse=reverse)


def _cumulated(
    c: OperatorCall, operation: str, x: Value, axis: int, *, exclusive: bool, reverse: bool
) -> Value:
    """Return the elements up to each one, combined by an operation.

    Each round doubles the number of elements that are combined.
    """
    neutral = NEUTRAL[operation]
    if exclusive:
        x = _delayed(c, x, axis, 1, neutral, reverse=reverse)
    distance = 1
    while distance < x.shape[axis]:
        x = c.op(operation, x, _delayed(c, x, axis, distance, neutral, reverse=reverse))
        distance *= 2
    return x


def _delayed(
    c: OperatorCall, x: Value, axis: int, distance: int, filler: float, *, reverse: bool
) -> Value:
    """Return a tensor shifted along an axis, and filled with a number at the start."""
    extent = x.shape[axis]
    if distance == extent:
        return c.graph.constant(np.full(x.shape, filler, c.scalar_dtype))
    padding = [(0, 0)] * x.rank
    padding[axis] = (0, distance) if reverse else (distance, 0)
    begin, end = (distance, extent) if reverse else (0, extent - distance)
    return c.op("pad", sliced(c, x, axis, begin, end), padding=padding, value=filler)
