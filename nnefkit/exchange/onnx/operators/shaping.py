"""Reshaping, concatenating, slicing, padding and repeating (4.5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

import numpy as np

from nnefkit.arrays import Padding
from nnefkit.exchange.compositions import resampling, shaping
from nnefkit.exchange.onnx.call import INVALID, Call, operator
from nnefkit.exchange.reshaping import (
    broadcast,
    empty,
    expanded,
    reshaped,
    to_dtype,
    to_scalar,
    transposed,
    written_bounds,
)
from nnefkit.exchange.source_value import SCALAR, Value


@operator("Constant")
def constant(c: Call) -> Value:
    """Read a sparse constant; the others are folded."""
    value = c.attribute("sparse_value")
    if value is None:
        c.refuse("it has no value", INVALID)
    return c.graph.constant(value)


# -- shapes ----------------------------------------------------------------------------------------


@operator("Reshape")
def reshape(c: Call) -> Value:
    """Read a reshape; 0 copies an extent, -1 stands for the rest."""
    x = c[0]
    given = c.ints("shape", 1) or []
    inherited = _inherited(c, given)
    shape = [x.shape[axis] if axis in inherited else n for axis, n in enumerate(given)]
    inferred = given.index(-1) if -1 in given else None
    others = prod(n for n in shape if n != -1)
    if inferred is not None and others:
        shape[inferred] = prod(x.shape) // others
    return reshaped(c, x, shape, inferred, inherited)


def _inherited(c: Call, shape: Sequence[int]) -> list[int]:
    """Return the axes whose extents a reshape copies; refuse a shape that cannot be meant."""
    copied = [] if c.attribute("allowzero", 0) else [a for a, n in enumerate(shape) if n == 0]
    if shape.count(-1) > 1 or min(shape, default=0) < -1 or max(copied, default=-1) >= c[0].rank:
        c.refuse(f"its shape is {[*shape]}, but its input has the shape {[*c[0].shape]}", INVALID)
    return copied


@operator("Flatten")
def flatten(c: Call) -> Value:
    """Read a reshape to rank 2."""
    x = c[0]
    axis = c.axis("axis", 1, x.rank, past=True)
    inferred = 1 if axis < min(2, x.rank) else 0
    return reshaped(c, x, (prod(x.shape[:axis]), prod(x.shape[axis:])), inferred)


@operator("Squeeze")
def squeeze(c: Call) -> Value:
    """Read `squeeze`."""
    x = c[0]
    axes = c.axes(1, x.rank)
    if axes is None:
        axes = [axis for axis, n in enumerate(x.shape) if n == 1]
    elif not axes and 1 in x.shape:
        c.refuse("its axes are empty, and runtimes disagree on the result", "Leave out the axes.")
    elif any(x.shape[axis] != 1 for axis in axes):
        c.refuse(f"the extents of its axes {axes} are not all 1", INVALID)
    if x.data is not None or not axes:
        return reshaped(c, x, [n for axis, n in enumerate(x.shape) if axis not in axes])
    return c.op("squeeze", x, axes=sorted(axes))


@operator("Unsqueeze")
def unsqueeze(c: Call) -> Value:
    """Read `unsqueeze`."""
    x = c[0]
    rank = x.rank + len(c.ints("axes", 1) or [])
    axes = sorted(c.axes(1, rank) or [])
    _refuse_repeated(c, axes)
    if x.data is not None:
        extents = iter(x.shape)
        return reshaped(c, x, [1 if axis in axes else next(extents) for axis in range(rank)])
    return c.op("unsqueeze", x, axes=axes) if axes else x


def _refuse_repeated(c: Call, axes: Sequence[int]) -> None:
    if len({*axes}) < len(axes):
        c.refuse(f"its axes {[*axes]} repeat", INVALID)


@operator("Transpose")
def transpose(c: Call) -> Value:
    """Read `transpose`; by default, the order of the axes is reversed."""
    x = c[0]
    return transposed(c, x, c.attribute("perm") or range(x.rank)[::-1])


@operator("Shape", "Size")
def shape(c: Call) -> Value:
    """Read a shape or a number of elements, which are constant."""
    extents = c[0].shape
    if c.operator == "Size":
        return c.graph.constant(prod(extents), np.int64)
    return c.graph.constant(extents[c.attribute("start", 0) : c.attribute("end")], np.int64)


# -- joining and splitting -------------------------------------------------------------------------


@operator("Concat")
def concat(c: Call) -> Value:
    """Read `concat`; empty tensors are left out."""
    values = [value for value in c.inputs if value is not None]
    return shaping.concat(c, values, c.axis("axis", 1, values[0].rank))


@operator("Split")
def split(c: Call) -> list[Value]:
    """Read `split`; some of its parts may be empty."""
    x = c[0]
    axis = c.axis("axis", 0, x.rank)
    lengths = c.ints("split", 1)
    count = len(c.output_names)
    parts = c.attribute("num_outputs", count) if lengths is None else len(lengths)
    if parts != count:
        c.refuse(f"it has {count} outputs, but divides its input into {parts} parts")
    if lengths is None:
        length = -(-x.shape[axis] // count)
        lengths = [length] * (count - 1) + [x.shape[axis] - length * (count - 1)]
    if sum(lengths) != x.shape[axis]:
        c.refuse(f"its parts are {sum(lengths)} long, and the axis {x.shape[axis]}", INVALID)
    return shaping.split(c, x, axis, lengths)


# -- slicing ---------------------------------------------------------------------------------------


@operator("Slice")
def slice_(c: Call) -> Value:
    """Read `slice`; bounds that count from the end do so in the text."""
    x = c[0]
    begins, ends = c.ints("starts", 1) or [], c.ints("ends", 2) or []
    axes = c.axes(3, x.rank)
    axes = [*range(len(begins))] if axes is None else axes
    strides = c.ints("steps", 4) or [1] * len(axes)
    _refuse_repeated(c, axes)
    if len({len(numbers) for numbers in (axes, begins, ends, strides)}) > 1 or 0 in strides:
        c.refuse("its starts, ends, axes and steps do not fit each other", INVALID)
    extents = [*x.shape]
    changed: dict[int, tuple[int, int, int]] = {}
    for axis, begin, end, stride in zip(axes, begins, ends, strides, strict=True):
        positions = range(*slice(begin, end, stride).indices(x.shape[axis]))
        extents[axis] = len(positions)
        if positions != range(x.shape[axis]):
            changed[axis] = (*written_bounds(begin, end, x.shape[axis], stride), stride)
    if 0 in extents:
        return empty(c, extents, x.dtype)
    return _sliced(c, x, changed)


def _sliced(c: Call, x: Value, slices: Mapping[int, tuple[int, int, int]]) -> Value:
    """Return parts of some axes: axis -> begin, end and stride as `slice` takes them."""
    if not slices:
        return x
    begins, ends, strides = (list(column) for column in zip(*slices.values(), strict=True))
    stride = [] if set(strides) == {1} else strides
    return c.op("slice", x, axes=[*slices], begin=begins, end=ends, stride=stride)


_MAX_SEQUENCES = 4096


@operator("ReverseSequence")
def reverse_sequence(c: Call) -> Value:
    """Read a reversal of the first elements of each batch entry."""
    x = c[0]
    lengths = c.required_constant(1, "sequence lengths")
    time, batch = c.axis("time_axis", 0, x.rank), c.axis("batch_axis", 1, x.rank)
    if lengths.shape != (x.shape[batch],):
        c.refuse(f"it has {lengths.size} sequence lengths for {x.shape[batch]} sequences", INVALID)
    if lengths.size > _MAX_SEQUENCES:
        c.refuse(f"it has {lengths.size:,} sequences", "Reverse fewer sequences at once.")
    entries = c.ops("split", x, axis=batch, ratios=[1] * x.shape[batch])
    reversed_ = [
        shaping.begun_backward(c, entry, time, int(length))
        for entry, length in zip(entries, lengths, strict=True)
    ]
    return c.op("concat", reversed_, axis=batch)


# -- padding and repeating -------------------------------------------------------------------------

_BORDERS = {"constant": "constant", "reflect": "reflect", "edge": "replicate"}


@operator("Pad")
def pad(c: Call) -> Value:
    """Read `pad`; a negative padding is a slice."""
    padding = _padding(c)
    x, padding = shaping.cropped(c, c[0], padding)
    if not any(p or q for p, q in padding):
        return x
    mode = c.attribute("mode", "constant")
    if mode != "wrap" and mode not in _BORDERS:
        c.refuse(f"its mode '{mode}' is unknown", INVALID)
    if mode == "wrap":
        return shaping.wrapped_around(c, x, padding)
    number = _padding_value(c) if mode == "constant" else 0.0
    if not np.isfinite(number):
        return shaping.padded_by_constants(c, to_scalar(c, x), padding, number)
    result = c.op("pad", to_scalar(c, x), padding=padding, border=_BORDERS[mode], value=number)
    return to_dtype(c, result, x.dtype)


def _padding(c: Call) -> Padding:
    """Return the padding of each axis, negative for elements that are cut off."""
    rank = c[0].rank
    pads, axes = c.ints("pads", 1) or [], c.axes(3, rank)
    axes = [*range(rank)] if axes is None else axes
    _refuse_repeated(c, axes)
    if len(pads) != 2 * len(axes):
        c.refuse(f"it has {len(pads)} paddings for {len(axes)} axes", INVALID)
    padding = [(0, 0)] * rank
    for axis, before, after in zip(axes, pads[: len(axes)], pads[len(axes) :], strict=True):
        padding[axis] = before, after
    return padding


def _padding_value(c: Call) -> float:
    if "value" in c.attributes:
        return float(c.attributes["value"])
    data = c.constant(2, "padding value")
    return 0.0 if data is None or not data.size else float(str(data.reshape(-1)[0]))


@operator("Expand")
def expand(c: Call) -> Value:
    """Read a repetition to the shape that two shapes broadcast to."""
    x = c[0]
    return expanded(c, x, broadcast(c, x.shape, c.ints("shape", 1) or []))


@operator("Tile")
def tile(c: Call) -> Value:
    """Read `tile`."""
    return shaping.tiled(c, c[0], c.ints("repeats", 1) or [])


# -- matrices and blocks ---------------------------------------------------------------------------


@operator("EyeLike")
def eye_like(c: Call) -> Value:
    """Read ones on a diagonal, which depend on the shape only."""
    from onnx import helper

    code = c.attribute("dtype")
    rows, columns = c[0].shape
    dtype = np.dtype(c[0].dtype if code is None else helper.tensor_dtype_to_np_dtype(code))
    if dtype.kind not in "biuf":
        c.refuse(f"its result has elements of type {dtype.name}", INVALID)
    return c.graph.constant(np.eye(rows, columns, int(c.attribute("k", 0)), dtype))


@operator("Trilu")
def triangle(c: Call) -> Value:
    """Read a triangle of a matrix, with zeros elsewhere."""
    x, diagonal = c[0], c.constant(1, "diagonal")
    k = 0 if diagonal is None else int(diagonal.reshape(-1)[0])
    # Numbers beyond the corners select the same triangle, and NumPy does not take all of them.
    k = min(max(k, -sum(x.shape[-2:])), sum(x.shape[-2:]))
    ones = np.ones(x.shape[-2:], np.bool_)
    mask = np.triu(ones, k) if c.attribute("upper", 1) else np.tril(ones, k)
    triangle_mask = c.graph.constant(mask.reshape((1,) * (x.rank - 2) + mask.shape))
    return c.op("select", triangle_mask, x, c.graph.constant(0, x.dtype))


def _block(c: Call) -> tuple[int, bool]:
    """Return the extent of a block, and whether its pixels come after the channels."""
    block, mode = int(c.attribute("blocksize")), c.attribute("mode", "DCR")
    if block < 1 or mode not in ("DCR", "CRD") or c[0].rank != 4:
        c.refuse(
            f"it has blocks of {block}, the mode '{mode}', and an input of rank {c[0].rank}",
            "Blocks have positive extents, the mode is DCR or CRD, and the rank is 4.",
        )
    cut = {1: block * block} if c.operator == "DepthToSpace" else {2: block, 3: block}
    if any(c[0].shape[axis] % extent for axis, extent in cut.items()):
        c.refuse(f"its input of shape {[*c[0].shape]} has no blocks of {block}", INVALID)
    return block, mode == "CRD"


@operator("DepthToSpace")
def depth_to_space(c: Call) -> Value:
    """Rearrange channels into blocks of pixels; in mode CRD, this is PyTorch's pixel shuffle."""
    x, (block, is_crd) = c[0], _block(c)
    if is_crd and x.data_type == SCALAR:
        return resampling.pixel_shuffle(c, x, block)
    n, channels, h, w = x.shape
    depth = channels // (block * block)
    with c.graph.scope("depth_to_space"):
        parts = (depth, block, block) if is_crd else (block, block, depth)
        order = [0, 1, 4, 2, 5, 3] if is_crd else [0, 3, 4, 1, 5, 2]
        cells = reshaped(c, x, (n, *parts, h, w), 1 if is_crd else 3)
        woven = transposed(c, cells, order)
        return resampling.merged(c, resampling.merged(c, woven, 2), 3)


@operator("SpaceToDepth")
def space_to_depth(c: Call) -> Value:
    """Rearrange blocks of pixels into channels; in mode CRD, this is PyTorch's pixel unshuffle."""
    x, (block, is_crd) = c[0], _block(c)
    if is_crd and x.data_type == SCALAR:
        return resampling.pixel_unshuffle(c, x, block)
    with c.graph.scope("space_to_depth"):
        parts = resampling.cut(c, resampling.cut(c, x, 2, block), 4, block)
        order = [0, 1, 3, 5, 2, 4] if is_crd else [0, 3, 5, 1, 2, 4]
        return resampling.merged(c, resampling.merged(c, transposed(c, parts, order), 1), 1)
