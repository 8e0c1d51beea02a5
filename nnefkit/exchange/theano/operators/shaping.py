"""Changes of shape (4.5), and shapes themselves, which are constant."""

from __future__ import annotations

from math import prod

import numpy as np

from nnefkit.exchange.compositions.shaping import concat
from nnefkit.exchange.compositions.shaping import split as split_axis
from nnefkit.exchange.reshaping import broadcast, expanded, reshaped, transposed
from nnefkit.exchange.source_value import Value
from nnefkit.exchange.theano.call import Call, op

_MAX_RANGE = 2**24

# -- shapes ----------------------------------------------------------------------------------------


@op("Shape")
def shape(c: Call) -> Value:
    """Read a shape, which is constant."""
    return c.graph.constant(c.one().shape, np.int64)


@op("Shape_i")
def extent(c: Call) -> Value:
    """Read an extent, which is constant."""
    x = c.one()
    return c.graph.constant(x.shape[c.front_axis(c.integer("i"), x.rank)], np.int64)


@op("MakeVector")
def make_vector(c: Call) -> Value:
    """Read `stack` of numbers."""
    if not c.inputs:
        return c.graph.constant(np.zeros(0, c.dtype))
    values = c.all()
    if any(value.rank for value in values):
        c.invalid("its inputs are not numbers")
    if all(value.data is not None for value in values):
        return c.graph.constant(np.array([value.data for value in values]).astype(c.dtype))
    parts = [reshaped(c, c.to_result(value), (1,)) for value in values]
    return concat(c, parts, 0)


@op("Reshape")
def reshape(c: Call) -> Value:
    """Read `reshape` to a shape that may be computed from others; -1 stands for the rest."""
    x, given = c[0], c.integers_at(1, "shape")
    inferred = given.index(-1) if -1 in given else None
    wanted = [*given]
    if inferred is not None:
        rest = prod(n for n in given if n != -1)
        if given.count(-1) > 1 or rest < 1 or prod(x.shape) % rest:
            c.invalid(f"its shape is {given}, and that of its input {[*x.shape]}")
        wanted[inferred] = prod(x.shape) // rest
    if min(wanted, default=1) < 0 or prod(wanted) != prod(x.shape):
        c.invalid(f"its shape is {given}, and that of its input {[*x.shape]}")
    return reshaped(c, x, wanted, inferred)


@op("Flatten")
def flatten(c: Call) -> Value:
    """Read `reshape` of the last axes to one."""
    x, rank = c.one(), c.integer("outdim", 1)
    if not 1 <= rank <= max(x.rank, 1):
        c.invalid(f"it has the rank {rank} for an input of rank {x.rank}")
    return reshaped(c, x, (*x.shape[: rank - 1], prod(x.shape[rank - 1 :])))


@op("DimShuffle", "InplaceDimShuffle")
def shuffle_axes(c: Call) -> Value:
    """Read `transpose`, `squeeze` of axes that are left out and `unsqueeze` of new ones."""
    x, order = c.one(), c.param("new_order")
    if not isinstance(order, list):
        c.invalid(f"its order is {order!r:.80}")
    kept = [axis for axis in order if axis != "x"]
    if not all(type(axis) is int and 0 <= axis < x.rank for axis in kept):
        c.invalid(f"its order is {order!r:.80} for an input of rank {x.rank}")
    dropped = [axis for axis in range(x.rank) if axis not in kept]
    if len(set(kept)) != len(kept) or any(x.shape[axis] != 1 for axis in dropped):
        c.invalid(f"its order is {order!r:.80} for an input of {[*x.shape]}")
    ordered = [*range(x.rank)]
    if kept != sorted(kept):
        moved = transposed(c, x, [*kept, *dropped])
        result = reshaped(c, moved, [x.shape[axis] for axis in kept])
    else:
        result = reshaped(c, x, [x.shape[axis] for axis in ordered if axis in kept])
    return reshaped(c, result, [1 if axis == "x" else x.shape[axis] for axis in order])


# -- filled tensors --------------------------------------------------------------------------------


