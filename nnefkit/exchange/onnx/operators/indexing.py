"""Items by their indices."""

from __future__ import annotations

from typing import Any

import numpy as np

from nnefkit.arrays import Array
from nnefkit.exchange.onnx.call import INVALID, Call, operator
from nnefkit.exchange.onnx.values import binary
from nnefkit.exchange.refusal import refuse_empty_tensor
from nnefkit.exchange.reshaping import reshaped, to_dtype, to_scalar
from nnefkit.exchange.source_graph import SCALAR, Value


def _wrapped_indices(c: Call, indices: Value, extent: int) -> Value:
    """Indices of which negative ones count from the end."""
    if indices.data is not None:
        data = np.where(indices.data < 0, indices.data + extent, indices.data)
        if data.size and not 0 <= data.min() <= data.max() < extent:
            c.refuse(f"its indices go beyond the {extent} items of the axis", INVALID)
        return c.graph.constant(data, np.int64, name=indices.name)
    if indices.dtype.kind == "u":
        return indices
    number = to_scalar(c, indices)
    raised = c.op("select", c.op("lt", number, 0.0), c.op("add", number, float(extent)), number)
    return to_dtype(c, raised, np.dtype(np.int64))


@operator("Gather")
def gather(c: Call) -> Value:
    """Slices along an axis."""
    x, indices = c[0], c[1]
    axis = c.axis("axis", 0, x.rank)
    wrapped = _wrapped_indices(c, indices, x.shape[axis])
    if wrapped.data is not None and wrapped.data.size == 1:
        index = int(wrapped.data.reshape(-1)[0])
        part = c.op("slice", x, axes=[axis], begin=[index], end=[index + 1])
        return reshaped(c, part, (*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]))
    return c.op("gather", x, wrapped, axis=axis)


def _from_flat(c: Call, x: Value, flat: Value, shape: tuple[int, ...]) -> Value:
    items = reshaped(c, x, (int(np.prod(x.shape)),)) if x.rank != 1 else x
    return reshaped(c, c.op("gather", items, flat, axis=0), shape)


def _flat(c: Call, parts: list[Value], extents: list[int]) -> Value:
    """Row-major positions of indices, one tensor for each axis."""
    if all(part.data is not None for part in parts):
        total: Any = 0
        for part, extent in zip(parts, extents, strict=True):
            total = total * extent + np.asarray(part.data)
        return c.graph.constant(total, np.int64)
    if int(np.prod(extents)) > 2**24:
        c.refuse(
            "positions beyond 16,777,216 are computed",
            "NNEF computes with scalars, and float32 holds integers exactly up to there.",
        )
    total_value = to_scalar(c, parts[0])
    for part, extent in zip(parts[1:], extents[1:], strict=True):
        scaled = c.op("mul", total_value, float(extent))
        total_value = binary(c, "add", scaled, to_scalar(c, part))
    return to_dtype(c, total_value, np.dtype(np.int64))


@operator("GatherElements")
def gather_elements(c: Call) -> Value:
    """Items along an axis, each by an index of its own."""
    x, indices = c[0], c[1]
    axis = c.axis("axis", 0, x.rank)
    parts = []
    for a in range(x.rank):
        if a == axis:
            parts.append(_wrapped_indices(c, indices, x.shape[a]))
        else:
            shape = [1] * x.rank
            shape[a] = indices.shape[a]
            grid = np.arange(indices.shape[a]).reshape(shape)
            parts.append(c.graph.constant(np.broadcast_to(grid, indices.shape), np.int64))
    return _from_flat(c, x, _flat(c, parts, [*x.shape]), indices.shape)


@operator("GatherND")
def gather_nd(c: Call) -> Value:
    """Slices by indices of several axes."""
    x, indices = c[0], c[1]
    batch = int(c.attribute("batch_dims", 0))
    depth = indices.shape[-1]
    places = indices.shape[:-1]
    split = c.ops("unstack", indices, axis=indices.rank - 1)
    parts = []
    for a in range(batch):
        shape = [1] * len(places)
        shape[a] = places[a]
        grid = np.arange(places[a]).reshape(shape)
        parts.append(c.graph.constant(np.broadcast_to(grid, places), np.int64))
    parts += [_wrapped_indices(c, part, x.shape[batch + a]) for a, part in enumerate(split[:depth])]
    extents = [*x.shape[: batch + depth]]
    rest = x.shape[batch + depth :]
    rows = reshaped(c, x, (int(np.prod(extents)), *rest))
    result = c.op("gather", rows, _flat(c, parts, extents), axis=0)
    return reshaped(c, result, (*places, *rest))


@operator("OneHot")
def one_hot(c: Call) -> Value:
    """One of two values: where the position along a new axis is the index, the other one."""
    indices, values = to_scalar(c, c[0]), c[2]
    given = c.values(1, "depth")
    assert given is not None  # noqa: S101 - the input is not optional
    depth = int(given.reshape(-1)[0])
    axis = c.axis("axis", -1, indices.rank + 1)
    with c.graph.scope("one_hot"):
        wrapped = c.op(
            "select",
            c.op("lt", indices, 0.0),
            c.op("add", indices, float(depth)),
            indices,
        )
        shape = [1] * (indices.rank + 1)
        shape[axis] = depth
        positions = c.graph.constant(np.arange(depth, dtype=np.float32).reshape(shape))
        places = reshaped(c, wrapped, (*indices.shape[:axis], 1, *indices.shape[axis:]))
        hot = c.op("eq", places, positions)
        off, on = c.ops("unstack", values, axis=0)
        result: Value = c.op("select", hot, on, off)
    return result


