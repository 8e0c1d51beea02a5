"""Selecting and replacing elements by their indices (4.5.8)."""

from __future__ import annotations

from math import prod

import numpy as np

from nnefkit.arrays import Array, Shape
from nnefkit.budget import current_budget, remedy
from nnefkit.exchange.compositions import indexing, scattering, shaping
from nnefkit.exchange.onnx.call import INVALID, Call, operator
from nnefkit.exchange.reshaping import empty, reshaped, to_dtype, truncated
from nnefkit.exchange.source_value import Value


@operator("Gather")
def gather(c: Call) -> Value:
    """Read `gather`, or `slice` for a single index."""
    x = c[0]
    axis = c.axis("axis", 0, x.rank)
    indices = indexing.counted_from_front(c, c[1], x.shape[axis])
    given = c[1].data
    if given is not None and given.size == 1:
        part = shaping.element(c, x, axis, int(given.reshape(-1)[0]))
        return reshaped(c, part, (*x.shape[:axis], *given.shape, *x.shape[axis + 1 :]))
    return c.op("gather", x, indices, axis=axis)


@operator("GatherElements")
def gather_elements(c: Call) -> Value:
    """Read a selection along an axis, each element by its own index."""
    x = c[0]
    axis = c.axis("axis", 0, x.rank)
    indices = indexing.counted_from_front(c, c[1], x.shape[axis])
    return indexing.gather_elements(c, x, indices, axis)


@operator("GatherND")
def gather_nd(c: Call) -> Value:
    """Read a selection of slices by indices along several axes."""
    x, indices = c[0], c[1]
    batch = int(c.attribute("batch_dims", 0))
    depth = indices.shape[-1] if indices.rank else 0
    if not 0 <= batch < indices.rank or not 1 <= depth <= x.rank - batch:
        c.refuse(
            f"it has {batch} batch dimensions and indices of shape {[*indices.shape]} for an input "
            f"of rank {x.rank}",
            c.invalid_hint,
        )
    if indices.shape[:batch] != x.shape[:batch]:
        c.refuse("its input and its indices differ in their batch dimensions", c.invalid_hint)
    shape = indices.shape[:-1]
    parts = [indexing.grid(c, shape, axis) for axis in range(batch)]
    columns = c.ops("unstack", indices, axis=indices.rank - 1)
    parts += [
        indexing.counted_from_front(c, column, extent)
        for column, extent in zip(columns, x.shape[batch : batch + depth], strict=True)
    ]
    extents, rest = x.shape[: batch + depth], x.shape[batch + depth :]
    slices = reshaped(c, x, (prod(extents), *rest))
    result = c.op("gather", slices, indexing.flat_positions(c, parts, extents), axis=0)
    return reshaped(c, result, (*shape, *rest))


_INDEX_BYTES = 8


@operator("OneHot")
def one_hot(c: Call) -> Value:
    """Read a one-hot encoding with given values."""
    depth = int(c.required_constant(1, "depth").reshape(-1)[0])
    axis = c.axis("axis", -1, c[0].rank + 1)
    if depth < 1:
        c.refuse(f"its depth is {depth}", "NNEF has no empty tensors.")
    if prod(c[0].shape) * depth * _INDEX_BYTES > current_budget().bytes:
        hint = remedy("bytes", "nk.from_onnx(...)")
        c.refuse(f"its depth is {depth}, which exceeds the memory of the budget", hint)
    # ONNX casts indices to integers.
    indices = truncated(c, c[0]) if c[0].dtype.kind == "f" else c[0]
    off, on = c.ops("unstack", c[2], axis=0)
    return indexing.one_hot(c, indices, depth, axis, off, on)


@operator("Compress")
def compress(c: Call) -> Value:
    """Read a selection of slices by a constant condition."""
    x = c[0]
    selected = np.flatnonzero(c.required_constant(1, "condition"))
    indices = c.graph.constant(selected, np.int64)
    if "axis" not in c.attributes:
        indices = indexing.checked(c, indices, prod(x.shape))
        return indexing.at_positions(c, x, indices, selected.shape)
    axis = c.axis("axis", 0, x.rank)
    return c.op("gather", x, indexing.checked(c, indices, x.shape[axis]), axis=axis)


