"""Resampling (4.3.4), and pixels as channels or entries of the batch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nnefkit.arrays import Array
from nnefkit.exchange.caffe2.call import Call, operator
from nnefkit.exchange.compositions.resampling import ResizedAxis, interpolated, selected
from nnefkit.exchange.reshaping import reshaped, sliced, transposed
from nnefkit.exchange.source_value import Value

F = np.float32


def _scales(c: Call, names: Sequence[str]) -> list[float]:
    """Return the factors of the spatial axes."""
    if len(c.inputs) > 1:
        data = c[1].data
        if data is None or data.size != len(names):
            c.refuse("its scales depend on the inputs", "Give them as arguments or constants.")
        found = [float(scale) for scale in data.reshape(-1)]
    else:
        found = [c.arguments.number(f"{name}_scale", 1.0) for name in names]
    if not all(0 < scale < 2**16 for scale in found):
        c.invalid(f"its scales are {found}")
    return found


def _axes(c: Call, x: Value, names: Sequence[str]) -> list[ResizedAxis]:
    scales = _scales(c, names)
    extents = [int(F(n) * F(scale)) for n, scale in zip(x.shape[2:], scales, strict=True)]
    for extent in extents:
        c.allowance.take((extent,), 32)
    if min(extents) < 1:
        c.refuse(f"its result has the extents {extents}", "Use larger inputs or scales.")
    resized = [
        ResizedAxis(n, new, float(F(new) / F(n)))
        for n, new in zip(x.shape[2:], extents, strict=True)
    ]
    return [*(ResizedAxis(n, n, 1.0) for n in x.shape[:2]), *resized]


@operator("ResizeNearest", "ResizeNearest3D")
def resize_nearest(c: Call) -> Value:
    """Read `nearest_upsample`, `nearest_downsample`, or selected elements of each axis."""
    is_volume = c.operator == "ResizeNearest3D"
    rank = 5 if is_volume else 4
    x = c.image(c.ranked(rank, rank))
    names = ("temporal", "height", "width") if is_volume else ("height", "width")
    axes, scales = _axes(c, x, names), [1.0, 1.0, *_scales(c, names)]
    indices = [_nearest(axis, scale) for axis, scale in zip(axes, scales, strict=True)]
    return c.in_order(selected(c, x, axes, indices, f"{_stem(c)}.indices"))


def _nearest(axis: ResizedAxis, scale: float) -> Array:
    """Return the index of the old element for each new one."""
    index = (np.arange(axis.new_extent).astype(F) / F(scale)).astype(np.int64)
    return np.asarray(np.minimum(index, axis.extent - 1))


@operator("UpsampleBilinear")
def upsample_bilinear(c: Call) -> Value:
    """Read `multilinear_upsample` with aligned corners, or matrices of weights."""
    x = c.ranked(4, 4)
    axes = _axes(c, x, ("height", "width"))

    def weights(number: int) -> Value:
        axis = axes[number]
        c.allowance.take((axis.extent, axis.new_extent), 4)
        return c.graph.constant(_linear_weights(axis), name=f"{_stem(c)}.matrix")

    # The corners of a single new element are not aligned.
    is_single = any(axis.new_extent == 1 for axis in axes[2:])
    return interpolated(c, x, axes, weights, method="" if is_single else "aligned")


def _linear_weights(axis: ResizedAxis) -> Array:
    """Return the weights of the old elements, a column for each new one."""
    ratio = F(axis.extent - 1) / F(axis.new_extent - 1) if axis.new_extent > 1 else F(0)
    position = ratio * np.arange(axis.new_extent, dtype=F)
    low = position.astype(np.int64)
    high = np.minimum(low + 1, axis.extent - 1)
    share = position - low
    columns = np.arange(axis.new_extent)
    matrix = np.zeros((axis.extent, axis.new_extent), F)
    np.add.at(matrix, (low, columns), 1 - share)
    np.add.at(matrix, (high, columns), share)
    return matrix


def _stem(c: Call) -> str:
    return c.names[0] if c.names else c.operator


@operator("ChannelShuffle")
def channel_shuffle(c: Call) -> Value:
    """Read groups of channels whose elements are interleaved."""
    x, groups = c.image(c.ranked(3)), c.arguments.integer("group", 1)
    count, rest = x.shape[1], x.shape[2:]
    if groups < 1 or count % groups:
        c.invalid(f"it has {groups} groups for {count} channels")
    with c.graph.scope("channel_shuffle"):
        cells = reshaped(c, x, (x.shape[0], groups, count // groups, *rest))
        woven = transposed(c, cells, [0, 2, 1, *range(3, cells.rank)])
        return c.in_order(reshaped(c, woven, x.shape))


def _space_arguments(c: Call) -> tuple[Value, int, list[int]]:
    """Return the input, the size of a block, and what is padded or cropped at the four sides."""
    x, a = c.ranked(4, 4), c.arguments
    if c.is_channels_last:
        c.invalid("its order is NHWC, which Caffe2 does not compute")
    block, pad = a.integer("block_size", 2), a.integer("pad", 0)
    # Caffe2 takes the single number for the other sides, whatever is given for them.
    sides = [a.integer("pad_t", pad), pad, pad, pad]
    if block < 1 or min(sides) < 0:
        c.invalid(f"its block is {block}, its pads are {sides}")
    return x, block, sides


@operator("SpaceToBatch")
def space_to_batch(c: Call) -> Value:
    """Read blocks of pixels as entries of the batch."""
    x, block, (top, left, bottom, right) = _space_arguments(c)
    with c.graph.scope("space_to_batch"):
        if top or left or bottom or right:
            x = c.op("pad", x, padding=[(0, 0), (0, 0), (top, bottom), (left, right)])
        n, channels, height, width = x.shape
        if height % block or width % block:
            c.invalid(f"its {height} by {width} pixels are not blocks of {block}")
        shape = n, channels, height // block, block, width // block, block
        woven = transposed(c, reshaped(c, x, shape), [3, 5, 0, 1, 2, 4])
        whole = n * block * block, channels, height // block, width // block
        return reshaped(c, woven, whole)


@operator("BatchToSpace")
def batch_to_space(c: Call) -> Value:
    """Read entries of the batch as blocks of pixels."""
    x, block, (top, left, bottom, right) = _space_arguments(c)
    n, channels, height, width = x.shape
    if n % (block * block):
        c.invalid(f"its {n} entries are not blocks of {block} by {block}")
    with c.graph.scope("batch_to_space"):
        batch = n // (block * block)
        cells = reshaped(c, x, (block, block, batch, channels, height, width))
        woven = transposed(c, cells, [2, 3, 4, 0, 5, 1])
        image = reshaped(c, woven, (batch, channels, height * block, width * block))
        if top + bottom >= image.shape[2] or left + right >= image.shape[3]:
            c.invalid(f"it crops all of {[*image.shape]}")
        image = sliced(c, image, 2, top, image.shape[2] - bottom)
        return sliced(c, image, 3, left, image.shape[3] - right)
