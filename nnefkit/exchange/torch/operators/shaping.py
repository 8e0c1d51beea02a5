"""Operators that change shapes (4.5)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from nnefkit.exchange.compositions import shaping
from nnefkit.exchange.compositions.indexing import counted_from_front
from nnefkit.exchange.compositions.overlap import OverlappedAxis, overlap_added
from nnefkit.exchange.refusal import refuse
from nnefkit.exchange.reshaping import (
    axis_of,
    expanded,
    reshaped,
    sliced,
    to_rank,
    to_scalar,
    transposed,
    written_bounds,
)
from nnefkit.exchange.source_value import Value
from nnefkit.exchange.torch.call import Call, operator


@operator("view", "reshape", "_unsafe_view", "unflatten", "squeeze", "unsqueeze")
@operator("view_as", "_reshape_copy")
def reshape(
    c: Call,
    x: Value,
    size: Any = None,
    shape: Any = None,
    dim: Any = None,
    sizes: Any = None,
    other: Any = None,
    dtype: Any = None,
) -> Value:
    """Return `reshape`, `squeeze` or `unsqueeze`."""
    if dtype is not None:
        refuse("it reinterprets the bits of its elements as another dtype")
    return reshaped(c, x, c.shape, _inferred(x, size or shape, sizes, dim))


def _inferred(x: Value, shape: Any, sizes: Any, dim: Any) -> int | None:
    """Return the axis of the new shape that the arguments of a `view` or `unflatten` leave open."""
    if isinstance(sizes, (list, tuple)) and -1 in sizes:
        return axis_of(dim, x.rank) + sizes.index(-1)
    return shape.index(-1) if isinstance(shape, (list, tuple)) and -1 in shape else None


@operator("flatten", "ravel")
def flatten(c: Call, x: Value, start_dim: int = 0, end_dim: int = -1) -> Value:
    """Return `reshape`, `squeeze` or `unsqueeze`."""
    return reshaped(c, x, c.shape, axis_of(start_dim, max(x.rank, 1)))


@operator("permute")
def permute(c: Call, x: Value, dims: Sequence[int]) -> Value:
    """Return `transpose`."""
    return transposed(c, x, [axis_of(axis, x.rank) for axis in dims])


@operator("swapaxes")
def swapaxes(c: Call, x: Value, axis0: int, axis1: int) -> Value:
    """Return `transpose` of two axes."""
    return transpose(c, x, axis0, axis1)


@operator("transpose", "swapdims")
def transpose(c: Call, x: Value, dim0: int, dim1: int) -> Value:
    """Return `transpose` of two axes."""
    axes = [*range(x.rank)]
    if x.rank:
        first, second = axis_of(dim0, x.rank), axis_of(dim1, x.rank)
        axes[first], axes[second] = axes[second], axes[first]
    return transposed(c, x, axes)


@operator("numpy_T")
def reversed_axes(c: Call, x: Value) -> Value:
    """Return `transpose` of all axes, in reverse order."""
    return transposed(c, x, [*range(x.rank)][::-1])


@operator("t", "mT")
def turned(c: Call, x: Value) -> Value:
    """Return `transpose` of the last two axes."""
    return x if x.rank < 2 else transpose(c, x, -2, -1)


@operator("movedim")
def movedim(c: Call, x: Value, source: Any, destination: Any) -> Value:
    """Return `transpose`."""
    given = [source] if isinstance(source, int) else source
    targets = [destination] if isinstance(destination, int) else destination
    moved = {axis_of(t, x.rank): axis_of(s, x.rank) for s, t in zip(given, targets, strict=True)}
    rest = iter(axis for axis in range(x.rank) if axis not in moved.values())
    return transposed(c, x, [moved[a] if a in moved else next(rest) for a in range(x.rank)])


@operator("expand", "expand_as", "broadcast_to")
def expand(c: Call, x: Value, size: Any = None, implicit: bool = False, other: Any = None) -> Value:
    """Return `tile`."""
    return expanded(c, x, c.shape)


@operator("repeat", "tile")
def repeat(c: Call, x: Value, repeats: Sequence[int] = (), dims: Sequence[int] = ()) -> Value:
    """Return `tile`."""
    times = [*(repeats or dims)]
    rank = max(x.rank, len(times))
    times = [1] * (rank - len(times)) + times
    wide = to_rank(c, x, rank)
    if all(count == 1 for count in times):
        return wide
    return c.op("tile", wide, repeats=times)


@operator("repeat_interleave")
def repeat_interleave(
    c: Call, x: Value, repeats: Any, dim: int | None = None, output_size: int | None = None
) -> Value:
    """Return `tile` along a new axis."""
    if not isinstance(repeats, int):
        refuse("its number of repeats is a tensor", "Repeat all elements the same number of times.")
    if dim is None:
        x, dim = reshaped(c, x, (math.prod(x.shape),)), 0
    axis = axis_of(dim, x.rank)
    single = reshaped(c, x, (*x.shape[: axis + 1], 1, *x.shape[axis + 1 :]))
    times = [1] * single.rank
    times[axis + 1] = repeats
    return reshaped(c, c.op("tile", single, repeats=times), c.shape)


@operator("cat", "concat", "concatenate")
def concat(c: Call, tensors: Sequence[Value], dim: int = 0) -> Value:
    """Return `concat`."""
    parts = [x for x in tensors if x.shape != (0,)]
    if c.dtypes[0].kind == "f":
        parts = [to_scalar(c, part) for part in parts]
    return shaping.concat(c, parts, axis_of(dim, len(c.shape)))


@operator("stack")
def stack(c: Call, tensors: Sequence[Value], dim: int = 0) -> Value:
    """Return `stack`."""
    return c.op("stack", [*tensors], axis=axis_of(dim, len(c.shape)))


@operator("split", "split_with_sizes", "chunk", "tensor_split")
def split(
    c: Call,
    x: Value,
    split_size: Any = None,
    split_sizes: Any = None,
    chunks: int = 0,
    dim: int = 0,
    sections: Any = None,
    indices: Any = None,
) -> Any:
    """Return `split`."""
    axis = axis_of(dim, x.rank)
    extents = [shape[axis] for shape in c.shapes]
    if len(extents) == 1:
        return [x]
    return shaping.split(c, x, axis, extents)


@operator("unbind")
def unbind(c: Call, x: Value, dim: int = 0) -> Any:
    """Return `unstack`."""
    return c.ops("unstack", x, axis=axis_of(dim, x.rank))


@operator("select")
def select(c: Call, x: Value, dim: int, index: int | Value) -> Value:
    """Return `slice` and `squeeze`, or `gather` if the index is known only at run time."""
    axis = axis_of(dim, x.rank)
    if isinstance(index, Value):
        place = counted_from_front(c, index, x.shape[axis])
        return reshaped(c, c.op("gather", x, place, axis=axis), c.shape)
    at = axis_of(int(index), x.shape[axis])
    written = written_bounds(int(index), int(index) + 1 or None, x.shape[axis])
    return reshaped(c, sliced(c, x, axis, at, at + 1, written=written), c.shape)


@operator("item")
def item(c: Call, x: Value) -> Value:
    """Return an index of `select` as a tensor of rank 0; other numbers are refused."""
    return reshaped(c, x, ())


@operator("slice")
def slices(
    c: Call, x: Value, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> Value:
    """Return `slice`."""
    axis = axis_of(dim, x.rank)
    begin, stop, _ = slice(start, end, step).indices(x.shape[axis])
    written = written_bounds(start, end, x.shape[axis])
    return sliced(c, x, axis, begin, max(stop, begin), step, written if stop > begin else None)


@operator("narrow")
def narrow(c: Call, x: Value, dim: int, start: int, length: int) -> Value:
    """Return `slice`."""
    axis = axis_of(dim, x.rank)
    begin = axis_of(start, x.shape[axis])
    written = written_bounds(start, start + length or None, x.shape[axis])
    return sliced(c, x, axis, begin, begin + length, written=written)


@operator("flip")
def flip(c: Call, x: Value, dims: Sequence[int]) -> Value:
    """Return `slice` with negative strides."""
    return shaping.flipped(c, x, sorted(axis_of(dim, x.rank) for dim in dims))


@operator("roll")
def roll(c: Call, x: Value, shifts: Sequence[int], dims: Sequence[int] = ()) -> Value:
    """Return `concat` of the two parts in swapped order."""
    if not dims:
        flat = reshaped(c, x, (math.prod(x.shape),))
        return reshaped(c, roll(c, flat, shifts, [0]), x.shape)
    for shift, dim in zip(shifts, dims, strict=True):
        axis = axis_of(dim, x.rank)
        extent = x.shape[axis]
        at = -shift % extent
        if at:
            first = written_bounds(-shift, None, extent) if abs(shift) < extent else None
            last = written_bounds(0, -shift, extent) if abs(shift) < extent else None
            parts = [
                sliced(c, x, axis, at, extent, written=first),
                sliced(c, x, axis, 0, at, written=last),
            ]
            x = c.op("concat", parts, axis=axis)
    return x


@operator("diagonal")
def diagonal(c: Call, x: Value, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Value:
    """Return `gather` along both axes, merged into one."""
    first, second = axis_of(dim1, x.rank), axis_of(dim2, x.rank)
    rest = [axis for axis in range(x.rank) if axis not in (first, second)]
    moved = transposed(c, x, [*rest, first, second])
    columns = x.shape[second]
    flat = reshaped(c, moved, (*moved.shape[:-2], x.shape[first] * columns))
    begin = offset if offset > 0 else -offset * columns
    places = begin + np.arange(c.shape[-1]) * (columns + 1)
    name = f"diagonal_{x.shape[first]}_{columns}_{offset}"
    indices = c.graph.shared(name, lambda: places)
    return c.op("gather", flat, indices, axis=flat.rank - 1)


@operator("channel_shuffle")
def channel_shuffle(c: Call, x: Value, groups: int) -> Value:
    """Return `reshape`, `transpose`, `reshape`."""
    cells = c.op("reshape", x, shape=[groups, -1], axis_start=1, axis_count=1)
    swapped = transpose(c, cells, 1, 2)
    return c.op("reshape", swapped, shape=[-1], axis_start=1, axis_count=2)


@operator("unfold")
def unfold(c: Call, x: Value, dimension: int, size: int, step: int) -> Value:
    """Return `stack` of windows."""
    axis = axis_of(dimension, x.rank)
    count = (x.shape[axis] - size) // step + 1
    if count > 64:
        refuse(f"it has {count} windows", "Use a convolution.")
    parts = [sliced(c, x, axis, i * step, i * step + size) for i in range(count)]
    stacked = c.op("stack", parts, axis=axis)
    order = [a for a in range(x.rank + 1) if a != axis + 1]
    return transposed(c, stacked, [*order, axis + 1])


@operator("col2im")
def fold(
    c: Call,
    x: Value,
    output_size: Sequence[int],
    kernel_size: Sequence[int],
    dilation: Sequence[int],
    padding: Sequence[int],
    stride: Sequence[int],
) -> Value:
    """Return `add_n` of overlapping blocks."""
    per = zip(output_size, kernel_size, dilation, padding, stride, strict=True)
    grid, axes = [], []
    for extent, size, step, before, every in per:
        grid.append((extent + 2 * before - (size - 1) * step - 1) // every + 1)
        axes.append(OverlappedAxis(extent, before, every, step))
    images = math.prod(x.shape[:-1]) // math.prod(kernel_size)
    blocks = reshaped(c, x, (images, *kernel_size, *grid))
    return reshaped(c, overlap_added(c, blocks, axes), c.shape)
