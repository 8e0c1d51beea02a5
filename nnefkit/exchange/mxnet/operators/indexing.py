"""Elements selected by their indices (4.5.8).

MXNet's indices are often scalars; those out of range are moved to the nearest element.
"""

from __future__ import annotations

from math import prod

import numpy as np

from nnefkit.exchange.compositions import indexing
from nnefkit.exchange.mxnet.call import Call, operator
from nnefkit.exchange.mxnet.operators.elementwise import dtype_named
from nnefkit.exchange.reshaping import reshaped, to_dtype, to_scalar, transposed
from nnefkit.exchange.source_value import INTEGER, SCALAR, Value

_INDEX = np.dtype(np.int64)


def _clipped(c: Call, indices: Value, extent: int) -> Value:
    """Return indices of an axis as integers, moved to the nearest element if there is none."""
    if indices.data is not None:
        return c.graph.derived(
            indices,
            ("clipped", extent),
            lambda data: np.clip(np.trunc(data), 0, extent - 1).astype(_INDEX),
        )
    inside = c.op("clamp", to_scalar(c, indices), 0.0, float(extent - 1))
    # Positive numbers are rounded down.
    return c.op("cast", inside, data_type=INTEGER)


def _wrapped(c: Call, indices: Value, extent: int) -> Value:
    """Return indices of an axis as integers, modulo its extent."""
    whole = c.op("floor", to_scalar(c, indices))
    turns = c.op("floor", c.op("div", whole, float(extent)))
    rest = c.op("sub", whole, c.op("mul", turns, float(extent)))
    return to_dtype(c, rest, _INDEX)


@operator("Embedding", "_npx_embedding", "_contrib_SparseEmbedding")
def embedding(c: Call) -> Value:
    """Read `gather` of rows."""
    count, width = c.integer("input_dim"), c.integer("output_dim")
    c.text("dtype", "")
    c.flag("deterministic")
    table = c.shaped(1, (count, width), "weight")
    return c.op("gather", table, _clipped(c, c[0], count), axis=0)


@operator("take", "_npi_take")
def take(c: Call) -> Value:
    """Read `gather`, with indices out of range moved to the nearest element, or wrapped around."""
    x, axis = c[0], c.axis(c.integer("axis", 0), c[0].rank)
    mode = c.text("mode", "clip", ("clip", "wrap", "raise"))
    make = _wrapped if mode == "wrap" else _clipped
    return c.op("gather", x, make(c, c[1], x.shape[axis]), axis=axis, data_type=x.data_type)


@operator("one_hot", "_npx_one_hot")
def one_hot(c: Call) -> Value:
    """Read a number where the position along a last axis is the index, and another elsewhere."""
    depth = c.integer("depth")
    if depth < 1:
        c.invalid(f"its depth is {depth}")
    on, off = c.decimal(c.real("on_value", 1.0)), c.decimal(c.real("off_value", 0.0))
    dtype = dtype_named(c)
    index = to_scalar(c, c[0])
    c.allowance.take((depth,), 4)
    shape = (1,) * index.rank + (depth,)
    positions = c.graph.constant(np.arange(depth, dtype=np.float32).reshape(shape))
    with c.graph.scope("one_hot"):
        single = reshaped(c, c.op("floor", index), (*index.shape, 1))
        result = c.op("select", c.op("eq", single, positions), on, off, data_type=SCALAR)
    return to_dtype(c, result, dtype)


@operator("pick", "_npx_pick", "batch_take", "choose_element_0index")
def pick(c: Call) -> Value:
    """Read one element along an axis, each by its own index."""
    x = c[0]
    given = c.axis_or_all(-1)
    if given is None:
        c.refuse("it picks from all axes", "Reshape its input to one axis.")
    axis = c.axis(given, x.rank)
    mode = c.text("mode", "clip", ("clip", "wrap"))
    extent = x.shape[axis]
    shape = [1 if place == axis else n for place, n in enumerate(x.shape)]
    if prod(c[1].shape) != prod(shape):
        c.invalid(f"its inputs have the shapes {[*x.shape]} and {[*c[1].shape]}")
    index = reshaped(c, c[1], shape)
    index = _wrapped(c, index, extent) if mode == "wrap" else _clipped(c, index, extent)
    picked = indexing.gather_elements(c, x, index, axis)
    if c.flag("keepdims"):
        return picked
    rest = [n for place, n in enumerate(x.shape) if place != axis]
    return reshaped(c, picked, rest or [1])


@operator("gather_nd", "_npx_gather_nd", "_npi_gather_nd")
def gather_nd(c: Call) -> Value:
    """Read `gather` by indices along the first axes."""
    x, indices = c[0], c[1]
    count = indices.shape[0] if indices.rank else 0
    if not 1 <= count <= x.rank:
        c.invalid(f"its inputs have the shapes {[*x.shape]} and {[*indices.shape]}")
    each = c.ops("unstack", to_scalar(c, indices), axis=0)
    places = [_clipped(c, one, n) for one, n in zip(each, x.shape, strict=False)]
    flat = indexing.flat_positions(c, places, x.shape[:count])
    rows = reshaped(c, x, (prod(x.shape[:count]), *x.shape[count:]))
    return c.op("gather", rows, flat, axis=0, data_type=x.data_type)


@operator("_contrib_index_array")
def index_array(c: Call) -> Value:
    """Read the indices of all elements, which are constant."""
    x = c[0]
    axes = [c.axis(axis, x.rank) for axis in c.integers("axes")] or [*range(x.rank)]
    c.allowance.take((*x.shape, len(axes)), 8)
    grids = np.indices(x.shape)[axes]
    return transposed(c, c.graph.constant(grids, _INDEX), [*range(1, x.rank + 1), 0])
