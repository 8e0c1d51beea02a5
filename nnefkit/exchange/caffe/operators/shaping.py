"""Changes of shape (4.5)."""

from __future__ import annotations

from itertools import pairwise
from math import prod

from nnefkit.exchange.caffe.call import Call, layer
from nnefkit.exchange.compositions.shaping import concat, split, tiled
from nnefkit.exchange.reshaping import reshaped, transposed
from nnefkit.exchange.source_value import Value


@layer("Flatten")
def flatten(c: Call) -> Value:
    """Read `reshape` of some axes to one."""
    x, p = c.one(), c.parameter("flatten_param")
    first, last = c.axis(p.axis, x.rank), c.axis(p.end_axis, x.rank)
    if last < first:
        c.invalid(f"its axes are {p.axis} to {p.end_axis}")
    shape = (*x.shape[:first], prod(x.shape[first : last + 1]), *x.shape[last + 1 :])
    return reshaped(c, x, shape, first, range(first))


@layer("Reshape")
def reshape(c: Call) -> Value:
    """Read `reshape` of all or some axes; 0 copies an extent, -1 infers one."""
    x, p = c.one(), c.parameter("reshape_param")
    start = c.axis(p.axis, x.rank, ends=True)
    if p.num_axes < -1:
        c.invalid(f"its num_axes is {p.num_axes}")
    end = x.rank if p.num_axes == -1 else start + p.num_axes
    if end > x.rank:
        c.invalid(
            f"it reshapes {p.num_axes} axes from {start} on, but its bottom has rank {x.rank}"
        )
    wanted, inner = [int(n) for n in p.shape.dim], x.shape[start:end]
    if any(n == 0 and place >= len(inner) for place, n in enumerate(wanted)):
        c.invalid(f"its shape is {wanted}, but it reshapes {len(inner)} axes")
    shape = [inner[place] if n == 0 else n for place, n in enumerate(wanted)]
    inferred = None
    if -1 in shape:
        inferred = shape.index(-1)
        rest = prod(n for n in shape if n != -1)
        if shape.count(-1) > 1 or rest < 1 or prod(inner) % rest:
            c.invalid(f"its shape {wanted} does not fit the extents {[*inner]}")
        shape[inferred] = prod(inner) // rest
        inferred += start
    if min(shape, default=1) < 1 or prod(shape) != prod(inner):
        c.invalid(f"its shape {wanted} does not fit the extents {[*inner]}")
    whole = (*x.shape[:start], *shape, *x.shape[end:])
    inherited = [*range(start), *(start + place for place, n in enumerate(wanted) if n == 0)]
    return reshaped(c, x, whole, inferred, inherited)


@layer("Permute")
def permute(c: Call) -> Value:
    """Read `transpose`; axes that are left out follow in order."""
    x, order = c.one(), [int(n) for n in c.parameter("permute_param").order]
    if len(set(order)) < len(order) or any(n >= x.rank for n in order):
        c.invalid(f"its order is {order}, but its bottom has rank {x.rank}")
    return transposed(c, x, [*order, *(n for n in range(x.rank) if n not in order)])


@layer("Concat")
def concatenation(c: Call) -> Value:
    """Read `concat`."""
    p, x = c.parameter("concat_param"), c[0]
    axis = p.concat_dim if p.HasField("concat_dim") else c.axis(p.axis, x.rank)
    others = [(*value.shape[:axis], *value.shape[axis + 1 :]) for value in c.inputs]
    if axis >= x.rank or any(shape != others[0] for shape in others):
        c.invalid(f"it joins the shapes {[[*value.shape] for value in c.inputs]} along axis {axis}")
    return concat(c, c.inputs, axis)


@layer("Slice")
def slices(c: Call) -> list[Value]:
    """Read `split`, into equal parts or at given points."""
    x, p, count = c.one(), c.parameter("slice_param"), len(c.layer.tops)
    axis = p.slice_dim if p.HasField("slice_dim") else c.axis(p.axis, x.rank)
    if axis >= x.rank:
        c.invalid(f"its axis is {axis}, but its bottom has rank {x.rank}")
    extent = x.shape[axis]
    points = [0, *(int(point) for point in p.slice_point), extent]
    if not p.slice_point:
        points = [extent * part // count for part in range(count + 1)]
    lengths = [end - begin for begin, end in pairwise(points)]
    is_uneven = not p.slice_point and extent % count
    if len(lengths) != count or min(lengths) < 1 or is_uneven:
        c.invalid(f"it cuts an axis of {extent} elements at {points[1:-1]} for {count} tops")
    return split(c, x, axis, lengths)


@layer("Crop")
def crop(c: Call) -> Value:
    """Read `slice` to the extents of the second input."""
    if len(c.inputs) != 2:
        c.invalid(f"it has {len(c.inputs)} bottoms, not 2")
    x, like = c.inputs
    p = c.parameter("crop_param")
    axis = c.axis(p.axis, x.rank)
    if like.rank != x.rank:
        c.invalid(f"its bottoms have the shapes {[*x.shape]} and {[*like.shape]}")
    offsets = [int(offset) for offset in p.offset] or [0]
    if len(offsets) == 1:
        offsets *= x.rank - axis
    if len(offsets) != x.rank - axis:
        c.invalid(f"it has {len(offsets)} offsets for {x.rank - axis} axes")
    axes, begins, ends = [], [], []
    for place, begin in enumerate(offsets, axis):
        end = begin + like.shape[place]
        if end > x.shape[place]:
            c.invalid(f"it cuts {begin} to {end} from an axis of {x.shape[place]} elements")
        if (begin, end) != (0, x.shape[place]):
            axes.append(place)
            begins.append(begin)
            ends.append(end)
    return c.op("slice", x, axes=axes, begin=begins, end=ends) if axes else x


@layer("Tile")
def tile(c: Call) -> Value:
    """Read `tile` along one axis."""
    x, p = c.one(), c.parameter("tile_param")
    axis = c.axis(p.axis, x.rank)
    if p.tiles < 1:
        c.invalid(f"it repeats its bottom {p.tiles} times")
    return tiled(c, x, [p.tiles if place == axis else 1 for place in range(x.rank)])


@layer("Parameter")
def parameter(c: Call) -> Value:
    """Read a `variable`."""
    shape = tuple(int(extent) for extent in c.parameter("parameter_param").shape.dim)
    return c.weight(0, "parameter", shape)