_REDUCTIONS = ("add", "mul", "max", "min")


@operator("ScatterND", "ScatterElements", "Scatter")
def scatter(c: Call) -> Value:
    """Read a replacement of elements at indices; computed ones are compared with all places."""
    x, indices, updates = c[0], c[1], c[2]
    reduction = c.attribute("reduction", "none")
    if reduction not in ("none", *_REDUCTIONS):
        c.refuse(f"NNEF has no '{reduction}' of indexed elements", "Scatter without a reduction.")
    _check_updates(c, x, indices, updates)
    if indices.data is not None:
        positions = _positions(c, x.shape, indices.data)
        if reduction == "none":
            return indexing.scatter(c, x, updates, positions)
        return indexing.scatter_reduce(c, x, updates, positions, reduction)
    if c.operator == "ScatterND":
        columns = c.ops("unstack", indices, axis=indices.rank - 1)
        return scattering.scatter_slices(c, x, columns, updates, reduction)
    axis = c.axis("axis", 0, x.rank)
    return scattering.scatter_along(c, x, indices, updates, axis, reduction)


def _check_updates(c: Call, x: Value, indices: Value, updates: Value) -> None:
    """Refuse updates whose shape is not that of what the indices name."""
    if c.operator == "ScatterND":
        depth = indices.shape[-1] if indices.rank else 0
        fits = 1 <= depth <= x.rank
        fits &= updates.shape == (*indices.shape[:-1], *x.shape[depth:])
    else:
        axis = c.axis("axis", 0, x.rank)
        pairs = zip(indices.shape, x.shape, strict=False)
        within = all(n <= extent for at, (n, extent) in enumerate(pairs) if at != axis)
        fits = within and indices.rank == x.rank and updates.shape == indices.shape
    if not fits:
        shapes = ", ".join(str([*each.shape]) for each in (x, indices, updates))
        c.refuse(f"the shapes of its inputs do not fit: {shapes}", INVALID)


def _positions(c: Call, shape: Shape, indices: Array) -> Array:
    """Return the row-major position in the result of each update."""
    if c.operator == "ScatterND":
        index = [*np.moveaxis(indices, -1, 0)]
    else:
        index = [*np.indices(indices.shape)]
        index[c.axis("axis", 0, len(shape))] = indices
    try:
        positions: Array = np.arange(prod(shape)).reshape(shape)[tuple(index)]
    except IndexError as error:
        c.refuse(f"its indices are wrong: {error}", c.invalid_hint)
    return positions.reshape(-1)


@operator("NonZero", "Unique", "NonMaxSuppression")
def unknown_length(c: Call) -> Value:
    """Refuse operators whose results have no fixed shape."""
    c.refuse(
        "the shape of its result depends on the data",
        "NNEF fixes shapes before a run; do this step outside the network.",
    )


@operator("TopK")
def top_k(c: Call) -> list[Value]:
    """Read the largest elements and their indices."""
    x = c[0]
    counts = c.ints("k", 1) or []
    if len(counts) != 1:
        c.refuse("its number of elements is missing", c.invalid_hint)
    count = counts[0]
    largest = bool(c.attribute("largest", 1))
    axis = c.axis("axis", -1, x.rank)
    extent = x.shape[axis] if x.rank else 1
    if not 0 <= count <= extent:
        c.refuse(f"it takes {count} elements of {extent}", c.invalid_hint)
    if not count:
        shape = [*x.shape[:axis], 0, *x.shape[axis + 1 :]]
        return [empty(c, shape, x.dtype), empty(c, shape, np.dtype(np.int64))]
    values, indices = indexing.top(c, x, count, axis, largest=largest)
    return [to_dtype(c, values, c[0].dtype), indices]
