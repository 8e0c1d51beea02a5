"""Changes of shape (4.5)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import prod

import numpy as np

from nnefkit.exchange.chainer.call import Call, function
from nnefkit.exchange.compositions.shaping import (
    concat,
    flipped,
    padded_by_constants,
    split,
    tiled,
    wrapped_around,
)
from nnefkit.exchange.reshaping import broadcast, expanded, reshaped, to_scalar, transposed
from nnefkit.exchange.source_value import Value

# -- shapes and axes -------------------------------------------------------------------------------


@function("Reshape")
def reshape(c: Call) -> Value:
    """Read `reshape`; -1 stands for the rest."""
    x, shape = c.one(), c.integers("shape")
    if -1 in shape:
        rest = prod(n for n in shape if n != -1)
        if shape.count(-1) > 1 or rest < 1 or prod(x.shape) % rest:
            c.invalid(f"its shape is {shape}, and that of its input {[*x.shape]}")
        shape[shape.index(-1)] = prod(x.shape) // rest
    if min(shape, default=1) < 0 or prod(shape) != prod(x.shape):
        c.invalid(f"its shape is {shape}, and that of its input {[*x.shape]}")
    return reshaped(c, x, shape)


@function("Squeeze")
def squeeze(c: Call) -> Value:
    """Read `squeeze`; without axes, of all extents of 1."""
    x = c.one()
    if c.param("axis", None) is None:
        axes = [axis for axis, n in enumerate(x.shape) if n == 1]
    else:
        axes = c.axes("axis", x.rank)
    if any(x.shape[axis] != 1 for axis in axes):
        c.invalid(f"the extents of its axes {axes} are not all 1")
    return reshaped(c, x, [n for axis, n in enumerate(x.shape) if axis not in axes])


@function("ExpandDims")
def expand_dims(c: Call) -> Value:
    """Read `unsqueeze`."""
    x = c.one()
    axis = c.front_axis(c.integer("axis"), x.rank + 1)
    return reshaped(c, x, (*x.shape[:axis], 1, *x.shape[axis:]))


@function("Transpose")
def transpose(c: Call) -> Value:
    """Read `transpose`; without axes, their order is reversed."""
    x = c.one()
    if c.param("axes", None) is None:
        return transposed(c, x, [*range(x.rank)][::-1])
    return _ordered(c, x, c.integers("axes"))


def _ordered(c: Call, x: Value, axes: Sequence[int]) -> Value:
    order = [c.front_axis(axis, x.rank) for axis in axes]
    if sorted(order) != [*range(x.rank)]:
        c.invalid(f"its order is {[*axes]} for an input of rank {x.rank}")
    return transposed(c, x, order)


@function("Swapaxes")
def swap_axes(c: Call) -> Value:
    """Read `transpose` of two axes."""
    x = c.one()
    order = [*range(x.rank)]
    a, b = (c.front_axis(c.integer(name), x.rank) for name in ("axis1", "axis2"))
    order[a], order[b] = b, a
    return transposed(c, x, order)


@function("Moveaxis")
def move_axes(c: Call) -> Value:
    """Read `transpose` that moves some axes."""
    x = c.one()
    sources = [c.front_axis(axis, x.rank) for axis in c.integers("source")]
    targets = [c.front_axis(axis, x.rank) for axis in c.integers("destination")]
    if len(sources) != len(targets):
        c.invalid(f"it moves {len(sources)} axes to {len(targets)} places")
    order = [axis for axis in range(x.rank) if axis not in sources]
    for target, source in sorted(zip(targets, sources, strict=True)):
        order.insert(target, source)
    return _ordered(c, x, order)


@function("Rollaxis")
def roll_axis(c: Call) -> Value:
    """Read `transpose` that moves one axis before another."""
    x = c.one()
    axis = c.front_axis(c.integer("axis"), x.rank)
    start = c.front_axis(c.integer("start", 0), x.rank + 1)
    if c.integer("start", 0) < 0:
        start -= 1  # Negative places count the axes, not the places between them.
    order = [other for other in range(x.rank) if other != axis]
    order.insert(start - (axis < start), axis)
    return _ordered(c, x, order)


@function("Flip")
def flip(c: Call) -> Value:
    """Read `slice` backward along one axis."""
    x = c.one()
    return flipped(c, x, [c.front_axis(c.integer("axis"), x.rank)])


@function("FlipLR", "FlipUD")
def flip_image(c: Call) -> Value:
    """Read `slice` backward along the first or second axis."""
    x, axis = c.one(), int(c.operator == "FlipLR")
    return flipped(c, x, [c.front_axis(axis, x.rank)])


# -- repeating and padding -------------------------------------------------------------------------


@function("BroadcastTo")
def broadcast_to(c: Call) -> Value:
    """Read `tile` to the shape of the result."""
    x, result = c.one(), c.results[0]
    shape = result.shape if result is not None else None
    if shape is None or None in shape:
        c.invalid("its shape is missing")
    return _expanded(c, x, [n or 0 for n in shape])


def _expanded(c: Call, x: Value, shape: Sequence[int]) -> Value:
    if broadcast(c, x.shape, shape) != tuple(shape):
        c.invalid(f"its input of shape {[*x.shape]} cannot be repeated to {[*shape]}")
    if x.data is not None:
        c.allowance.take(shape, 8)
    return expanded(c, x, shape)


@function("Broadcast")
def broadcast_all(c: Call) -> list[Value]:
    """Read `tile` of all inputs to one shape."""
    values = c.all()
    shape = broadcast(c, *(value.shape for value in values))
    return [_expanded(c, value, shape) for value in values]


@function("Tile")
def tile(c: Call) -> Value:
    """Read `tile`."""
    x, repeats = c.one(), c.integers("reps")
    rank = max(x.rank, len(repeats))
    wide = reshaped(c, x, (*(1,) * (rank - x.rank), *x.shape))
    return tiled(c, wide, [*(1,) * (rank - len(repeats)), *repeats])


@function("Repeat")
def repeat(c: Call) -> Value:
    """Read `gather` of elements that follow each other."""
    x, repeats = c.one(), c.integers("repeats")
    if c.param("axis", None) is None:
        x, axis = reshaped(c, x, (prod(x.shape),)), 0
    else:
        axis = c.front_axis(c.integer("axis"), x.rank)
    counts = repeats * x.shape[axis] if len(repeats) == 1 else repeats
    if len(counts) != x.shape[axis] or min(counts) < 0:
        c.invalid(f"its repeats are {repeats} for {x.shape[axis]} elements")
    c.allowance.take((sum(counts),), 8)
    return c.op("gather", x, c.graph.constant(np.repeat(np.arange(len(counts)), counts)), axis=axis)


_BORDERS = {"edge": "replicate", "reflect": "reflect", "symmetric": "reflect-even"}


@function("Pad")
def pad(c: Call) -> Value:
    """Read `pad`."""
    x, mode = to_scalar(c, c.one()), c.text("mode")
    padding = _padding(c, x.rank)
    keywords = c.param("keywords", {})
    options = keywords.get("dict", {}) if isinstance(keywords, dict) else {}
    if mode == "wrap":
        return wrapped_around(c, x, padding)
    if mode in _BORDERS and not options:
        return c.op("pad", x, padding=padding, border=_BORDERS[mode])
    value = options.get("constant_values", 0)
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    is_infinite = isinstance(value, dict) and value.get("float") in ("nan", "inf", "-inf")
    is_number = isinstance(value, (int, float)) and abs(value) <= 2**62
    if mode != "constant" or {*options} - {"constant_values"} or not (is_number or is_infinite):
        c.refuse(
            f"it pads with the mode '{mode}' and {options!r:.80}",
            "Pad with one constant, or with the modes edge, reflect, symmetric or wrap.",
        )
    if is_infinite:
        return padded_by_constants(c, x, padding, float(value["float"]))
    return c.op("pad", x, padding=padding, value=c.decimal(value))


def _padding(c: Call, rank: int) -> list[tuple[int, int]]:
    """Return the number of elements before and after each axis."""
    given = c.param("pad_width")
    if isinstance(given, list) and len(given) == rank > 2 and not _are_pairs(given):
        c.invalid(f"its widths are {given!r:.80}")
    try:
        widths = np.broadcast_to(np.asarray(given), (rank, 2))
    except ValueError:
        c.invalid(f"its widths are {given!r:.80}")
    if widths.dtype.kind != "i" or (widths.size and not 0 <= widths.min() <= widths.max() < 2**31):
        c.invalid(f"its widths are {given!r:.80}")
    return [(int(before), int(after)) for before, after in widths]


def _are_pairs(given: Sequence[object]) -> bool:
    return all(isinstance(pair, list) and len(pair) in (1, 2) for pair in given)


@function("PadSequence")
def pad_sequence(c: Call) -> Value:
    """Read `pad` of each input to one length, and `stack`."""
    values = c.all()
    longest = max(value.shape[0] if value.rank else 0 for value in values)
    length = longest if c.param("length", None) is None else c.integer("length")
    if length < longest or any(not value.rank for value in values):
        c.invalid(f"its length is {length}")
    filler = c.decimal(c.number("padding", 0))
    padded = [
        value
        if value.shape[0] == length
        else c.op(
            "pad",
            value,
            padding=[(0, length - value.shape[0]), *[(0, 0)] * (value.rank - 1)],
            value=filler,
        )
        for value in values
    ]
    return c.op("stack", padded, axis=0)


# -- joining and splitting -------------------------------------------------------------------------


def _joined(c: Call, values: Sequence[Value], axis: int) -> Value:
    axis = c.front_axis(axis, values[0].rank)
    others = [(*value.shape[:axis], *value.shape[axis + 1 :]) for value in values]
    if any(shape != others[0] for shape in others):
        c.invalid(f"it joins the shapes {[[*value.shape] for value in values]} along axis {axis}")
    return concat(c, values, axis)


@function("Concat")
def concatenation(c: Call) -> Value:
    """Read `concat`."""
    return _joined(c, c.all(), c.integer("axis", 1))


@function("Vstack", "Hstack", "Dstack")
def stack_arrays(c: Call) -> Value:
    """Read `concat` along the first, second or third axis."""
    values = c.all()
    if c.operator == "Hstack":
        return _joined(c, values, 0 if values[0].rank == 1 else 1)
    least = 2 if c.operator == "Vstack" else 3
    wide = []
    for value in values:
        shape = value.shape
        if len(shape) == 1:
            shape = (1, *shape)
        shape = (*shape, *(1,) * (least - len(shape)))
        wide.append(reshaped(c, value, shape))
    return _joined(c, wide, 0 if c.operator == "Vstack" else 2)


@function("Stack")
def stack(c: Call) -> Value:
    """Read `stack`."""
    values = c.all()
    if any(value.shape != values[0].shape for value in values):
        c.invalid(f"it stacks the shapes {[[*value.shape] for value in values]}")
    return c.op("stack", values, axis=c.front_axis(c.integer("axis", 0), values[0].rank + 1))


@function("Separate")
def separate(c: Call) -> list[Value]:
    """Read `unstack`."""
    x = c.one()
    return c.ops("unstack", x, axis=c.front_axis(c.integer("axis", 0), x.rank))


@function("SplitAxis")
def split_axis(c: Call) -> list[Value]:
    """Read `split`, into equal parts or at given places."""
    x = c.one()
    axis = c.front_axis(c.integer("axis"), x.rank)
    extent, sections = x.shape[axis], c.param("sections", None)
    if sections is not None:
        count = c.integer("sections")
        if count < 1 or extent % count:
            c.invalid(f"it cuts an axis of {extent} elements into {count} parts")
        lengths = [extent // count] * count
    else:
        places = c.param("indices")
        if isinstance(places, dict):
            listed = [int(place) for place in c.array("indices").reshape(-1)]
        else:
            listed = c.integers("indices")
        bounds = [0, *(slice(place).indices(extent)[1] for place in listed), extent]
        lengths = [max(end - begin, 0) for begin, end in pairwise(bounds)]
        if sum(lengths) != extent:
            c.invalid(f"it cuts an axis of {extent} elements at {listed}")
    return split(c, x, axis, lengths)


@function("TransposeSequence")
def transpose_sequences(c: Call) -> list[Value]:
    """Read the steps of sequences, each with the entries of those that are long enough."""
    values = c.all()
    lengths = [value.shape[0] if value.rank else 0 for value in values]
    if lengths != sorted(lengths, reverse=True) or not lengths[0]:
        c.invalid(f"its sequences have the lengths {lengths}")
    rows = [
        c.ops("unstack", value, axis=0) if length else []
        for value, length in zip(values, lengths, strict=True)
    ]
    steps = [[row[step] for row in rows if step < len(row)] for step in range(lengths[0])]
    return [c.op("stack", step, axis=0) for step in steps]


# -- channels and pixels ---------------------------------------------------------------------------


@function("Depth2Space")
def depth_to_space(c: Call) -> Value:
    """Read channels as blocks of pixels; the places of a block are the outer channels."""
    x, r = c.image(), c.integer("r")
    if r < 1 or x.shape[1] % (r * r):
        c.invalid(f"its factor is {r} for {x.shape[1]} channels")
    batch, channels, height, width = x.shape
    depth = channels // (r * r)
    with c.graph.scope("depth_to_space"):
        cells = reshaped(c, x, (batch, r, r, depth, height, width))
        woven = transposed(c, cells, [0, 3, 4, 1, 5, 2])
        return reshaped(c, woven, (batch, depth, height * r, width * r))


@function("Space2Depth")
def space_to_depth(c: Call) -> Value:
    """Read blocks of pixels as channels; the places of a block are the outer channels."""
    x, r = c.image(), c.integer("r")
    batch, channels, height, width = x.shape
    if r < 1 or height % r or width % r:
        c.invalid(f"its factor is {r} for an image of {height}×{width}")
    with c.graph.scope("space_to_depth"):
        cells = reshaped(c, x, (batch, channels, height // r, r, width // r, r))
        sorted_ = transposed(c, cells, [0, 3, 5, 1, 2, 4])
        return reshaped(c, sorted_, (batch, channels * r * r, height // r, width // r))