@operator("Compress")
def compress(c: Call) -> Value:
    """The slices for which a condition that is known holds."""
    x = c[0]
    condition = c.values(1, "condition")
    places = np.flatnonzero(np.asarray(condition))
    if not places.size:
        refuse_empty_tensor()
    indices = c.graph.constant(places, np.int64)
    if "axis" not in c.attributes:
        return _from_flat(c, x, indices, (places.size,))
    return c.op("gather", x, indices, axis=c.axis("axis", 0, x.rank))


@operator("ScatterND", "ScatterElements", "Scatter")
def scatter(c: Call) -> Value:
    """Items put at indices that are known: a choice of old and new items."""
    x, updates = c[0], c[2]
    known = c.values(1, "indices")
    assert known is not None  # noqa: S101 - the input is not optional
    count = int(np.prod(x.shape))
    targets, sources = _scattered(c, x.shape, np.asarray(known), updates.shape)
    if c.attribute("reduction", "none") != "none":
        return _summed(c, x, updates, targets, sources)
    # Where an index occurs twice, the last one wins.
    places = np.zeros(count, np.int64)
    taken = np.zeros(count, np.bool_)
    places[targets] = sources
    taken[targets] = True
    new = _from_flat(c, updates, c.graph.constant(places), x.shape)
    if taken.all():
        return new
    chosen = c.graph.constant(taken.reshape(x.shape))
    return c.op("select", chosen, new, x)


def _scattered(
    c: Call, shape: tuple[int, ...], indices: Array, updates: tuple[int, ...]
) -> tuple[Array, Array]:
    """Flat positions in the result, and of what goes there in the updates."""
    positions = np.arange(int(np.prod(shape))).reshape(shape)
    if c.operator == "ScatterND":
        chosen = positions[tuple(np.moveaxis(indices, -1, 0))]
    else:
        axis = c.axis("axis", 0, len(shape))
        grid = [*np.indices(indices.shape)]
        grid[axis] = indices
        chosen = positions[tuple(grid)]
    return chosen.reshape(-1), np.arange(int(np.prod(updates)))


def _summed(c: Call, x: Value, updates: Value, targets: Array, sources: Array) -> Value:
    reduction = c.attribute("reduction")
    if reduction not in ("add", "mul", "max", "min"):
        c.refuse(f"NNEF has no '{reduction}' into indexed items", "Scatter without a reduction.")
    neutral = {"add": 0.0, "mul": 1.0}.get(reduction)
    result = to_scalar(c, x)
    values = to_scalar(c, updates)
    # One round for each time that an index comes again.
    for _ in range(256):
        if not targets.size:
            return to_dtype(c, result, x.dtype)
        _, first = np.unique(targets, return_index=True)
        places = np.zeros(int(np.prod(x.shape)), np.int64)
        taken = np.zeros(places.shape, np.bool_)
        places[targets[first]] = sources[first]
        taken[targets[first]] = True
        new = _from_flat(c, values, c.graph.constant(places), x.shape)
        mask = c.graph.constant(taken.reshape(x.shape))
        other = result if neutral is None else neutral
        result = c.op(reduction, result, c.op("select", mask, new, other))
        rest = np.setdiff1d(np.arange(targets.size), first)
        targets, sources = targets[rest], sources[rest]
    return c.refuse("indices come again too often", "Scatter without a reduction.")


@operator("NonZero", "Unique", "NonMaxSuppression", "TopK")
def unknown_length(c: Call) -> list[Value | None]:
    """Of these, only the greatest item can be told in NNEF."""
    if c.operator != "TopK":
        c.refuse(
            "how many items it gives depends on the data",
            "NNEF's shapes are known before the network runs; do this step outside of it.",
        )
    return _top(c)


_LARGEST_TOP = 32


def _top(c: Call) -> list[Value | None]:
    """The greatest items, one after another: each is found, then taken out."""
    x = to_scalar(c, c[0])
    axis = c.axis("axis", -1, x.rank)
    count = (c.ints("k", 1) or [1])[0]
    if count > _LARGEST_TOP:
        c.refuse(f"it sorts {count} items", f"NNEF has no sorting; {_LARGEST_TOP} are the most.")
    down = bool(c.attribute("largest", 1))
    shape = [1] * x.rank
    shape[axis] = x.shape[axis]
    positions = c.graph.constant(np.arange(x.shape[axis], dtype=np.float32).reshape(shape))
    left = x
    values, indices = [], []
    with c.graph.scope("top_k"):
        extreme = "max_reduce" if down else "min_reduce"
        taken = None
        for _ in range(count):
            if taken is not None:
                # Items that were found already lose against all the others.
                worst = float(np.finfo(np.float32).max) * (-1 if down else 1)
                left = c.op("select", taken, worst, x)
            values.append(c.op(extreme, left, axes=[axis]))
            index = c.op("argmax_reduce" if down else "argmin_reduce", left, axes=[axis])
            indices.append(index)
            here = c.op("eq", positions, c.op("cast", index, data_type=SCALAR))
            taken = here if taken is None else c.op("or", taken, here)
        if count == 1:
            return [to_dtype(c, values[0], c[0].dtype), indices[0]]
        top = c.op("concat", values, axis=axis)
        places = c.op("concat", indices, axis=axis)
    return [to_dtype(c, top, c[0].dtype), places]
