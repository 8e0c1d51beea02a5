"""Changes of shape, joining and splitting (4.5)."""

from __future__ import annotations

from itertools import pairwise
from math import prod

import numpy as np

from nnefkit.exchange.compositions import shaping
from nnefkit.exchange.compositions.resampling import cut, merged
from nnefkit.exchange.mxnet.call import Call, operator
from nnefkit.exchange.mxnet.operators.shape_codes import (
    coded_shape,
    legacy_shape,
    numpy_coded_shape,
    plain_shape,
)
from nnefkit.exchange.refusal import refuse
from nnefkit.exchange.reshaping import broadcast, expanded, reshaped, to_scalar, transposed
from nnefkit.exchange.source_value import Value


@operator("Flatten", "flatten", "_npx_batch_flatten")
def flatten(c: Call) -> Value:
    """Read `reshape` of all axes but the batch to one."""
    x = c[0]
    if not x.rank:
        c.invalid("its input has rank 0")
    return reshaped(c, x, (x.shape[0], prod(x.shape[1:])), 1, (0,))


@operator("Reshape", "reshape")
def reshape(c: Call) -> Value:
    """Read `reshape`; the codes 0, -1, -2, -3 and -4 copy, infer, merge and split extents."""
    x, wanted, is_reverse = c[0], c.integers("shape"), c.flag("reverse")
    target, keeps_first = c.integers("target_shape"), c.flag("keep_highest")
    if not wanted and target:
        shape = legacy_shape(c, x.shape, target, keeps_first)
    else:
        shape = coded_shape(c, x.shape, wanted, is_reverse)
    return reshaped(c, x, shape.extents, shape.inferred, shape.copied)


@operator("_np_reshape", "_npi_reshape")
def numpy_reshape(c: Call) -> Value:
    """Read `reshape`; -1 stands for the rest."""
    c.text("order", "C", ("C",))
    shape = plain_shape(c, c[0].shape, c.integers("newshape"))
    return reshaped(c, c[0], shape.extents, shape.inferred)


@operator("_npx_reshape")
def numpy_extended_reshape(c: Call) -> Value:
    """Read `reshape`; the codes -1 to -6 infer, copy, drop, merge and split extents."""
    c.text("order", "C", ("C",))
    wanted, is_reverse = c.integers("newshape"), c.flag("reverse")
    shape = numpy_coded_shape(c, c[0].shape, wanted, is_reverse)
    return reshaped(c, c[0], shape.extents, shape.inferred, shape.copied)


@operator("reshape_like", "_npx_reshape_like")
def reshape_like(c: Call) -> Value:
    """Read `reshape` of some axes to extents of a second input."""
    x, like = c[0], c[1]
    first, last = c.optional_integer("lhs_begin") or 0, c.optional_integer("lhs_end")
    begin, end = c.optional_integer("rhs_begin") or 0, c.optional_integer("rhs_end")
    left = slice(*slice(first, last).indices(x.rank)[:2])
    right = slice(*slice(begin, end).indices(like.rank)[:2])
    shape = (*x.shape[: left.start], *like.shape[right], *x.shape[left.stop :])
    if prod(shape) != prod(x.shape):
        c.invalid(f"its inputs have the shapes {[*x.shape]} and {[*like.shape]}")
    return reshaped(c, x, shape)


@operator("expand_dims", "_npi_expand_dims")
def expand_dims(c: Call) -> Value:
    """Read `unsqueeze`."""
    x = c[0]
    axis = c.axis(c.integer("axis"), x.rank, ends=True)
    return reshaped(c, x, (*x.shape[:axis], 1, *x.shape[axis:]))


@operator("squeeze", "_np_squeeze", "_npi_squeeze")
def squeeze(c: Call) -> Value:
    """Read `squeeze`; without axes, of all extents of 1."""
    x = c[0]
    axes = {c.axis(axis, x.rank) for axis in c.integers("axis")}
    if not axes:
        axes = {axis for axis, n in enumerate(x.shape) if n == 1}
        if len(axes) == x.rank and c.operator == "squeeze":
            axes = {*range(1, x.rank)}
    if any(x.shape[axis] != 1 for axis in axes):
        c.invalid(f"the extents of its axes {sorted(axes)} are not all 1")
    return reshaped(c, x, [n for axis, n in enumerate(x.shape) if axis not in axes])


@operator("transpose", "_np_transpose", "_npi_transpose")
def transpose(c: Call) -> Value:
    """Read `transpose`; without axes, it reverses all of them."""
    x = c[0]
    axes = [c.axis(axis, x.rank) for axis in c.integers("axes")] or [*range(x.rank)][::-1]
    if sorted(axes) != [*range(x.rank)]:
        c.invalid(f"its axes are {axes} for an input of rank {x.rank}")
    return transposed(c, x, axes)


