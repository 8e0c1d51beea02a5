"""Shapes, joining and blocks that TensorFlow orders in another way than TFLite (4.5)."""

from __future__ import annotations

from math import prod

import numpy as np

from nnefkit.exchange.compositions import reduction, shaping
from nnefkit.exchange.reshaping import sliced, to_scalar
from nnefkit.exchange.source_value import Value
from nnefkit.exchange.tensor_operators.blocks import (
    batch_to_space,
    depth_to_space,
    space_to_batch,
    space_to_depth,
)
from nnefkit.exchange.tensorflow.call import Call, operator


@operator("ConcatV2", "Concat")
def concat(c: Call) -> Value:
    """Read `concat`; the axis is the last input, and the first one of the old operator."""
    place = 0 if c.operator == "Concat" else len(c.inputs) - 1
    parts = [c[index] for index in range(len(c.inputs)) if index != place]
    if not parts:
        c.invalid("it has no inputs")
    return shaping.concat(c, parts, c.front_axis(c.number(place, "axis"), parts[0].rank))


@operator("Size")
def size(c: Call) -> Value:
    """Read the number of elements, which is constant."""
    return c.graph.constant(prod(c[0].shape), c.dtype)


@operator("ShapeN")
def shapes(c: Call) -> list[Value]:
    """Read shapes, which are constant."""
    return [c.graph.constant(c[index].shape, c.dtype) for index in range(len(c.inputs))]


@operator("InvertPermutation")
def inverted(c: Call) -> Value:
    """Read the inverse of an order, which is constant."""
    order = c.constant(0, "order")
    if sorted(order.reshape(-1).tolist()) != [*range(order.size)]:
        c.invalid("its input is not an order")
    return c.graph.constant(np.argsort(order.reshape(-1)), order.dtype)


@operator("DepthToSpace", "SpaceToDepth")
def rearranged(c: Call) -> Value:
    """Rearrange channels into blocks of pixels, or back."""
    if str(c.option("data_format", "NHWC")) == "NCHW_VECT_C":
        c.refuse("its channels are in groups of four", "Use the layout NHWC.")
    c.inputs = [c.channels_last(0, 4)]
    read = depth_to_space if c.operator == "DepthToSpace" else space_to_depth
    return c.as_given(read(c))


@operator("LinSpace")
def evenly_spaced(c: Call) -> Value:
    """Read numbers in equal steps, which are constant."""
    start, stop = (float(c.constant(index, "end").reshape(-1)[0]) for index in (0, 1))
    count = c.number(2, "number of elements")
    if count < 1:
        c.invalid(f"it has {count} elements")
    c.allowance.take((count,), 8)
    return c.graph.constant(np.linspace(start, stop, count), c.dtype)


@operator("OnesLike")
def ones_like(c: Call) -> Value:
    """Read ones of the shape of the input."""
    c.allowance.take(c[0].shape, 8)
    return c.graph.constant(np.ones(c[0].shape, c.dtype))


@operator("Roll")
def roll(c: Call) -> Value:
    """Read a rotation of the elements along some axes."""
    x, shifts, axes = c[0], c.ints(1, "shifts"), c.ints(2, "axes")
    if len(shifts) != len(axes):
        c.invalid(f"its shifts are {shifts} along {axes}")
    for shift, given in zip(shifts, axes, strict=True):
        axis = c.front_axis(given, x.rank)
        extent = x.shape[axis]
        cut = -shift % extent
        if cut:
            parts = [sliced(c, x, axis, cut, extent), sliced(c, x, axis, 0, cut)]
            x = c.op("concat", parts, axis=axis)
    return x


@operator("SpaceToBatch", "BatchToSpace")
def old_blocks(c: Call) -> Value:
    """Read square blocks of pixels as entries of the batch, or back."""
    (size,) = c.positive("block_size")
    x, pads = c.ranked(0, 4), c[1]
    c.inputs = [x, c.graph.constant([size, size], np.int64), pads]
    return space_to_batch(c) if c.operator == "SpaceToBatch" else batch_to_space(c)


@operator("Cumprod")
def cumulative_product(c: Call) -> Value:
    """Read products of the elements so far, in rounds that double their number."""
    x = to_scalar(c, c[0])
    axis = c.front_axis(c.number(1, "axis"), x.rank)
    is_exclusive, is_reverse = bool(c.option("exclusive")), bool(c.option("reverse"))
    total = reduction.cumulative_product(c, x, axis, exclusive=is_exclusive, reverse=is_reverse)
    return c.to_result(total, overflows=True)
