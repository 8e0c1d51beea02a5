"""Elements replaced at indices that are known only at run time (4.5.8).

Each position is compared with each index: one comparison for each pair.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from nnefkit.exchange.call import OperatorCall
from nnefkit.exchange.compositions.elementwise import NEUTRAL, extreme
from nnefkit.exchange.compositions.indexing import counted_from_front, flat_positions
from nnefkit.exchange.compositions.reduction import product
from nnefkit.exchange.refusal import refuse
from nnefkit.exchange.reshaping import reshaped, sliced, to_dtype, to_scalar, transposed
from nnefkit.exchange.source_value import SCALAR, Value

_MAX_PAIRS = 2**22


def scatter_along(
    c: OperatorCall,
    x: Value,
    indices: Value,
    updates: Value,
    axis: int,
    operation: str = "none",
    *,
    from_end: bool = True,
) -> Value:
    """Return a tensor with elements changed along an axis, each at its own index.

    Args:
        c: The call of the operator.
        x: The tensor.
        indices: The index of each update along the axis; along other axes it keeps its position.
        updates: The new elements, of the shape of `indices`, no larger than `x` along other axes.
        axis: The axis.
        operation: ``none`` to replace elements, where the last update of each wins, or
            the operation that combines elements and updates: add, mul, max or min.
        from_end: Whether negative indices count from the end; otherwise they are out of range.
    """
    region = [*indices.shape]
    region[axis] = x.shape[axis]
    part = x
    for other, extent in enumerate(region):
        part = sliced(c, part, other, 0, extent)
    if from_end:
        indices = counted_from_front(c, indices, x.shape[axis])
    index = _checked(c, indices, x.shape[axis])
    order = [other for other in range(x.rank) if other != axis] + [axis]
    lines = prod(region) // x.shape[axis]
    changed = _changed(
        c,
        reshaped(c, transposed(c, part, order), (lines, x.shape[axis], 1)),
        reshaped(c, transposed(c, index, order), (lines, indices.shape[axis])),
        reshaped(c, transposed(c, updates, order), (lines, indices.shape[axis], 1)),
        operation,
    )
    changed = reshaped(c, changed, [region[other] for other in order])
    return _joined(c, x, transposed(c, changed, [*np.argsort(order)]))


def scatter_slices(
    c: OperatorCall,
    x: Value,
    indices: Sequence[Value],
    updates: Value,
    operation: str = "none",
    *,
    from_end: bool = True,
    lines: int = 0,
) -> Value:
    """Return a tensor with slices changed at indices along its first axes.

    Args:
        c: The call of the operator.
        x: The tensor.
        indices: The indices along each of the first axes after the lines, of equal shapes.
        updates: The new slices: the shape of the indices, then the remaining axes of `x`.
        operation: As for `scatter_along`.
        from_end: As for `scatter_along`.
        lines: The number of axes before those; the indices have them first, and each line is
            changed at its own indices.
    """
    depth, count = len(indices), prod(indices[0].shape[lines:])
    first, extents = prod(x.shape[:lines]), x.shape[lines : lines + depth]
    rest = prod(x.shape[lines + depth :])
    parts = [reshaped(c, index, (first * count,)) for index in indices]
    if from_end:
        parts = [counted_from_front(c, *part) for part in zip(parts, extents, strict=True)]
    parts = [_checked(c, *part) for part in zip(parts, extents, strict=True)]
    changed = _changed(
        c,
        reshaped(c, x, (first, prod(extents), rest)),
        reshaped(c, flat_positions(c, parts, extents), (first, count)),
        reshaped(c, updates, (first, count, rest)),
        operation,
    )
    return reshaped(c, changed, x.shape)


def _checked(c: OperatorCall, index: Value, extent: int) -> Value:
    """Look up indices in a table of the valid ones, so that others are an error of the run."""
    if index.data is not None:
        return index
    table = c.graph.shared(f"indices_below_{extent}", lambda: np.arange(extent))
    return c.op("gather", table, index, axis=0)


def _joined(c: OperatorCall, x: Value, corner: Value) -> Value:
    """Return `x` with its first elements along each axis replaced by `corner`."""
    for axis in range(x.rank):
        extent = corner.shape[axis]
        if extent == x.shape[axis]:
            continue
        rest = sliced(c, x, axis, extent, x.shape[axis])
        for later in range(axis + 1, x.rank):
            rest = sliced(c, rest, later, 0, corner.shape[later])
        corner = c.op("concat", [corner, rest], axis=axis)
    return corner


def _changed(c: OperatorCall, x: Value, index: Value, updates: Value, operation: str) -> Value:
    """Return lines of slices, [M, E, R], with slices changed by updates [M, K, R] at [M, K]."""
    lines, extent, rest = x.shape
    count = index.shape[1]
    pairs = lines * extent * count * (1 if operation == "none" else rest)
    if pairs > _MAX_PAIRS:
        refuse(
            f"its indices are not constant, and it takes {pairs:,} comparisons",
            f"At most {_MAX_PAIRS:,} are supported: make the indices constant.",
        )
    with c.graph.scope("scatter"):
        places = c.graph.constant(np.arange(extent, dtype=np.float32)[None, :, None])
        wanted = reshaped(c, to_scalar(c, index), (lines, 1, count))
        hits = c.op("eq", wanted, places)
        if operation == "none":
            return _replaced(c, x, hits, updates)
        return _combined(c, x, hits, updates, operation)


def _replaced(c: OperatorCall, x: Value, hits: Value, updates: Value) -> Value:
    lines, extent, count = hits.shape
    order = c.graph.constant(np.arange(1, count + 1, dtype=np.float32)[None, None])
    last = c.op("max_reduce", c.op("select", hits, order, 0.0), axes=[2])
    source = c.op("max", c.op("sub", last, 1.0), 0.0)
    if lines > 1:
        starts = np.arange(lines, dtype=np.float32)[:, None, None] * count
        source = c.op("add", source, c.graph.constant(starts))
    source = to_dtype(c, reshaped(c, source, (lines, extent)), np.dtype(np.int64))
    flat = reshaped(c, updates, (lines * count, x.shape[2]))
    new = c.op("gather", flat, source, axis=0)
    return c.op("select", c.op("gt", last, 0.0), new, x)


def _combined(c: OperatorCall, x: Value, hits: Value, updates: Value, operation: str) -> Value:
    lines, extent, count = hits.shape
    number, rest = to_scalar(c, updates), x.shape[2]
    # Infinity has no literal.
    neutral = c.graph.constant(np.full((1, 1, 1, 1), NEUTRAL[operation], c.scalar_dtype))
    terms = c.op(
        "select",
        reshaped(c, hits, (lines, extent, count, 1)),
        reshaped(c, number, (lines, 1, count, rest)),
        neutral if operation in ("max", "min") else NEUTRAL[operation],
        data_type=SCALAR,
    )
    if operation == "mul":
        total = product(c, terms, [2])
    else:
        name = "sum" if operation == "add" else operation
        total = c.op(f"{name}_reduce", terms, axes=[2])
    total = reshaped(c, total, x.shape)
    if operation in ("max", "min"):
        is_integer = x.dtype.kind in "iu"
        result = extreme(c, operation, total, to_scalar(c, x), is_integer=is_integer)
    else:
        result = c.op(operation, to_scalar(c, x), total)
    return to_dtype(c, result, x.dtype)
