"""Resizing (4.3.4), and pixels out of channels and back: in channels-first order inside."""

from __future__ import annotations

import numpy as np

from nnefkit.arrays import Array
from nnefkit.exchange.compositions.resampling import ResizedAxis, interpolated, selected
from nnefkit.exchange.refusal import refuse_empty_tensor
from nnefkit.exchange.reshaping import reshaped, transposed
from nnefkit.exchange.source_value import SCALAR, Value
from nnefkit.exchange.tflite.call import INVALID, Call, channels_first, channels_last, operator

F = np.float32


@operator("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR")
def resize(c: Call) -> Value:
    """Read a resize of the two inner axes to a size."""
    x, sizes = c.ranked(0, 4), c.ints(1, "size")
    if len(sizes) != 2 or min(sizes) < 0:
        c.refuse(f"its size is {sizes}", INVALID)
    if 0 in sizes:
        refuse_empty_tensor()
    inner = [
        ResizedAxis(extent, new, float(F(new) / F(extent)), by_size=True)
        for extent, new in zip(x.shape[1:3], sizes, strict=True)
    ]
    if all(axis.is_unchanged for axis in inner):
        return x
    c.allowance.take(sizes, 1)
    axes = [ResizedAxis(n, n, 1.0) for n in (x.shape[0], x.shape[3])] + inner
    positions = [_positions(c, axis) for axis in axes]
    image = channels_first(c, x)
    if c.operator == "RESIZE_NEAREST_NEIGHBOR":
        indices = [_nearest(c, *pair) for pair in zip(axes, positions, strict=True)]
        return channels_last(c, selected(c, image, axes, indices, f"{c.name}.indices"))
    if x.data_type != SCALAR:
        c.refuse("it interpolates integers", "Cast them to float before.")

    def weights(number: int) -> Value:
        c.allowance.take((axes[number].extent, axes[number].new_extent), 4)
        matrix = _weights(axes[number], positions[number])
        return c.graph.constant(matrix, name=f"{c.name}.matrix")

    method = "asymmetric"
    if c.option("align_corners"):
        # The corners of a single new element are not aligned.
        method = "" if any(axis.new_extent == 1 for axis in inner) else "aligned"
    elif c.option("half_pixel_centers"):
        method = "symmetric"
    return channels_last(c, interpolated(c, image, axes, weights, method=method))


def _positions(c: Call, axis: ResizedAxis) -> Array:
    """Return the positions of the new elements among the old ones, in float32."""
    index = np.arange(axis.new_extent, dtype=F)
    scale = F(axis.extent) / F(axis.new_extent)
    if c.option("align_corners") and axis.new_extent > 1:
        scale = F(axis.extent - 1) / F(axis.new_extent - 1)
    if not c.option("half_pixel_centers"):
        return np.asarray(index * scale)
    # A neighbor is selected by the center itself, a mean is weighted by the distances to centers.
    shift = F(0) if c.operator == "RESIZE_NEAREST_NEIGHBOR" else F(0.5)
    return np.asarray((index + F(0.5)) * scale - shift)


def _nearest(c: Call, axis: ResizedAxis, positions: Array) -> Array:
    """Return the index of the old element for each new one."""
    if axis.is_unchanged:
        return np.arange(axis.extent)
    shift = F(0.5) if c.option("align_corners") else F(0)
    index = np.floor(positions + shift).astype(np.int64)
    return np.asarray(np.clip(index, 0, axis.extent - 1))


def _weights(axis: ResizedAxis, positions: Array) -> Array:
    """Return the weights of the old elements, a column for each new one."""
    last = axis.extent - 1
    low = np.clip(np.floor(positions), 0, last).astype(np.int64)
    high = np.clip(np.ceil(positions), 0, last).astype(np.int64)
    share = np.clip(positions - low, 0, 1)
    weights = np.zeros((axis.extent, axis.new_extent), F)
    columns = np.arange(axis.new_extent)
    np.add.at(weights, (low, columns), 1 - share)
    np.add.at(weights, (high, columns), share)
    return weights


@operator("DEPTH_TO_SPACE")
def depth_to_space(c: Call) -> Value:
    """Rearrange channels into blocks of pixels."""
    n, h, w, channels = c.ranked(0, 4).shape
    (block,) = c.positive("block_size")
    if channels % (block * block):
        c.refuse(f"its {channels} channels are no blocks of {block} by {block}", INVALID)
    depth = channels // (block * block)
    with c.graph.scope("depth_to_space"):
        cells = reshaped(c, channels_first(c, c[0]), (n, block, block, depth, h, w), 3)
        woven = transposed(c, cells, [0, 3, 4, 1, 5, 2])
        return channels_last(c, reshaped(c, woven, (n, depth, h * block, w * block)))


@operator("SPACE_TO_DEPTH")
def space_to_depth(c: Call) -> Value:
    """Rearrange blocks of pixels into channels."""
    n, h, w, channels = c.ranked(0, 4).shape
    (block,) = c.positive("block_size")
    if h % block or w % block:
        c.refuse(f"its {h} by {w} pixels are no blocks of {block} by {block}", INVALID)
    shape = n, channels, h // block, block, w // block, block
    with c.graph.scope("space_to_depth"):
        cells = reshaped(c, channels_first(c, c[0]), shape)
        woven = transposed(c, cells, [0, 3, 5, 1, 2, 4])
        whole = n, channels * block * block, h // block, w // block
        return channels_last(c, reshaped(c, woven, whole))
