"""Changes of shape (4.5)."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from nnefkit.exchange.caffe2.call import Call, operator
from nnefkit.exchange.channels_last import channels_first, channels_last
from nnefkit.exchange.compositions import indexing
from nnefkit.exchange.compositions.shaping import concat, split, tiled
from nnefkit.exchange.reshaping import (
    broadcast,
    empty,
    expanded,
    reshaped,
    sliced,
    to_dtype,
    to_scalar,
    transposed,
    written_bounds,
)
from nnefkit.exchange.source_value import Value

_MAX_RANK = 32


@operator("Reshape")
def reshape(c: Call) -> list[Value]:
    """Read `reshape`; 0 copies an extent, -1 infers one. The shape before is a constant."""
    x, a = c[0], c.arguments
    if len(c.inputs) > 1:
        if "shape" in a:
            c.invalid("it has an input and the argument 'shape'")
        wanted = c.constant_integers(1, "shape")
    else:
        if "shape" not in a:
            c.invalid("it has neither an input nor the argument 'shape'")
        wanted = a.integers("shape")
    if any(n == 0 and place >= x.rank for place, n in enumerate(wanted)):
        c.invalid(f"its shape is {wanted}, but its input has rank {x.rank}")
    shape = [x.shape[place] if n == 0 else n for place, n in enumerate(wanted)]
    inferred = shape.index(-1) if -1 in shape else None
    if inferred is not None:
        rest = prod(n for n in shape if n != -1)
        if shape.count(-1) > 1 or rest < 1 or prod(x.shape) % rest:
            c.invalid(f"its shape {wanted} does not fit the extents {[*x.shape]}")
        shape[inferred] = prod(x.shape) // rest
    if min(shape, default=1) < 1 or prod(shape) != prod(x.shape) or len(shape) > _MAX_RANK:
        c.invalid(f"its shape {wanted} does not fit the extents {[*x.shape]}")
    inherited = [place for place, n in enumerate(wanted) if n == 0]
    return [reshaped(c, x, shape, inferred, inherited), _extents(c, x.shape)]


def _extents(c: Call, extents: Any) -> Value:
    """Return extents as a constant."""
    return c.graph.constant(np.array([*extents], np.int64))


@operator("ResizeLike")
def resize_like(c: Call) -> Value:
    """Read `reshape` to the shape of the second input."""
    x, like = c[0], c[1]
    if prod(x.shape) != prod(like.shape):
        c.invalid(f"its inputs have the shapes {[*x.shape]} and {[*like.shape]}")
    return reshaped(c, x, like.shape)


@operator("Flatten", "FlattenToVec")
def flatten(c: Call) -> Value:
    """Read `reshape` to a matrix, or to one axis."""
    x = c[0]
    if c.operator == "FlattenToVec":
        return reshaped(c, x, (prod(x.shape),), 0)
    axis = c.axis(c.arguments.integer("axis", 1), x.rank, ends=True)
    shape = prod(x.shape[:axis]), prod(x.shape[axis:])
    return reshaped(c, x, shape, 1 if axis == 1 else None, (0,) if axis == 1 else ())


@operator("ExpandDims")
def expand_dims(c: Call) -> Value:
    """Read `unsqueeze`."""
    x, axes = c[0], sorted(set(c.arguments.integers("dims")))
    shape = [*x.shape]
    for axis in axes:
        if not 0 <= axis <= len(shape):
            c.invalid(f"its axes are {axes}, but its input has rank {x.rank}")
        shape.insert(axis, 1)
    if not axes or len(shape) > _MAX_RANK:
        c.invalid(f"its axes are {axes}")
    if x.data is not None:
        return reshaped(c, x, shape)
    return c.op("unsqueeze", x, axes=axes)


@operator("Squeeze")
def squeeze(c: Call) -> Value:
    """Read `squeeze`."""
    x, axes = c[0], sorted(set(c.arguments.integers("dims")))
    if not axes or axes[0] < 0 or axes[-1] >= x.rank or any(x.shape[axis] != 1 for axis in axes):
        c.invalid(f"its axes are {axes}, but its input has the shape {[*x.shape]}")
    return c.op("squeeze", x, axes=axes)


@operator("PrependDim")
def prepend_dim(c: Call) -> Value:
    """Read `reshape` of the first axis to two, the first of a given extent."""
    x, extent = c.ranked(1), c.arguments.integer("dim_size", 0)
    if extent < 1 or x.shape[0] % extent:
        c.invalid(f"it cuts {x.shape[0]} entries into {extent} parts")
    return reshaped(c, x, (extent, x.shape[0] // extent, *x.shape[1:]))


@operator("MergeDim")
def merge_dim(c: Call) -> Value:
    """Read `reshape` of the first two axes to one."""
    x = c.ranked(2)
    return reshaped(c, x, (x.shape[0] * x.shape[1], *x.shape[2:]), 0)


@operator("Transpose")
def transpose(c: Call) -> Value:
    """Read `transpose`; without axes, their order is reversed."""
    x, axes = c[0], c.arguments.integers("axes")
    axes = axes or [*range(x.rank)][::-1]
    if sorted(axes) != [*range(x.rank)]:
        c.invalid(f"its axes are {axes}, but its input has rank {x.rank}")
    return transposed(c, x, axes)


@operator("NCHW2NHWC", "NHWC2NCHW")
def switch_order(c: Call) -> Value:
    """Read `transpose` of the channels to the end, or back."""
    x = c.ranked(3)
    return channels_last(c, x) if c.operator == "NCHW2NHWC" else channels_first(c, x)


def _axis(c: Call, rank: int, *, ends: bool = False) -> int:
    """Return the axis of the arguments `axis` or `order`."""
    if "axis" in c.arguments:
        if "order" in c.arguments:
            c.invalid("it has the arguments 'axis' and 'order'")
        axis = c.arguments.integer("axis", 1)
        return c.axis(axis + rank + ends if axis < 0 else axis, rank, ends=ends)
    return c.axis(3 if c.is_channels_last else 1, rank)


@operator("Concat", "DepthConcat")
def concatenation(c: Call) -> list[Value]:
    """Read `concat`, or `stack` along a new axis, and the extents of its parts."""
    x, adds = c[0], c.arguments.flag("add_axis")
    axis = _axis(c, x.rank, ends=adds and "axis" in c.arguments)
    if adds:
        return [c.op("stack", [*c.alike()], axis=axis), _lengths(c, [1] * len(c.inputs))]
    others = [(*value.shape[:axis], *value.shape[axis + 1 :]) for value in c.inputs]
    if any(shape != others[0] for shape in others) or any(v.rank != x.rank for v in c.inputs):
        c.invalid(f"it joins the shapes {[[*value.shape] for value in c.inputs]} along axis {axis}")
    lengths = _lengths(c, [value.shape[axis] for value in c.inputs])
    return [concat(c, c.inputs, axis), lengths]


def _lengths(c: Call, lengths: list[int]) -> Value:
    return c.graph.constant(np.array(lengths, np.int32))


@operator("Split", "DepthSplit")
def parts(c: Call) -> list[Value]:
    """Read `split` into equal parts or parts of given lengths, or `unstack`."""
    x, count = c.ranked(1), len(c.names)
    axis, a = _axis(c, x.rank), c.arguments
    extent = x.shape[axis]
    if a.flag("add_axis"):
        if count != extent:
            c.invalid(f"it cuts an axis of {extent} elements into {count} parts")
        return c.ops("unstack", x, axis=axis)
    if len(c.inputs) > 1:
        lengths = c.constant_integers(1, "lengths")
    else:
        lengths = a.integers("split")
    if not lengths and extent % count == 0:
        lengths = [extent // count] * count
    if len(lengths) != count or sum(lengths) != extent or min(lengths, default=0) < 0:
        c.invalid(f"it cuts an axis of {extent} elements into {lengths or count} for {count} parts")
    return split(c, x, axis, lengths)


@operator("Slice")
def slices(c: Call) -> Value:
    """Read `slice` of one axis; -1 is the end of an axis."""
    x, a = c[0], c.arguments
    if len(c.inputs) > 1:
        begins, ends = (c.constant_integers(place, "bounds") for place in (1, 2))
    else:
        begins, ends = a.integers("starts"), a.integers("ends")
    if len(begins) != len(ends) or len(begins) > x.rank:
        c.invalid(f"it cuts {begins} to {ends}, but its input has rank {x.rank}")
    cuts = []
    for axis, (begin, end) in enumerate(zip(begins, ends, strict=True)):
        extent = x.shape[axis]
        first = min(begin + 1 + extent if begin < 0 else begin, extent)
        last = min(end + 1 + extent if end < 0 else end, extent)
        if not 0 <= first <= last:
            c.invalid(f"it cuts {begin} to {end} from an axis of {extent} elements")
        if (first, last) != (0, extent):
            # In NNEF, -1 is the last element.
            written = written_bounds(
                begin + 1 if begin < -1 else first, (end + 1 or None) if end < 0 else end, extent
            )
            cuts.append((axis, first, last, written))
    if len(cuts) > 1:
        c.invalid(f"it cuts {len(cuts)} axes, and Caffe2 cuts one")
    for axis, first, last, written in cuts:
        if first == last:
            return empty(c, (*x.shape[:axis], 0, *x.shape[axis + 1 :]), x.dtype)
        x = sliced(c, x, axis, first, last, written=written)
    return x


@operator("Tile")
def tile(c: Call) -> Value:
    """Read `tile` along one axis."""
    x, a = c[0], c.arguments
    if ("axis" not in a and len(c.inputs) < 3) or ("tiles" not in a and len(c.inputs) < 2):
        c.invalid("it has no axis, or no number of tiles")
    axis, count = a.integer("axis", 0), a.integer("tiles", 1)
    if len(c.inputs) > 1:
        (count,) = c.constant_integers(1, "number of tiles") or [0]
        # As in Caffe2, for networks of an older version.
        axis = 0 if c[1].dtype == np.int64 else axis
    if len(c.inputs) > 2:
        (axis,) = c.constant_integers(2, "axis") or [0]
    axis = c.axis(axis, x.rank)
    if count < 1:
        c.invalid(f"it repeats its input {count} times")
    return tiled(c, x, [count if place == axis else 1 for place in range(x.rank)])


@operator("NumpyTile")
def tile_axes(c: Call) -> Value:
    """Read `tile` along each axis."""
    return tiled(c, c[0], c.constant_integers(1, "repeats"))


@operator("Expand")
def expand(c: Call) -> Value:
    """Read a repetition to a shape, or to a common one."""
    x, wanted = c[0], c.constant_integers(1, "shape")
    shape = broadcast(c, x.shape, [max(n, 1) for n in wanted])
    c.allowance.take(shape, 1)
    return expanded(c, x, shape)


_BORDERS = {"constant": "constant", "reflect": "reflect", "edge": "replicate"}


@operator("PadImage")
def pad(c: Call) -> Value:
    """Read `pad` of the spatial axes; negative pads crop."""
    x, a = c.image(c.ranked(4, 4)), c.arguments
    sides = a.integers("pads")
    if not sides and "pad" in a:
        sides = [a.integer("pad", 0)] * 4
    names = ("pad_t", "pad_l", "pad_b", "pad_r")
    if not sides and all(name in a for name in names):
        sides = [a.integer(name, 0) for name in names]
    sides = sides or [0] * 4
    mode = a.text("mode", "constant")
    if len(sides) != 4 or mode not in _BORDERS or a.integer("legacy_pad", 0):
        c.invalid(f"its pads are {sides}, its mode is '{mode}'")
    top, left, bottom, right = sides
    for extent, pair in zip(x.shape[2:], ((top, bottom), (left, right)), strict=True):
        if min(pair) < 0 and (extent + sum(pair) < 1 or mode != "constant"):
            c.refuse(f"it pads an axis of {extent} elements by {pair}", "Use positive pads.")
        if mode == "reflect" and max(pair) >= extent:
            c.invalid(f"it reflects {max(pair)} of {extent} elements")
    value = c.decimal(a.number("value", 0.0)) if mode == "constant" else 0.0
    padding = [(0, 0), (0, 0), (top, bottom), (left, right)]
    result = c.op("pad", x, padding=padding, border=_BORDERS[mode], value=value)
    return c.in_order(result)


# -- extents and indices ---------------------------------------------------------------------------


@operator("Shape")
def shape_of(c: Call) -> Value:
    """Read extents, which are constants."""
    x, axes = c[0], c.arguments.integers("axes")
    if any(not 0 <= axis < x.rank for axis in axes):
        c.invalid(f"its axes are {axes}, but its input has rank {x.rank}")
    return _extents(c, [x.shape[axis] for axis in axes] if axes else x.shape)


@operator("Size")
def size_of(c: Call) -> Value:
    """Read the number of elements, which is a constant."""
    return c.graph.constant(np.int64(prod(c[0].shape)))


@operator("Gather", "BatchGather")
def gather(c: Call) -> Value:
    """Read `gather`."""
    x, indices, a = c[0], c[1], c.arguments
    if a.flag("match_outer"):
        c.refuse("its indices have the first axes of its elements", "Gather with common indices.")
    axis = c.axis(1 if c.operator == "BatchGather" else a.integer("axis", 0), x.rank)
    if indices.dtype.kind not in "iu":
        c.invalid("its indices are not integers")
    if a.flag("wrap_indices"):
        indices = indexing.counted_from_front(c, indices, x.shape[axis])
    elif indices.data is not None:
        indices = indexing.checked(c, indices, x.shape[axis])
    return c.op("gather", x, indices, axis=axis)


@operator("OneHot")
def one_hot(c: Call) -> Value:
    """Read 1 at the position of an index along a new axis, and 0 elsewhere."""
    indices = c.ranked(1, 1)
    (depth,) = c.constant_integers(1, "number of classes") or [0]
    if depth < 1:
        c.invalid(f"it has {depth} classes")
    c.allowance.take((*indices.shape, depth), 4)
    positions = c.graph.constant(np.arange(depth, dtype=np.float32)[None])
    wanted = reshaped(c, to_scalar(c, indices), (*indices.shape, 1))
    return to_dtype(c, c.op("eq", wanted, positions), np.dtype(np.bool_))
