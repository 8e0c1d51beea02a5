"""Resizing (4.3.4), and pixels out of channels and back: in channels-first order inside."""

from __future__ import annotations

from nnefkit.exchange.channels_last import channels_first, channels_last, resized
from nnefkit.exchange.refusal import refuse_empty_tensor
from nnefkit.exchange.reshaping import reshaped, transposed
from nnefkit.exchange.source_value import Value
from nnefkit.exchange.tflite.call import INVALID, Call, operator


@operator("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR")
def resize(c: Call) -> Value:
    """Read a resize of the two inner axes to a size."""
    x, sizes = c.ranked(0, 4), c.ints(1, "size")
    if len(sizes) != 2 or min(sizes) < 0:
        c.refuse(f"its size is {sizes}", INVALID)
    if 0 in sizes:
        refuse_empty_tensor()
    return resized(
        c,
        x,
        sizes,
        nearest=c.operator == "RESIZE_NEAREST_NEIGHBOR",
        align_corners=bool(c.option("align_corners")),
        half_pixel_centers=bool(c.option("half_pixel_centers")),
        name=c.name,
        take=lambda shape: c.allowance.take(shape, 4),
    )


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