@operator("SwapAxis", "swapaxes", "_npi_swapaxes")
def swap_axes(c: Call) -> Value:
    """Read `transpose` of two axes."""
    x, order = c[0], [*range(c[0].rank)]
    one, other = (c.axis(c.integer(name, 0), x.rank) for name in ("dim1", "dim2"))
    order[one], order[other] = order[other], order[one]
    return transposed(c, x, order)


@operator("_np_moveaxis")
def move_axis(c: Call) -> Value:
    """Read `transpose` of some axes to other places."""
    x, sources, places = c[0], c.integers("source"), c.integers("destination")
    moved = {
        c.axis(to, x.rank): c.axis(axis, x.rank) for axis, to in zip(sources, places, strict=False)
    }
    if len(sources) != len(places) or len({*moved.values()}) != len(sources):
        c.invalid(f"it moves the axes {sources} to {places}")
    rest = iter([axis for axis in range(x.rank) if axis not in moved.values()])
    return transposed(c, x, [moved[n] if n in moved else next(rest) for n in range(x.rank)])


# -- joining and splitting -------------------------------------------------------------------------


@operator("Concat", "concat", "_npi_concatenate")
def concat(c: Call) -> Value:
    """Read `concat`."""
    name, default = ("axis", 0) if c.operator.startswith("_npi") else ("dim", 1)
    axis = c.axis(c.integer(name, default), c[0].rank)
    others = {(*x.shape[:axis], *x.shape[axis + 1 :]) for x in c.inputs}
    if len(others) != 1:
        c.invalid(f"it joins the shapes {[[*x.shape] for x in c.inputs]} along axis {axis}")
    values = [*c.inputs]
    if len({value.data_type for value in values}) > 1:
        values = [to_scalar(c, value) for value in values]
    return shaping.concat(c, values, axis)


@operator("stack", "_npi_stack")
def stack(c: Call) -> Value:
    """Read `stack`."""
    axis = c.axis(c.integer("axis", 0), c[0].rank, ends=True)
    if len({x.shape for x in c.inputs}) != 1:
        c.invalid("its inputs have other shapes than each other")
    return c.op("stack", [*c.inputs], axis=axis)


@operator("SliceChannel", "split")
def split(c: Call) -> list[Value]:
    """Read `split` into equal parts, or `unstack`."""
    count = c.integer("num_outputs")
    return _split(c, c.axis(c.integer("axis", 1), c[0].rank), count)


def _split(c: Call, axis: int, count: int) -> list[Value]:
    x = c[0]
    if count < 1 or x.shape[axis] % count:
        c.invalid(f"it splits {x.shape[axis]} elements into {count} parts")
    length = x.shape[axis] // count
    return _parts(c, axis, [length] * count)


def _parts(c: Call, axis: int, lengths: list[int]) -> list[Value]:
    """Return parts of the given lengths, without the axis if they are squeezed."""
    x, is_squeezed = c[0], c.flag("squeeze_axis")
    if len(lengths) > len(c.node.outputs):
        c.invalid(f"it has {len(lengths)} parts, but {len(c.node.outputs)} outputs")
    if is_squeezed and set(lengths) == {1}:
        return c.ops("unstack", x, axis=axis)
    if is_squeezed:
        c.invalid(f"it removes an axis of {lengths} elements")
    return shaping.split(c, x, axis, lengths)


@operator("_split_v2", "_npi_split")
def split_at(c: Call) -> list[Value]:
    """Read `split` into equal parts, or at given places."""
    x, sections = c[0], c.integer("sections", 0)
    axis = c.axis(c.integer("axis", 0 if c.operator.startswith("_npi") else 1), x.rank)
    places = c.integers("indices")
    if sections:
        return _split(c, axis, sections)
    # The first place is 0, the beginning.
    bounds = [min(max(place, 0), x.shape[axis]) for place in places[1:]]
    lengths = [b - a for a, b in pairwise([0, *bounds, x.shape[axis]])]
    if min(lengths) < 0 or places[:1] != [0]:
        c.invalid(f"it splits {x.shape[axis]} elements at {places}")
    return _parts(c, axis, lengths)


# -- repeating -------------------------------------------------------------------------------------


