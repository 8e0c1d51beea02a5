"""Elements selected by their indices (4.5.4, 4.5.8), and images sampled at positions."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from nnefkit.exchange.chainer.call import Call, function
from nnefkit.exchange.compositions import indexing
from nnefkit.exchange.compositions.grid_sampling import Sampling, grid_sample
from nnefkit.exchange.reshaping import reshaped, transposed, written_bounds
from nnefkit.exchange.source_value import Value

_LARGEST = 2**62


@function("GetItem")
def get_item(c: Call) -> Value:
    """Read `slice`, or `gather` where there are lists of indices."""
    x, index = c.one(), _index(c)
    if any(isinstance(part, np.ndarray) for part in index):
        return _gathered(c, x, index)
    spans, kept, axis = [], [], 0
    for part in _filled(c, index, x.rank):
        if part is None:
            kept.append(1)
            continue
        extent = x.shape[axis]
        if isinstance(part, slice):
            begin, end, step = part.start, part.stop, part.step or 1
            if step == 0:
                c.invalid("the stride of a slice is 0")
            kept.append(len(range(*part.indices(extent))))
        else:
            begin = c.front_axis(part, extent)
            end, step = begin + 1, 1
        spans.append((axis, begin, end, step))
        axis += 1
    return reshaped(c, _sliced(c, x, spans), kept)


def _sliced(c: Call, x: Value, spans: Sequence[tuple[int, int | None, int | None, int]]) -> Value:
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


def _index(c: Call) -> list[Any]:
    """Return the parts of an index: integers, slices, None, an ellipsis, or arrays."""
    parts = c.param("slices")
    return [_part(c, part) for part in (parts if isinstance(parts, list) else [parts])]


def _part(c: Call, part: Any) -> Any:
    if isinstance(part, bool):
        c.refuse("it selects by a condition", "Multiply by the condition, or use F.where.")
    if isinstance(part, int) and abs(part) <= _LARGEST:
        return part
    if part is None or (isinstance(part, dict) and part.get("newaxis")):
        return None
    if isinstance(part, list):
        numbers = np.asarray(part)
        if numbers.dtype.kind not in "i" and numbers.size:
            c.invalid(f"a part of its index is {part!r:.80}")
        return numbers.astype(np.int64)
    if isinstance(part, dict) and part.get("ellipsis"):
        return Ellipsis
    if isinstance(part, dict) and isinstance(part.get("slice"), list) and len(part["slice"]) == 3:
        bounds = part["slice"]
        if all(n is None or (type(n) is int and abs(n) <= _LARGEST) for n in bounds):
            return slice(*bounds)
    if not isinstance(part, dict) or not isinstance(part.get("array"), str):
        c.invalid(f"a part of its index is {part!r:.80}")
    return c.stored(part, "slices")


def _filled(c: Call, index: Sequence[Any], rank: int) -> list[Any]:
    """Return an index with a slice for each axis that it leaves out."""
    missing = rank - sum(part is not None and part is not Ellipsis for part in index)
    if missing < 0 or sum(part is Ellipsis for part in index) > 1:
        c.invalid(f"its index has {len(index)} parts for an input of rank {rank}")
    whole = [slice(None)] * missing
    place = next((n for n, part in enumerate(index) if part is Ellipsis), len(index))
    return [*index[:place], *whole, *index[place + 1 :]]


def _gathered(c: Call, x: Value, index: Sequence[Any]) -> Value:
    """Return elements by an index with arrays."""
    arrays = [part for part in index if isinstance(part, np.ndarray)]
    others = [part for part in index if not isinstance(part, np.ndarray)]
    is_single = len(arrays) == 1 and arrays[0].dtype.kind in "iu"
    if is_single and all(part == slice(None) for part in others):
        axis = next(n for n, part in enumerate(index) if isinstance(part, np.ndarray))
        extent = x.shape[axis] if axis < x.rank else 0
        positions = indexing.counted_from_front(c, c.graph.constant(arrays[0], np.int64), extent)
        return c.op("gather", x, positions, axis=axis)
    c.allowance.take(x.shape, 8)
    places = np.arange(prod(x.shape)).reshape(x.shape)
    try:
        wanted = places[tuple(index)]
    except IndexError as error:
        c.invalid(f"its index does not fit the shape {[*x.shape]}: {error}")
    c.allowance.take(wanted.shape, 8)
    return indexing.at_positions(c, x, c.graph.constant(wanted), wanted.shape)


@function("ScatterAdd")
def scatter_add(c: Call) -> Value:
    """Read a tensor with others added at some of its elements."""
    x, more = c.two()
    c.allowance.take(x.shape, 8)
    places = np.arange(prod(x.shape)).reshape(x.shape)
    try:
        wanted = places[tuple(_index(c))]
    except IndexError as error:
        c.invalid(f"its index does not fit the shape {[*x.shape]}: {error}")
    if wanted.shape != more.shape:
        c.invalid(f"it adds {[*more.shape]} to elements of {[*wanted.shape]}")
    return indexing.scatter_reduce(c, x, more, wanted.reshape(-1), "add")


@function("SelectItem")
def select_item(c: Call) -> Value:
    """Read one element of each row, at an index that may be an input."""
    x, index = c.ranked(0, 2), c.ranked(1, 1)
    column = reshaped(c, index, (*index.shape, 1))
    return reshaped(c, indexing.gather_elements(c, x, column, 1), index.shape)


@function("Permutate")
def permutate(c: Call) -> Value:
    """Read `gather` of all elements along an axis in another order."""
    x, order = c.one(), c.array("indices").astype(np.int64)
    axis = c.front_axis(c.integer("axis", 0), x.rank)
    if sorted(order.reshape(-1).tolist()) != [*range(x.shape[axis])]:
        c.invalid("its indices are not an order of the axis")
    if c.flag("inv", False):
        order = np.argsort(order)
    return c.op("gather", x, c.graph.constant(order), axis=axis)


@function("SpatialTransformerGrid")
def affine_grid(c: Call) -> Value:
    """Read the positions of an image that is transformed, by a product with constants."""
    matrix, sizes = c.ranked(0, 3), c.integers("output_shape")
    if len(sizes) != 2 or min(sizes) < 1:
        c.invalid(f"its size is {sizes}")
    height, width = sizes
    c.allowance.take((3, height, width), 8)
    rows, columns = np.meshgrid(
        np.linspace(-1, 1, height, dtype=np.float32),
        np.linspace(-1, 1, width, dtype=np.float32),
        indexing="ij",
    )
    places = np.stack([columns, rows, np.ones_like(rows)]).reshape(1, 3, height * width)
    grid = c.op("matmul", matrix, c.graph.constant(places, name="positions"))
    return reshaped(c, grid, (matrix.shape[0], 2, height, width))


@function("SpatialTransformerSampler")
def sample(c: Call) -> Value:
    """Read linear interpolation at the positions of a grid; 0 is beyond the image."""
    x, grid = c.image(), c.ranked(1, 4)
    if grid.shape[:2] != (x.shape[0], 2):
        c.invalid(f"its grid has the shape {[*grid.shape]}")
    places = transposed(c, grid, [0, 2, 3, 1])
    return grid_sample(c, x, places, Sampling("linear", "zeros", align_corners=True))
