"""Elements selected and replaced by NumPy's indices, which are known (4.5.4, 4.5.8)."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from nnefkit.arrays import Array
from nnefkit.exchange.compositions import indexing
from nnefkit.exchange.compositions.shaping import concat
from nnefkit.exchange.dumped.call import DumpedCall
from nnefkit.exchange.reshaping import expanded, reshaped, sliced, written_bounds
from nnefkit.exchange.source_value import Value

_Span = tuple[int, int | None, int | None, int]
"""An axis, and the begin, end and step of a slice of it."""


def indexed(c: DumpedCall, x: Value, index: Sequence[Any]) -> Value:
    """Return elements by an index: `slice`, or `gather` where there are arrays of positions.

    Args:
        c: The call of the operation.
        x: The tensor.
        index: Integers, slices, None for a new axis, an ellipsis, and arrays.

    Raises:
        Refusal: It does not fit the tensor.
    """
    if any(isinstance(part, np.ndarray) for part in index):
        return _gathered(c, x, index)
    spans: list[_Span] = []
    kept: list[int] = []
    axis = 0
    for part in _filled(c, index, x.rank):
        if part is None:
            kept.append(1)
            continue
        extent = x.shape[axis]
        if isinstance(part, slice):
            begin, end, step = part.start, part.stop, 1 if part.step is None else part.step
            if step == 0:
                c.invalid("the stride of a slice is 0")
            kept.append(len(range(*part.indices(extent))))
        else:
            begin = c.front_axis(part, extent)
            end, step = begin + 1, 1
        spans.append((axis, begin, end, step))
        axis += 1
    if 0 in kept:
        return c.graph.constant(np.zeros(kept, x.dtype))
    return reshaped(c, _sliced(c, x, spans), kept)


def _sliced(c: DumpedCall, x: Value, spans: Sequence[_Span]) -> Value:
    axes: list[int] = []
    begins: list[int] = []
    ends: list[int] = []
    strides: list[int] = []
    for axis, begin, end, step in spans:
        extent = x.shape[axis]
        if range(*slice(begin, end, step).indices(extent)) == range(extent):
            continue
        first, last = written_bounds(begin, end, extent, step)
        axes.append(axis)
        begins.append(first)
        ends.append(last)
        strides.append(step)
    if not axes:
        return x
    options: dict[str, Any] = {} if all(step == 1 for step in strides) else {"stride": strides}
    return c.op("slice", x, axes=axes, begin=begins, end=ends, **options)


def _filled(c: DumpedCall, index: Sequence[Any], rank: int) -> list[Any]:
    """Return an index with a slice for each axis that it leaves out."""
    missing = rank - sum(part is not None and part is not Ellipsis for part in index)
    if missing < 0 or sum(part is Ellipsis for part in index) > 1:
        c.invalid(f"its index has {len(index)} parts for an input of rank {rank}")
    whole = [slice(None)] * missing
    place = next((n for n, part in enumerate(index) if part is Ellipsis), len(index))
    return [*index[:place], *whole, *index[place + 1 :]]


def positions(c: DumpedCall, x: Value, index: Sequence[Any]) -> Array:
    """Return the row-major positions of the elements that an index selects.

    Raises:
        Refusal: It does not fit the tensor.
    """
    c.allowance.take(x.shape, 8)
    places = np.arange(prod(x.shape)).reshape(x.shape)
    try:
        wanted: Array = np.asarray(places[tuple(index)])
    except (IndexError, ValueError) as error:
        c.invalid(f"its index does not fit the shape {[*x.shape]}: {error}")
    c.allowance.take(wanted.shape, 8)
    return wanted


def _gathered(c: DumpedCall, x: Value, index: Sequence[Any]) -> Value:
    """Return elements by an index with arrays."""
    arrays = [part for part in index if isinstance(part, np.ndarray)]
    others = [part for part in index if not isinstance(part, np.ndarray)]
    is_single = len(arrays) == 1 and arrays[0].dtype.kind in "iu"
    if is_single and all(part == slice(None) for part in others):
        axis = next(n for n, part in enumerate(index) if isinstance(part, np.ndarray))
        extent = x.shape[axis] if axis < x.rank else 0
        wanted = indexing.counted_from_front(c, c.graph.constant(arrays[0], np.int64), extent)
        return c.op("gather", x, wanted, axis=axis)
    places = positions(c, x, index)
    return indexing.at_positions(c, x, c.graph.constant(places), places.shape)


# -- replacing -------------------------------------------------------------------------------------


def replaced(c: DumpedCall, x: Value, y: Value, index: Sequence[Any], *, adds: bool) -> Value:
    """Return a tensor with the elements of an index replaced by others, or with others added.

    Args:
        c: The call of the operation.
        x: The tensor.
        y: The elements, whose shape broadcasts to that of the index.
        index: See `indexed`.
        adds: Whether they are added.

    Raises:
        Refusal: It does not fit the tensor.
    """
    bounds = _region(c, x, index)
    if bounds is not None:
        shape = tuple(end - begin for begin, end in bounds)
        kept = [
            n
            for n, part in zip(shape, _filled(c, index, x.rank), strict=True)
            if isinstance(part, slice)
        ]
        part = _repeated(c, y, kept)
        return _put(c, x, reshaped(c, part, shape), bounds, 0, adds=adds)
    places = positions(c, x, index)
    if places.size == 0:
        return x
    updates = _repeated(c, y, places.shape)
    if adds:
        return indexing.scatter_reduce(c, x, updates, places.reshape(-1), "add")
    return indexing.scatter(c, x, updates, places.reshape(-1))


def _repeated(c: DumpedCall, y: Value, shape: Sequence[int]) -> Value:
    if y.rank > len(shape) or any(
        n not in (1, m) for n, m in zip(y.shape[::-1], [*shape][::-1], strict=False)
    ):
        c.invalid(f"it puts {[*y.shape]} into elements of {[*shape]}")
    if y.data is not None:
        c.allowance.take(shape, 8)
    return expanded(c, y, shape)


def _region(c: DumpedCall, x: Value, index: Sequence[Any]) -> list[tuple[int, int]] | None:
    """Return the first and last position along each axis, if the index is one block."""
    if any(part is None or isinstance(part, np.ndarray) for part in index):
        return None
    bounds = []
    for extent, part in zip(x.shape, _filled(c, index, x.rank), strict=True):
        if isinstance(part, slice):
            begin, end, step = part.indices(extent)
            if step != 1 or end <= begin:
                return None
        else:
            begin = c.front_axis(part, extent)
            end = begin + 1
        bounds.append((begin, end))
    return bounds


def _put(
    c: DumpedCall, x: Value, y: Value, bounds: Sequence[tuple[int, int]], axis: int, *, adds: bool
) -> Value:
    """Return a tensor with a block of it replaced, from an axis on."""
    if axis == x.rank:
        return c.op("add", x, y) if adds else y
    begin, end = bounds[axis]
    middle = _put(c, sliced(c, x, axis, begin, end), y, bounds, axis + 1, adds=adds)
    parts = [sliced(c, x, axis, 0, begin)] if begin else []
    parts.append(middle)
    parts += [sliced(c, x, axis, end, x.shape[axis])] if end < x.shape[axis] else []
    return concat(c, parts, axis)
