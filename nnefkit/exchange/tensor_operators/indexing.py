"""Elements selected by indices, and placed at them (4.5.8)."""

from __future__ import annotations

from math import prod

import numpy as np

from nnefkit.exchange.compositions import indexing, scattering
from nnefkit.exchange.reshaping import reshaped, sliced, to_scalar, transposed
from nnefkit.exchange.source_value import Value
from nnefkit.exchange.tensor_call import TensorCall, tensorflow, tflite

_INDEX = np.dtype(np.int64)


@tflite("GATHER")
@tensorflow("Gather", "GatherV2")
def gather(c: TensorCall) -> Value:
    """Read `gather`; the first axes may be common to elements and indices."""
    x, indices = c[0], c[1]
    given = c.number(2, "axis") if c.get(2) is not None else int(c.option("axis"))
    axis = c.front_axis(given, x.rank)
    batch = int(c.option("batch_dims"))
    batch = batch + indices.rank if batch < 0 else batch
    if not 0 <= batch <= min(axis, indices.rank) or x.shape[:batch] != indices.shape[:batch]:
        c.invalid(f"its first {batch} axes are not common to both inputs")
    if not batch:
        (indices,) = _within(c, [indices], x.shape[axis : axis + 1])
        return c.op("gather", x, indices, axis=axis)
    return _gathered_in_batches(c, x, indices, axis, batch)


def _gathered_in_batches(c: TensorCall, x: Value, indices: Value, axis: int, batch: int) -> Value:
    """Return elements selected along an axis, by other indices for each entry of a batch."""
    between = x.shape[batch:axis]
    order = [*range(batch), axis, *range(batch, axis), *range(axis + 1, x.rank)]
    moved = transposed(c, x, order)
    count, extent, rest = prod(x.shape[:batch]), x.shape[axis], moved.shape[batch + 1 :]
    rows = reshaped(c, moved, (count * extent, *rest))
    flat = reshaped(c, indices, (count, prod(indices.shape[batch:])))
    tiled = np.broadcast_to(np.arange(count).reshape(count, 1), flat.shape)
    entries = c.graph.constant(np.ascontiguousarray(tiled), _INDEX)
    positions = indexing.flat_positions(c, [entries, flat], (count, extent))
    picked = c.op("gather", rows, reshaped(c, positions, (prod(flat.shape),)), axis=0)
    inner = indices.shape[batch:]
    result = reshaped(c, picked, (*x.shape[:batch], *inner, *rest))
    first, middle = batch + len(inner), len(between)
    axes = [
        *range(batch),
        *range(first, first + middle),
        *range(batch, first),
        *range(first + middle, result.rank),
    ]
    return transposed(c, result, axes)


@tflite("GATHER_ND")
@tensorflow("GatherNd")
def gather_nd(c: TensorCall) -> Value:
    """Read elements, or slices, at positions along the first axes."""
    x, parts = c[0], _parts(c, c[1], c[0].rank)
    extents = x.shape[: len(parts)]
    positions = indexing.flat_positions(c, _within(c, parts, extents), extents)
    flat = reshaped(c, x, (prod(extents), *x.shape[len(parts) :]))
    return c.op("gather", flat, positions, axis=0)


def _parts(c: TensorCall, indices: Value, rank: int) -> list[Value]:
    """Return the indices along each axis, which are the last axis of a tensor."""
    if indices.rank < 1 or not 0 < indices.shape[-1] <= rank:
        c.invalid(f"its indices have the shape {[*indices.shape]}")
    last, shape = indices.rank - 1, indices.shape[:-1]
    return [
        reshaped(c, sliced(c, indices, last, number, number + 1), shape)
        for number in range(indices.shape[-1])
    ]


def _within(c: TensorCall, parts: list[Value], extents: tuple[int, ...]) -> list[Value]:
    """Return indices, of which constant ones are checked now."""
    return [
        indexing.checked(c, part, extent) if part.data is not None else part
        for part, extent in zip(parts, extents, strict=True)
    ]


@tflite("SCATTER_ND")
@tensorflow("ScatterNd")
def scatter_nd(c: TensorCall) -> Value:
    """Read zeros with slices added at positions; repeated positions add up."""
    indices, updates, shape = c[0], c[1], tuple(c.ints(2, "shape"))
    if min(shape, default=1) < 1:
        c.invalid(f"its shape is {[*shape]}")
    c.allowance.take(shape, 8)
    return scattered(c, c.graph.constant(np.zeros(shape, updates.dtype)), indices, updates, "add")


