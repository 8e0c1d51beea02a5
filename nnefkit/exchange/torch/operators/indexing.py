"""Elements selected and replaced by indices (4.5.8)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from nnefkit.exchange.compositions import indexing, reduction
from nnefkit.exchange.compositions.elementwise import scalar_operation
from nnefkit.exchange.refusal import refuse
from nnefkit.exchange.reshaping import (
    axis_of,
    expanded,
    reshaped,
    sliced,
    to_dtype,
    transposed,
)
from nnefkit.exchange.source_value import INTEGER, Value
from nnefkit.exchange.torch.call import Call, in_dtype_of_result, operator, to_result


@operator("embedding")
def embedding(
    c: Call,
    weight: Value,
    indices: Value,
    padding_idx: int = -1,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Value:
    """Return `gather`."""
    return c.op("gather", weight, indices, axis=0)


@operator("index_select")
def index_select(c: Call, x: Value, dim: int, index: Value) -> Value:
    """Return `gather`."""
    return c.op("gather", x, index, axis=axis_of(dim, x.rank))


@operator("index")
def index(c: Call, x: Value, indices: Sequence[Value | None]) -> Value:
    """Return `gather` along one axis, or along several axes merged into one."""
    used = [axis for axis, value in enumerate(indices) if value is not None]
    values = [value for value in indices if value is not None]
    if any(value.data_type != INTEGER for value in values):
        refuse(
            "it selects elements by a mask, so their number depends on values",
            "Use torch.where, which keeps the shape.",
        )
    if used != [*range(used[0], used[-1] + 1)]:
        # The axes of the indices come before all others.
        x = transposed(c, x, [*used, *(axis for axis in range(x.rank) if axis not in used)])
        used = [*range(len(used))]
    axis = used[0]
    if len(used) > 1:
        x, place = _flat(c, x, used, values)
    else:
        place = indexing.counted_from_front(c, values[0], x.shape[axis])
    result: Value = c.op("gather", x, place, axis=axis)
    return reshaped(c, result, c.shape)


def _flat(c: Call, x: Value, used: list[int], values: list[Value]) -> tuple[Value, Value]:
    """Return the tensor with its axes merged into one, and the positions along it."""
    extents = [x.shape[axis] for axis in used]
    indices = [
        indexing.counted_from_front(c, value, extent)
        for value, extent in zip(values, extents, strict=True)
    ]
    shape = (*x.shape[: used[0]], math.prod(extents), *x.shape[used[-1] + 1 :])
    return reshaped(c, x, shape), indexing.flat_positions(c, indices, extents)


@operator("gather")
def gather(c: Call, x: Value, dim: int, index: Value, sparse_grad: bool = False) -> Value:
    """Return `gather` of slices, or of single elements by their positions."""
    axis = axis_of(dim, x.rank)
    others = [a for a in range(x.rank) if a != axis]
    if all(index.shape[a] == 1 == x.shape[a] for a in others):
        flat = reshaped(c, index, (index.shape[axis],))
        return c.op("gather", x, flat, axis=axis)
    return indexing.gather_elements(c, x, index, axis)


@operator("one_hot")
def one_hot(c: Call, x: Value, num_classes: int = -1) -> Value:
    """Return `eq` of the indices and the classes; an index out of range is an error."""
    classes = c.graph.constant(np.arange(num_classes))
    indices = reshaped(c, indexing.checked(c, x, num_classes), (*x.shape, 1))
    return to_dtype(c, scalar_operation(c, "eq", indices, classes), c.dtypes[0])


@operator("select_scatter")
def select_scatter(c: Call, x: Value, src: Value, dim: int, index: int) -> Value:
    """Return `concat` of the old and the new elements."""
    axis = axis_of(dim, x.rank)
    at = axis_of(index, x.shape[axis])
    shape = [*x.shape]
    shape[axis] = 1
    return _put(c, x, reshaped(c, src, shape), axis, at, at + 1)


@operator("slice_scatter")
def slice_scatter(
    c: Call,
    x: Value,
    src: Value,
    dim: int = 0,
    start: int | None = None,
    end: int | None = None,
    step: int = 1,
) -> Value:
    """Return `concat` of the old and the new elements, or `gather` of both."""
    axis = axis_of(dim, x.rank)
    begin, stop, stride = slice(start, end, step).indices(x.shape[axis])
    if begin >= stop:
        return x
    if stride != 1:
        return _interleaved(c, x, src, axis, range(begin, stop, stride))
    return _put(c, x, src, axis, begin, stop)


def _interleaved(c: Call, x: Value, part: Value, axis: int, places: range) -> Value:
    """Return `x` with `part` at some positions: `gather` of the concatenation of both."""
    extent = x.shape[axis]
    order = np.arange(extent)
    order[places.start : places.stop : places.step] = extent + np.arange(len(places))
    indices = c.graph.constant(order, name=f"{c.name}.indices")
    return c.op("gather", c.op("concat", [x, part], axis=axis), indices, axis=axis)


def _put(c: Call, x: Value, part: Value, axis: int, begin: int, end: int) -> Value:
    extent = x.shape[axis]
    parts = [part]
    if begin:
        parts = [sliced(c, x, axis, 0, begin), *parts]
    if end < extent:
        parts = [*parts, sliced(c, x, axis, end, extent)]
    if len(parts) == 1:
        return part
    return c.op("concat", parts, axis=axis)


@operator("fill", "full_like", "zeros_like", "ones_like")
def fill(
    c: Call,
    x: Value,
    value: Any = None,
    fill_value: Any = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: Any = None,
    memory_format: Any = None,
) -> Value:
    """Return a constant, or a computed number repeated."""
    given = {"zeros_like": 0, "ones_like": 1}.get(
        c.operator, value if fill_value is None else fill_value
    )
    if isinstance(given, Value):
        if given.data is None:
            return expanded(c, to_dtype(c, given, c.dtypes[0]), c.shape)
        given = given.data.item()
    return c.graph.constant(np.full(c.shape, given, c.dtypes[0]), name=c.name)


@operator("copy")
def copy(c: Call, x: Value, src: Value, non_blocking: bool = False) -> Value:
    """Return the elements of another tensor."""
    return expanded(c, src, c.shape)


@operator("cumsum")
def cumsum(c: Call, x: Value, dim: int, dtype: Any = None) -> Value:
    """Return `add` of the elements so far, in rounds that double their number."""
    wide = in_dtype_of_result(c, x)
    total = reduction.cumulative_sum(c, wide, axis_of(dim, x.rank)) if x.rank else wide
    return to_result(c, total, overflows=True)


@operator("topk")
def topk(
    c: Call, x: Value, k: int, dim: int = -1, largest: bool = True, sorted: bool = True
) -> Any:
    """Return the largest elements, selected one by one, and their indices."""
    values, indices = indexing.top(c, x, k, axis_of(dim, x.rank), largest=largest)
    return [to_dtype(c, values, c.dtypes[0]), indices]
