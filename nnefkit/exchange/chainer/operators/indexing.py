"""Elements selected by their indices (4.5.4, 4.5.8), and images sampled at positions."""

from __future__ import annotations

from typing import Any

import numpy as np

from nnefkit.exchange.chainer.call import Call, function
from nnefkit.exchange.compositions import indexing
from nnefkit.exchange.compositions.grid_sampling import Sampling, grid_sample
from nnefkit.exchange.dumped.indexing import indexed, replaced
from nnefkit.exchange.reshaping import reshaped, transposed
from nnefkit.exchange.source_value import Value

_LARGEST = 2**62


@function("GetItem")
def get_item(c: Call) -> Value:
    """Read `slice`, or `gather` where there are lists of indices."""
    return indexed(c, c.one(), _index(c))


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


@function("ScatterAdd")
def scatter_add(c: Call) -> Value:
    """Read a tensor with others added at some of its elements."""
    x, more = c.two()
    return replaced(c, x, more, _index(c), adds=True)


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