@op("Alloc")
def allocate(c: Call) -> Value:
    """Read a tensor that is repeated to a shape."""
    x = c[0]
    wanted = c.extents([c.integer_at(n, "shape") for n in range(1, len(c.inputs))], "shape")
    if len(wanted) < x.rank or broadcast(c, x.shape, wanted) != tuple(wanted):
        c.invalid(f"its input of shape {[*x.shape]} cannot be repeated to {wanted}")
    c.allowance.take(wanted, 8)
    if x.data is not None and x.data.size == 1:
        result = c.graph.constant(np.full(wanted, x.data.reshape(-1)[0], x.dtype))
        result.filler = True
        return result
    return expanded(c, x, wanted)


@op("AllocEmpty")
def allocate_empty(c: Call) -> Value:
    """Read a tensor whose elements are overwritten; here it has zeros."""
    wanted = c.extents([c.integer_at(n, "shape") for n in range(len(c.inputs))], "shape")
    c.allowance.take(wanted, 8)
    result = c.graph.constant(np.zeros(wanted, c.dtype))
    result.filler = True
    return result


@op("ARange")
def arange(c: Call) -> Value:
    """Read numbers in equal steps, which are constant."""
    start, stop, step = (c.number_at(index, "range") for index in range(3))
    if not step or not np.isfinite([start, stop, step]).all():
        c.invalid("its step is 0, or not finite")
    if abs(stop - start) / abs(step) > _MAX_RANGE:
        c.refuse(f"it has more than {_MAX_RANGE:,} numbers", "Use a smaller range.")
    return c.graph.constant(np.arange(start, stop, step).astype(c.dtype))


@op("Eye")
def eye(c: Call) -> Value:
    """Read a matrix with ones on a diagonal, which is constant."""
    rows, columns, offset = (c.integer_at(index, "size") for index in range(3))
    c.allowance.take(c.extents([rows, columns], "size"), 8)
    return c.graph.constant(np.eye(rows, columns, offset, dtype=c.dtype))


@op("Tri")
def triangle(c: Call) -> Value:
    """Read a matrix with ones below a diagonal, which is constant."""
    rows, columns, offset = (c.integer_at(index, "size") for index in range(3))
    c.allowance.take(c.extents([rows, columns], "size"), 8)
    return c.graph.constant(np.tri(rows, columns, offset, dtype=c.dtype))


@op("RepeatOp")
def repeat(c: Call) -> Value:
    """Read `gather` of elements that follow each other."""
    x, repeats = c[0], c.extents(c.integers_at(1, "repeats"), "repeats")
    if c.param("axis", None) is None:
        x, axis = reshaped(c, x, (prod(x.shape),)), 0
    else:
        axis = c.front_axis(c.integer("axis"), x.rank)
    counts = repeats * x.shape[axis] if len(repeats) == 1 else repeats
    if len(counts) != x.shape[axis]:
        c.invalid(f"its repeats are {repeats} for {x.shape[axis]} elements")
    c.allowance.take((sum(counts),), 8)
    index = c.graph.constant(np.repeat(np.arange(len(counts)), counts))
    return c.op("gather", x, index, axis=axis)


@op("Tile")
def tile(c: Call) -> Value:
    """Read `tile`."""
    x, repeats = c[0], c.extents(c.integers_at(1, "repeats"), "repeats")
    rank = max(x.rank, len(repeats))
    wide = reshaped(c, x, (*(1,) * (rank - x.rank), *x.shape))
    full = [*(1,) * (rank - len(repeats)), *repeats]
    return c.op("tile", wide, repeats=full) if any(n != 1 for n in full) else wide


# -- joining and splitting -------------------------------------------------------------------------


@op("Join")
def join(c: Call) -> Value:
    """Read `concat`."""
    values = c.all()[1:]
    if not values:
        c.invalid("it joins nothing")
    axis = c.front_axis(c.integer_at(0, "axis"), values[0].rank)
    others = [(*value.shape[:axis], *value.shape[axis + 1 :]) for value in values]
    if any(other != others[0] for other in others):
        c.invalid(f"it joins the shapes {[[*value.shape] for value in values]} along axis {axis}")
    return concat(c, [c.to_result(value) for value in values], axis)


@op("Split")
def split(c: Call) -> list[Value]:
    """Read `split` into parts of given lengths."""
    x, axis = c[0], c.integer_at(1, "axis")
    lengths = c.extents(c.integers_at(2, "lengths"), "lengths")
    axis = c.front_axis(axis, x.rank)
    if sum(lengths) != x.shape[axis] or not x.shape[axis]:
        c.invalid(f"its lengths are {lengths} for an extent of {x.shape[axis]}")
    return split_axis(c, x, axis, lengths)
