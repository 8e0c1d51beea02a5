"""Blocks of pixels as entries of the batch, or as channels, and back."""

from __future__ import annotations

from math import prod

from nnefkit.exchange.channels_last import channels_first, channels_last
from nnefkit.exchange.reshaping import reshaped, sliced, to_dtype, to_scalar, transposed
from nnefkit.exchange.source_value import Value
from nnefkit.exchange.tensor_call import TensorCall, tensorflow, tflite


@tflite("SPACE_TO_BATCH_ND")
@tensorflow("SpaceToBatchND")
def space_to_batch(c: TensorCall) -> Value:
    """Read blocks of the inner axes as entries of the batch."""
    x, blocks = c[0], c.ints(1, "block shape")
    pads, count = c.constant(2, "padding"), len(blocks)
    if x.rank < count + 1 or min(blocks, default=0) < 1 or pads.shape != (count, 2):
        c.invalid(f"its blocks are {blocks} for an input of rank {x.rank}")
    padding = [(0, 0), *((int(p), int(q)) for p, q in pads), *[(0, 0)] * (x.rank - count - 1)]
    if min(min(pair) for pair in padding) < 0:
        c.invalid("its padding is negative")
    with c.graph.scope("space_to_batch"):
        if any(p or q for p, q in padding):
            x = to_dtype(c, c.op("pad", to_scalar(c, x), padding=padding), x.dtype)
        inner, rest = x.shape[1 : 1 + count], x.shape[1 + count :]
        if any(n % block for n, block in zip(inner, blocks, strict=True)):
            c.invalid(f"its blocks {blocks} do not divide {[*inner]}")
        cut = [
            n for extent, block in zip(inner, blocks, strict=True) for n in (extent // block, block)
        ]
        cells = reshaped(c, x, (x.shape[0], *cut, *rest))
        tail = [*range(1 + 2 * count, cells.rank)]
        order = [*range(2, 2 + 2 * count, 2), 0, *range(1, 1 + 2 * count, 2), *tail]
        shape = x.shape[0] * prod(blocks), *cut[::2], *rest
        return reshaped(c, transposed(c, cells, order), shape)


@tflite("BATCH_TO_SPACE_ND")
@tensorflow("BatchToSpaceND")
def batch_to_space(c: TensorCall) -> Value:
    """Read entries of the batch as blocks of the inner axes."""
    x, blocks = c[0], c.ints(1, "block shape")
    crops, count = c.constant(2, "crops"), len(blocks)
    is_valid = x.rank > count and min(blocks, default=0) > 0 and crops.shape == (count, 2)
    if not is_valid or x.shape[0] % prod(blocks) or (crops < 0).any():
        c.invalid(f"its blocks are {blocks} for an input of {[*x.shape]}")
    with c.graph.scope("batch_to_space"):
        batch, inner, rest = (
            x.shape[0] // prod(blocks),
            x.shape[1 : 1 + count],
            x.shape[1 + count :],
        )
        cells = reshaped(c, x, (*blocks, batch, *inner, *rest))
        woven = [
            axis
            for pair in zip(range(count + 1, 2 * count + 1), range(count), strict=True)
            for axis in pair
        ]
        order = [count, *woven, *range(1 + 2 * count, cells.rank)]
        whole = [n * block for n, block in zip(inner, blocks, strict=True)]
        result = reshaped(c, transposed(c, cells, order), (batch, *whole, *rest))
        for axis, (before, after) in enumerate(crops.tolist(), 1):
            if before + after >= result.shape[axis]:
                c.invalid(f"it crops {before} and {after} of {result.shape[axis]} elements")
            result = sliced(c, result, axis, before, result.shape[axis] - after)
        return result


@tflite("DEPTH_TO_SPACE")
def depth_to_space(c: TensorCall) -> Value:
    """Rearrange channels into blocks of pixels."""
    n, h, w, channels = c.ranked(0, 4).shape
    (block,) = c.positive("block_size")
    if channels % (block * block):
        c.invalid(f"its {channels} channels are no blocks of {block} by {block}")
    depth = channels // (block * block)
    with c.graph.scope("depth_to_space"):
        cells = reshaped(c, channels_first(c, c[0]), (n, block, block, depth, h, w), 3)
        woven = transposed(c, cells, [0, 3, 4, 1, 5, 2])
        return channels_last(c, reshaped(c, woven, (n, depth, h * block, w * block)))


@tflite("SPACE_TO_DEPTH")
def space_to_depth(c: TensorCall) -> Value:
    """Rearrange blocks of pixels into channels."""
    n, h, w, channels = c.ranked(0, 4).shape
    (block,) = c.positive("block_size")
    if h % block or w % block:
        c.invalid(f"its {h} by {w} pixels are no blocks of {block} by {block}")
    shape = n, channels, h // block, block, w // block, block
    with c.graph.scope("space_to_depth"):
        cells = reshaped(c, channels_first(c, c[0]), shape)
        woven = transposed(c, cells, [0, 3, 5, 1, 2, 4])
        whole = n, channels * block * block, h // block, w // block
        return channels_last(c, reshaped(c, woven, whole))
