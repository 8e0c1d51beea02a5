"""Elements replaced, or combined with others, at indices (4.5.8)."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from nnefkit.exchange.compositions import indexing, scattering
from nnefkit.exchange.compositions.elementwise import NEUTRAL
from nnefkit.exchange.refusal import refuse
from nnefkit.exchange.reshaping import (
    axis_of,
    expanded,
    reshaped,
    sliced,
    to_dtype,
    to_scalar,
    transposed,
)
from nnefkit.exchange.source_value import DType, Value
from nnefkit.exchange.torch.call import Call, arithmetic, operator

_OPERATIONS = {
    **dict.fromkeys(("add", "sum", "mean"), "add"),
    **dict.fromkeys(("mul", "multiply", "prod"), "mul"),
    "amax": "max",
    "amin": "min",
}
"""Reductions of PyTorch -> the operations that combine elements."""


@operator("scatter")
def scatter(
    c: Call,
    x: Value,
    dim: int,
    index: Value,
    src: Value | None = None,
    value: float | None = None,
    reduce: str | None = None,
) -> Value:
    """Return `select` of the new elements, or the operation that combines them with the old."""
    operation = "none" if reduce is None else _OPERATIONS[reduce]
    return _scattered(c, x, dim, index, _updates(c, x, src, value), operation)


@operator("scatter_add")
def scatter_add(c: Call, x: Value, dim: int, index: Value, src: Value) -> Value:
    """Return `add` of the updates of each element."""
    return _scattered(c, x, dim, index, src, "add")


@operator("scatter_reduce")
def scatter_reduce(
    c: Call, x: Value, dim: int, index: Value, src: Value, reduce: str, include_self: bool = True
) -> Value:
    """Return the sum, product, mean, largest or smallest of the updates of each element."""
    operation = _OPERATIONS[reduce]
    if include_self and reduce != "mean":
        return _scattered(c, x, dim, index, src, operation)
    if x.dtype.kind != "f" and reduce == "mean":
        refuse("it computes means of integers", "Convert them to float first.")
    ones = c.graph.constant(np.ones(index.shape, c.scalar_dtype))
    zeros = c.graph.constant(np.zeros(x.shape, c.scalar_dtype))
    count = _scattered(c, zeros, dim, index, ones, "add")
    if include_self:
        total = _scattered(c, x, dim, index, src, operation)
        return c.op("div", total, c.op("add", count, 1.0))
    start = c.graph.constant(np.full(x.shape, _neutral(operation, x.dtype), x.dtype))
    result = _scattered(c, start, dim, index, src, operation)
    if reduce == "mean":
        result = c.op("div", result, c.op("max", count, 1.0))
    return c.op("select", c.op("gt", count, 0.0), result, x)


def _neutral(operation: str, dtype: DType) -> float:
    """Return the element that changes nothing; the limits of integers stand for infinities."""
    if dtype.kind in "iu" and operation in ("max", "min"):
        limits = np.iinfo(dtype)
        return int(limits.min if operation == "max" else limits.max)
    return NEUTRAL[operation]


@operator("index_add")
def index_add(c: Call, x: Value, dim: int, index: Value, source: Value, alpha: float = 1) -> Value:
    """Return `add` of slices at indices."""
    if alpha != 1:
        source = arithmetic(c, "mul", source, alpha)
    return _with_slices(c, x, dim, index, source, "add")


@operator("index_reduce")
def index_reduce(
    c: Call, x: Value, dim: int, index: Value, source: Value, reduce: str, include_self: bool = True
) -> Value:
    """Return the product, mean, largest or smallest of slices at indices."""
    wide = _repeated(c, x, dim, index, source)
    return scatter_reduce(c, x, dim, wide, source, reduce, include_self)


@operator("index_copy")
def index_copy(c: Call, x: Value, dim: int, index: Value, source: Value) -> Value:
    """Return a tensor with slices replaced at indices."""
    return _with_slices(c, x, dim, index, source, "none")


@operator("index_fill")
def index_fill(c: Call, x: Value, dim: int, index: Value, value: Any) -> Value:
    """Return `select` of a number at indices along an axis, and the old elements elsewhere."""
    index = indexing.counted_from_front(c, index, x.shape[dim] if x.rank else 1)
    number = value if isinstance(value, Value) else c.graph.constant(value, x.dtype)
    return _with_slices(c, x, dim, index, to_dtype(c, number, x.dtype), "none")


def _updates(c: Call, x: Value, src: Value | None, value: float | None) -> Value:
    if src is not None:
        return src
    return c.graph.constant(np.asarray(value, x.dtype))


def _with_slices(c: Call, x: Value, dim: int, index: Value, source: Value, operation: str) -> Value:
    """Return `x` with slices changed at indices; a single element applies to all of them."""
    axis = axis_of(dim, x.rank)
    if x.rank and index.data is not None and operation == "none":
        places = indexing.checked(c, index, x.shape[axis]).data
        assert places is not None  # noqa: S101 - it is a constant
        return indexing.replace_slices(c, x, source, places.reshape(-1), axis)
    if x.rank:
        shape = [*x.shape]
        shape[axis] = prod(index.shape)
        source = expanded(c, source, shape)
    if not x.rank or index.data is not None:
        return _scattered(c, x, dim, _repeated(c, x, dim, index, source), source, operation)
    order = [axis, *(other for other in range(x.rank) if other != axis)]
    moved, updates = (transposed(c, value, order) for value in (x, source))
    result = scattering.scatter_slices(c, moved, [index], updates, operation, from_end=False)
    return to_dtype(c, transposed(c, result, [order.index(a) for a in range(x.rank)]), x.dtype)


def _repeated(c: Call, x: Value, dim: int, index: Value, source: Value) -> Value:
    """Return the indices of slices, repeated for each element of the slices."""
    if not x.rank:
        return reshaped(c, index, ())
    axis = axis_of(dim, x.rank)
    line = [1] * x.rank
    line[axis] = prod(index.shape)
    return expanded(c, reshaped(c, index, line), source.shape)


def _scattered(c: Call, x: Value, dim: int, index: Value, updates: Value, operation: str) -> Value:
    """Return `x` with elements changed along an axis; a single update applies to all indices."""
    if not x.rank:
        flat = _scattered(
            c, *(reshaped(c, x, (1,)), 0, reshaped(c, index, (1,))), updates, operation
        )
        return reshaped(c, flat, ())
    axis = axis_of(dim, x.rank)
    if updates.rank:
        # Elements beyond the indices are not used.
        for other, extent in enumerate(index.shape):
            updates = sliced(c, updates, other, 0, extent)
    else:
        updates = expanded(c, updates, index.shape)
    if operation != "none":
        updates = to_scalar(c, updates)
    if index.data is None:
        result = scattering.scatter_along(c, x, index, updates, axis, operation, from_end=False)
    else:
        result = _at_constants(c, x, axis, index, updates, operation)
    return to_dtype(c, result, x.dtype)


def _at_constants(
    c: Call, x: Value, axis: int, index: Value, updates: Value, operation: str
) -> Value:
    known = indexing.checked(c, index, x.shape[axis]).data
    assert known is not None  # noqa: S101 - it is a constant
    where = [*np.indices(known.shape)]
    where[axis] = known
    places = np.arange(prod(x.shape)).reshape(x.shape)[tuple(where)].reshape(-1)
    if operation == "none":
        return indexing.scatter(c, x, updates, places)
    return indexing.scatter_reduce(c, x, updates, places, operation)
