"""Products of matrices (4.7)."""

from __future__ import annotations

from nnefkit.exchange.call import OperatorCall
from nnefkit.exchange.reshaping import broadcast, reshaped, to_rank, transposed
from nnefkit.exchange.source_value import Value


def product(c: OperatorCall, a: Value, b: Value) -> Value:
    """Return the product of matrices or vectors; the axes before the last two broadcast."""
    shape = [*broadcast(c, a.shape[:-2], b.shape[:-2])]
    shape += [*a.shape[-2:-1]] if a.rank > 1 else []
    shape += [*b.shape[-1:]] if b.rank > 1 else []
    left = reshaped(c, a, (1, *a.shape)) if a.rank == 1 else a
    right = reshaped(c, b, (*b.shape, 1)) if b.rank == 1 else b
    rank = max(left.rank, right.rank)
    return reshaped(c, c.op("matmul", to_rank(c, left, rank), to_rank(c, right, rank)), shape)


def along_axis(c: OperatorCall, x: Value, axis: int, matrix: Value) -> Value:
    """Return the product of the vectors along an axis with a matrix of shape (extent, columns)."""
    if x.rank == 1:
        row = reshaped(c, x, (1, *x.shape))
        return reshaped(c, c.op("matmul", row, matrix), matrix.shape[1:])
    weights = to_rank(c, matrix, x.rank)
    if axis == x.rank - 1:
        return c.op("matmul", x, weights)
    if axis == x.rank - 2:
        # The matrix multiplies from the left, so that no axis moves.
        return c.op("matmul", weights, x, transposeA=True)
    order = [*(other for other in range(x.rank) if other != axis), axis]
    back = [order.index(other) for other in range(x.rank)]
    return transposed(c, c.op("matmul", transposed(c, x, order), weights), back)
