"""Norms of vectors, and distances between them (4.4)."""

from __future__ import annotations

from collections.abc import Sequence
from math import isinf

from nnefkit.exchange.call import OperatorCall
from nnefkit.exchange.refusal import refuse
from nnefkit.exchange.reshaping import broadcast, reshaped, to_rank
from nnefkit.exchange.source_value import Value

_MAX_DIFFERENCES = 2**26


def norm(c: OperatorCall, x: Value, power: float, axes: Sequence[int]) -> Value:
    """Return the norm over some axes, which keep an extent of 1.

    Args:
        c: The call of the operator.
        x: The vectors.
        power: The power that is summed: 2 for lengths; 0 counts elements that are not 0, and
            infinity, positive or negative, takes the largest or smallest absolute value.
        axes: The axes of the vectors.
    """
    if power == 2:
        return c.op("sqrt", c.op("sum_reduce", c.op("sqr", x), axes=axes))
    if power == 0:
        return c.op("sum_reduce", c.op("select", c.op("eq", x, 0.0), 0.0, 1.0), axes=axes)
    size = c.op("abs", x)
    if power == 1:
        return c.op("sum_reduce", size, axes=axes)
    if isinf(power):
        return c.op("max_reduce" if power > 0 else "min_reduce", size, axes=axes)
    total = c.op("sum_reduce", c.op("pow", size, float(power)), axes=axes)
    return c.op("pow", total, 1 / float(power))


def distances(c: OperatorCall, a: Value, b: Value, power: float, *, root: bool = True) -> Value:
    """Return the distance of each row of a matrix from each row of another one.

    Args:
        c: The call of the operator.
        a: Rows, of shape (..., P, M).
        b: Rows, of shape (..., R, M); the axes before the last two broadcast.
        power: As for `norm`.
        root: Whether to take the root of the sum of squares.

    Returns:
        The distances, of shape (..., P, R).

    Raises:
        Refusal: There are more than 2^26 differences of elements.
    """
    batch = broadcast(c, a.shape[:-2], b.shape[:-2])
    rank = len(batch) + 2
    a, b = to_rank(c, a, rank), to_rank(c, b, rank)
    rows, columns, length = a.shape[-2], b.shape[-2], a.shape[-1]
    left = reshaped(c, a, (*a.shape[:-2], rows, 1, length))
    right = reshaped(c, b, (*b.shape[:-2], 1, columns, length))
    shape = broadcast(c, left.shape, right.shape)
    count = 1
    for extent in shape:
        count *= extent
    if count > _MAX_DIFFERENCES:
        refuse(
            f"it computes {count:,} differences",
            f"At most {_MAX_DIFFERENCES:,} are supported: use a smaller batch, or compute "
            "squares of distances by a product, |a|^2 - 2 a b + |b|^2.",
        )
    with c.graph.scope("distances"):
        difference = c.op("sub", left, right)
        if root:
            result = norm(c, difference, power, [rank])
        else:
            result = c.op("sum_reduce", c.op("sqr", difference), axes=[rank])
        return reshaped(c, result, (*batch, rows, columns))