@operator("tile", "_npi_tile")
def tile(c: Call) -> Value:
    """Read `tile`; missing numbers, and missing axes, are 1."""
    x, repeats = c[0], c.integers("reps")
    rank = max(x.rank, len(repeats))
    repeats = [1] * (rank - len(repeats)) + repeats
    return shaping.tiled(c, reshaped(c, x, (1,) * (rank - x.rank) + x.shape), repeats)


@operator("repeat", "_np_repeat")
def repeat(c: Call) -> Value:
    """Read each element repeated along an axis, or of all elements in a row."""
    x, count = c[0], c.integer("repeats")
    axis = c.optional_integer("axis")
    if count < 1:
        c.invalid(f"it repeats elements {count} times")
    if axis is None:
        x, axis = reshaped(c, x, (prod(x.shape),)), 0
    axis = c.axis(axis, x.rank)
    if count == 1:
        return x
    single = reshaped(c, x, (*x.shape[: axis + 1], 1, *x.shape[axis + 1 :]))
    repeats = [1] * single.rank
    repeats[axis + 1] = count
    return merged(c, shaping.tiled(c, single, repeats), axis)


@operator("broadcast_to", "_npi_broadcast_to")
def broadcast_to(c: Call) -> Value:
    """Read a repetition to a shape; an extent of 0 is that of the input."""
    x, shape = c[0], c.integers("shape")
    after = shape[len(shape) - x.rank :] if len(shape) >= x.rank else shape
    if c.operator == "broadcast_to" and len(shape) == x.rank:
        shape = [n or old for n, old in zip(after, x.shape, strict=True)]
    return _repeated(c, x, shape)


@operator("broadcast_axis", "broadcast_axes")
def broadcast_axis(c: Call) -> Value:
    """Read a repetition along axes of extent 1."""
    x, axes, sizes = c[0], c.integers("axis"), c.integers("size")
    if len(axes) != len(sizes):
        c.invalid(f"its axes are {axes}, and its sizes {sizes}")
    shape = [*x.shape]
    for axis, size in zip(axes, sizes, strict=True):
        shape[c.axis(axis, x.rank)] = size
    return _repeated(c, x, shape)


@operator("broadcast_like")
def broadcast_like(c: Call) -> Value:
    """Read a repetition to the shape of a second input, or to some extents of it."""
    x, like = c[0], c[1]
    axes, others = c.integers("lhs_axes"), c.integers("rhs_axes")
    if len(axes) != len(others):
        c.invalid(f"its axes are {axes} and {others}")
    shape = [*x.shape] if axes else [*like.shape]
    for axis, other in zip(axes, others, strict=True):
        shape[c.axis(axis, x.rank)] = like.shape[c.axis(other, like.rank)]
    return _repeated(c, x, shape)


def _repeated(c: Call, x: Value, shape: list[int]) -> Value:
    if min(shape, default=1) < 1 or broadcast(c, x.shape, shape) != tuple(shape):
        c.invalid(f"its input of shape {[*x.shape]} cannot be repeated to {shape}")
    if x.data is not None:
        c.allowance.take(shape, 8)
    return expanded(c, x, shape)


# -- channels and blocks ---------------------------------------------------------------------------


def _block(c: Call) -> int:
    size = c.integer("block_size")
    if size < 1:
        refuse(f"its block_size is {size}", c.invalid_hint)
    return size


@operator("depth_to_space")
def depth_to_space(c: Call) -> Value:
    """Read blocks of pixels from groups of channels."""
    x, size = c.ranked(4), _block(c)
    if x.shape[1] % (size * size):
        c.invalid(f"its block_size is {size} for {x.shape[1]} channels")
    # N, block rows, block columns, channels, rows, columns
    cells = cut(c, cut(c, x, 1, x.shape[1] // size), 2, x.shape[1] // (size * size))
    woven = transposed(c, cells, [0, 3, 4, 1, 5, 2])
    return merged(c, merged(c, woven, 2), 3)


@operator("space_to_depth")
def space_to_depth(c: Call) -> Value:
    """Read groups of channels from blocks of pixels."""
    x, size = c.ranked(4), _block(c)
    if x.shape[2] % size or x.shape[3] % size:
        c.invalid(f"its block_size is {size} for images of {[*x.shape[2:]]}")
    cells = cut(c, cut(c, x, 2, size), 4, size)
    sorted_ = transposed(c, cells, [0, 3, 5, 1, 2, 4])
    return merged(c, merged(c, sorted_, 1), 1)


@operator("shape_array", "_npx_shape_array", "size_array")
def shape_array(c: Call) -> Value:
    """Read a shape, or a number of elements, which is constant."""
    shape = c[0].shape
    return c.graph.constant([prod(shape)] if c.operator == "size_array" else shape, np.int64)
