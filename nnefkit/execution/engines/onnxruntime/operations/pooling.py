"""Maxima of windows and their positions, sampling by position (4.3.3), max pooling (4.9.3)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from nnefkit.arrays import Array, Ints, Padding, Shape
from nnefkit.execution.engines.onnxruntime.borders import crop, pad, pads, windows
from nnefkit.execution.engines.onnxruntime.builder import Builder, Value
from nnefkit.execution.engines.onnxruntime.lowerings import lowering
from nnefkit.execution.engines.onnxruntime.operations.box import (
    covers,
    is_spatial,
    pads_are_inside,
    slides,
    window_counts,
)
from nnefkit.execution.engines.onnxruntime.primitives import (
    add,
    as_rows,
    cast,
    compare,
    div,
    elementwise,
    expand,
    from_zero,
    mul,
    reduce,
    unary,
    where,
)
from nnefkit.operations.window import Window


@lowering("max_pool")
def max_pool(
    b: Builder,
    input: Value,
    *,
    size: Ints,
    border: str,
    padding: Padding,
    stride: Ints,
    dilation: Ints,
) -> Value:
    """The maximum of each window; minus infinity where only an ignored border is in it."""
    slid = Window.of(size, border, padding, stride, dilation).over(input.shape)
    if covers(slid, input.shape):
        return reduce(b, "ReduceMax", input, [axis for axis, f in enumerate(slid.size) if f > 1])
    x, rest = input, [(0, 0)] * input.rank
    if border == "ignore":
        x, rest = crop(b, x, slid.padding)
        if x is not input and x.data is not None:  # all is cropped away
            return _lowest(b, slid.down_extents(input.shape), input)
    else:
        x = pad(b, x, slid.padding, border)
    left = replace(slid, padding=tuple(rest))
    if not pads_are_inside(left):
        x = pad(b, x, rest, "constant", -math.inf)
        left = replace(left, padding=((0, 0),) * x.rank)
    if x.kind == "Pad":
        # ONNX Runtime takes zeros around a maximum for minus infinity, unless something is between.
        x = unary(b, "Max", x)
    if is_spatial(b, "MaxPool", x, left):
        result = _max_node(b, x, left.along(slice(2, None)))
    else:
        result = _max_by_axis(b, x, left)
    if border == "ignore":
        empty = window_counts(input.shape, slid) == 0
        if empty.any():
            result = where(b, b.constant(empty), -math.inf, result)
    return result


def _lowest(b: Builder, shape: Shape, like: Value) -> Value:
    return b.constant(np.full(shape, -math.inf, like.dtype))


def _max_node(b: Builder, x: Value, slid: Window) -> Value:
    attributes: dict[str, Any] = {"dilations": slid.dilation} if max(slid.dilation) > 1 else {}
    return b.node(
        "MaxPool",
        [x],
        (*x.shape[:2], *slid.down_extents(x.shape[2:])),
        kernel_shape=slid.size,
        pads=pads(slid.padding),
        strides=slid.stride,
        **attributes,
    )


def _max_by_axis(b: Builder, x: Value, slid: Window) -> Value:
    for axis in range(x.rank):
        if slides(slid, axis):
            line = slid.along(slice(axis, axis + 1))
            image = Window(
                (*line.size, 1),
                line.border,
                (*line.padding, (0, 0)),
                (*line.stride, 1),
                (*line.dilation, 1),
            )
            result = _max_node(b, as_rows(b, x, axis), image)
            (extent,) = line.down_extents(x.shape[axis : axis + 1])
            x = b.reshape(result, (*x.shape[:axis], extent, *x.shape[axis + 1 :]))
    return x


@lowering("argmax_pool")
def argmax_pool(
    b: Builder,
    input: Value,
    *,
    size: Ints,
    border: str,
    padding: Padding,
    stride: Ints,
    dilation: Ints,
) -> Value:
    """The position of the first maximum of each window, in row-major order."""
    slid = Window.of(size, border, padding, stride, dilation).over(input.shape)
    extents = slid.down_extents(input.shape)
    outside = -math.inf if border == "ignore" else 0.0
    items = windows(b, pad(b, input, slid.padding, border, outside), slid, extents)
    if border == "ignore" and not (inside := _inside(input.shape, slid)).all():
        # The border must not be found where all is as low as it.
        highest = compare(b, "Equal", items, reduce(b, "ReduceMax", items, [items.rank - 1]))
        found = compare(b, "And", highest, b.constant(inside))
        items = cast(b, found, np.int32)
    shape = (*extents, 1)
    index = b.node("ArgMax", [items], shape, np.int64, axis=items.rank - 1, keepdims=1)
    return b.reshape(index, extents)


def _inside(shape: Sequence[int], slid: Window) -> Array:
    """Return whether each entry of each window is an element of the input, not of the border."""
    inside = np.ones([1] * (len(shape) + 1), bool)
    for axis, (first, stop) in enumerate(slid.true_entries(shape)):
        entries = np.arange(slid.size[axis])
        along = (entries >= first[:, None]) & (entries < stop[:, None])
        both = inside[..., None] & along.reshape(-1, *[1] * (len(shape) - axis), len(entries))
        inside = both.reshape(*both.shape[:-2], -1)
    return inside


@lowering("max_pool_with_index")
def max_pool_with_index(
    b: Builder,
    input: Value,
    *,
    size: Ints,
    border: str,
    padding: Padding,
    stride: Ints,
    dilation: Ints,
) -> list[Value]:
    """The maximum of each window and its position."""
    attribs = {"size": size, "border": border, "padding": padding}
    attribs |= {"stride": stride, "dilation": dilation}
    return [max_pool(b, input, **attribs), argmax_pool(b, input, **attribs)]  # type: ignore[arg-type]


@lowering("sample")
def sample(
    b: Builder,
    input: Value,
    index: Value,
    *,
    size: Ints,
    border: str,
    padding: Padding,
    stride: Ints,
    dilation: Ints,
) -> Value:
    """The item at the given position of each window."""
    slid = Window.of(size, border, padding, stride, dilation).over(input.shape)
    items = windows(b, pad(b, input, slid.padding, border), slid, index.shape)
    shape = (*index.shape, 1)
    places = b.reshape(from_zero(b, index, math.prod(size)), shape)
    chosen = b.node("GatherElements", [items, places], shape, axis=items.rank - 1)
    return b.reshape(chosen, index.shape)


@lowering("desample")
def desample(
    b: Builder,
    input: Value,
    index: Value,
    *,
    size: Ints,
    border: str,
    padding: Padding,
    stride: Ints,
    dilation: Ints,
    output_shape: Ints,
) -> Value:
    """Adds each item to the given position of its window."""
    extents, slid = Window.of(size, border, padding, stride, dilation).reversed(
        input.shape, output_shape
    )
    volume = math.prod(extents)
    place = _places(b, index, extents, slid)
    count = math.prod(input.shape)
    # What falls outside of the output is added to one item more, which is then cut off.
    zeros = expand(b, b.constant(np.zeros(1, input.dtype)), (volume + 1,))
    flat = [zeros, b.reshape(place, (count,)), b.reshape(input, (count,))]
    sums = b.node("ScatterElements", flat, (volume + 1,), axis=0, reduction="add")
    return b.reshape(pad(b, sums, [(0, -1)], "constant"), extents)


def _places(b: Builder, index: Value, extents: Shape, slid: Window) -> Value:
    """The position in the flat output that each position in a window means, or one behind it."""
    place: Value = b.number(0, index)
    inside: Value | None = None
    rest = index
    step = math.prod(slid.size)
    for axis, (X, (f, (p, _), s, d)) in enumerate(zip(extents, slid.axes, strict=True)):
        step //= f
        entry = div(b, rest, step)
        rest = elementwise(b, "Mod", rest, step)
        along = [-1 if a == axis else 1 for a in range(index.rank)]
        starts = b.constant((np.arange(index.shape[axis]) * s - p).reshape(along))
        target = add(b, starts, mul(b, entry, d))
        place = add(b, mul(b, place, X), target)
        for kind, bound in (("GreaterOrEqual", 0), ("Less", X)):
            within = compare(b, kind, target, bound)
            inside = within if inside is None else compare(b, "And", inside, within)
    if inside is not None:
        place = elementwise(
            b, "Where", inside, place, b.constant(math.prod(extents), np.int64), dtype=np.int64
        )
    # Positions outside of the window fail as indices outside of the output.
    volume = math.prod(slid.size)
    strange = compare(b, "GreaterOrEqual", from_zero(b, index, volume), volume)
    place = where(b, strange, math.prod(extents) + 1, place)
    return expand(b, place, index.shape)