def scattered(
    c: TensorCall, x: Value, indices: Value, updates: Value, operation: str = "none"
) -> Value:
    """Return a tensor with slices changed at positions along its first axes.

    Args:
        c: The call of the operator.
        x: The tensor.
        indices: The positions, whose last axis has one for each of the first axes of `x`.
        updates: The slices.
        operation: What combines them with those of `x`: add, mul, max or min; "none" replaces them.

    Raises:
        Refusal: The updates do not fit, or positions are out of range.
    """
    parts = _parts(c, indices, x.rank)
    if updates.shape != (*indices.shape[:-1], *x.shape[len(parts) :]):
        c.invalid(f"its updates of shape {[*updates.shape]} do not fit {[*x.shape]}")
    if any(part.data is None for part in parts):
        return scattering.scatter_slices(c, x, parts, updates, operation, from_end=False)
    extents = x.shape[: len(parts)]
    positions = indexing.flat_positions(c, _within(c, parts, extents), extents).data
    assert positions is not None  # noqa: S101 - the indices are constant
    rest = prod(x.shape[len(parts) :])
    c.allowance.take((positions.size, rest), 8)
    single = (positions.reshape(-1, 1) * rest + np.arange(rest)).reshape(-1)
    if operation == "none":
        return indexing.scatter(c, x, updates, single)
    return indexing.scatter_reduce(c, x, updates, single, operation)


@tflite("ONE_HOT")
@tensorflow("OneHot")
def one_hot(c: TensorCall) -> Value:
    """Read `select`: one number at the index, another elsewhere, also for indices out of range."""
    indices, depth = c[0], c.number(1, "depth")
    axis = int(c.option("axis", -1))
    axis = indices.rank if axis == -1 else c.front_axis(axis, indices.rank + 1)
    if depth < 1:
        c.invalid(f"its depth is {depth}")
    c.allowance.take((depth,), 4)
    shape = [1] * (indices.rank + 1)
    shape[axis] = depth
    positions = c.graph.constant(np.arange(depth, dtype=np.float32).reshape(shape))
    wide = reshaped(c, indices, (*indices.shape[:axis], 1, *indices.shape[axis:]))
    on, off = (reshaped(c, c[index], ()) for index in (2, 3))
    return c.op("select", c.op("eq", to_scalar(c, wide), positions), on, off)


@tflite("WHERE")
@tensorflow("Where")
def where(c: TensorCall) -> Value:
    """Read the positions of true elements, which must be constant: their number is."""
    return c.graph.constant(np.argwhere(c.constant(0, "condition")), _INDEX)


@tflite("DYNAMIC_UPDATE_SLICE")
def dynamic_update_slice(c: TensorCall) -> Value:
    """Read a tensor with a part replaced, at a constant position."""
    x, part, begins = c[0], c[1], c.ints(2, "position")
    if len(begins) != x.rank or part.rank != x.rank:
        c.invalid(f"its position is {begins} for an input of rank {x.rank}")
    if any(n > extent for n, extent in zip(part.shape, x.shape, strict=True)):
        c.invalid(f"it puts {[*part.shape]} into {[*x.shape]}")
    grids = np.meshgrid(
        *(
            np.arange(n) + min(max(begin, 0), extent - n)
            for begin, n, extent in zip(begins, part.shape, x.shape, strict=True)
        ),
        indexing="ij",
    )
    positions = np.ravel_multi_index([each.reshape(-1) for each in grids], x.shape)
    return indexing.scatter(c, x, part, positions)


@tflite("SPARSE_TO_DENSE")
@tensorflow("SparseToDense")
def sparse_to_dense(c: TensorCall) -> Value:
    """Read a number with others put at constant positions."""
    shape = c.ints(1, "shape")
    data = c.constant(0, "positions")
    default, values = c[3], c[2]
    places = data.reshape(-1, max(len(shape), 1))
    if (places < 0).any() or (places >= np.asarray(shape)).any() or min(shape, default=0) < 1:
        c.invalid("its positions are out of range")
    c.allowance.take(shape, 8)
    positions = np.ravel_multi_index([*places.T], shape)
    count = positions.size
    wide = values
    if prod(values.shape) == 1 and count > 1:
        wide = c.op("tile", reshaped(c, values, (1,)), repeats=[count])
    single = reshaped(c, default, (1,) * len(shape))
    filled = c.op("tile", single, repeats=shape)
    return indexing.scatter(c, filled, reshaped(c, wide, (count,)), positions)
