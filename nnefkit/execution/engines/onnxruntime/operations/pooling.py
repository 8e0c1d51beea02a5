"""Maxima of windows and their positions, sampling by position (4.3.3), max pooling (4.9.3)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from nnefkit.arrays import Array, Ints, Shape
from nnefkit.execution.engines.onnxruntime.borders import crop, pad, pads, windows
from nnefkit.execution.engines.onnxruntime.builder import Builder, OnnxValue
from nnefkit.execution.engines.onnxruntime.lowerings import lowering
from nnefkit.execution.engines.onnxruntime.operations.box import is_pooling, window_counts
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
    with_nan,
)
from nnefkit.execution.lowering.window_kinds import is_padded_inside
from nnefkit.operations.window import Window


@lowering("max_pool")
def max_pool(
    b: Builder,
    input: OnnxValue,
    *,
    window: Window,
) -> OnnxValue:
    """Return the maximum of each window; minus infinity where it is all ignored border."""
    window = window.over(input.shape)
    if not b.careful or input.dtype.kind != "f":
        return _maxima(b, input, window)
    # ONNX Runtime starts from the lowest number, which only float64 converts to minus infinity.
    wide = cast(b, _maxima(b, cast(b, input, np.float64), window), input.dtype)
    return with_nan(b, input, wide, lambda flags: _maxima(b, flags, window))


def _maxima(b: Builder, input: OnnxValue, window: Window) -> OnnxValue:
    axes = window.covered_axes(input.shape)
    if axes is not None:
        return reduce(b, "ReduceMax", input, axes)
    x, rest = input, [(0, 0)] * input.rank
    if window.border == "ignore":
        x, rest = crop(b, x, window.padding)
        if x is not input and x.data is not None:  # the whole input is cropped
            return _lowest(b, window.down_extents(input.shape), input)
    else:
        x = pad(b, x, window.padding, window.border)
    left = replace(window, padding=tuple(rest))
    if not is_padded_inside(left):
        x = pad(b, x, rest, "constant", -math.inf)
        left = replace(left, padding=((0, 0),) * x.rank)
    if x.kind == "Pad":
        # ONNX Runtime fuses Pad with MaxPool and then pads with minus infinity instead of zeros,
        # unless another node is between them.
        x = unary(b, "Max", x)
    if is_pooling(b, "MaxPool", x, left):
        result = _max_node(b, x, left.along(slice(2, None)))
    else:
        result = _max_by_axis(b, x, left)
    if window.border == "ignore":
        empty = window_counts(input.shape, window) == 0
        if empty.any():
            result = where(b, b.constant(empty), -math.inf, result)
    return result


def _lowest(b: Builder, shape: Shape, like: OnnxValue) -> OnnxValue:
    return b.constant(np.full(shape, -math.inf, like.dtype))


def _max_node(b: Builder, x: OnnxValue, window: Window) -> OnnxValue:
    attributes: dict[str, Any] = {}
    if max(window.dilation) > 1:
        attributes["dilations"] = window.dilation
    return b.node(
        "MaxPool",
        [x],
        (*x.shape[:2], *window.down_extents(x.shape[2:])),
        kernel_shape=window.size,
        pads=pads(window.padding),
        strides=window.stride,
        **attributes,
    )


def _max_by_axis(b: Builder, x: OnnxValue, window: Window) -> OnnxValue:
    for axis in range(x.rank):
        if window.slides(axis):
            line = window.along(slice(axis, axis + 1))
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
    input: OnnxValue,
    *,
    window: Window,
) -> OnnxValue:
    """Return the position of the first maximum of each window, in row-major order."""
    window = window.over(input.shape)
    extents = window.down_extents(input.shape)
    outside = -math.inf if window.border == "ignore" else 0.0
    elements = windows(b, pad(b, input, window.padding, window.border, outside), window, extents)
    if window.border == "ignore" and not (inside := _inside(input.shape, window)).all():
        # Where all elements are as low as the border, the border must not be chosen.
        most = reduce(b, "ReduceMax", elements, [elements.rank - 1])
        highest = compare(b, "Equal", elements, most)
        elements = cast(b, compare(b, "And", highest, b.constant(inside)), np.int32)
    shape = (*extents, 1)
    index = b.node("ArgMax", [elements], shape, np.int64, axis=elements.rank - 1, keepdims=1)
    return b.reshape(index, extents)


def _inside(shape: Sequence[int], window: Window) -> Array:
    """Return whether each entry of each window is in the input rather than in the border."""
    inside = np.ones([1] * (len(shape) + 1), bool)
    for axis, (first, stop) in enumerate(window.true_entries(shape)):
        entries = np.arange(window.size[axis])
        along = (entries >= first[:, None]) & (entries < stop[:, None])
        both = inside[..., None] & along.reshape(-1, *[1] * (len(shape) - axis), len(entries))
        inside = both.reshape(*both.shape[:-2], -1)
    return inside


@lowering("max_pool_with_index")
def max_pool_with_index(
    b: Builder,
    input: OnnxValue,
    *,
    window: Window,
) -> list[OnnxValue]:
    """Return the maximum of each window and its position."""
    return [max_pool(b, input, window=window), argmax_pool(b, input, window=window)]


@lowering("sample")
def sample(
    b: Builder,
    input: OnnxValue,
    index: OnnxValue,
    *,
    window: Window,
) -> OnnxValue:
    """Return the element at the given position of each window."""
    window = window.over(input.shape)
    padded = pad(b, input, window.padding, window.border)
    elements = windows(b, padded, window, index.shape)
    shape = (*index.shape, 1)
    positions = b.reshape(from_zero(b, index, math.prod(window.size)), shape)
    chosen = b.node("GatherElements", [elements, positions], shape, axis=elements.rank - 1)
    return b.reshape(chosen, index.shape)


@lowering("desample")
def desample(
    b: Builder,
    input: OnnxValue,
    index: OnnxValue,
    *,
    window: Window,
    output_shape: Ints,
) -> OnnxValue:
    """Add each element to the given position of its window."""
    extents, window = window.reversed(input.shape, output_shape)
    volume = math.prod(extents)
    target = _targets(b, index, extents, window)
    count = math.prod(input.shape)
    # Elements outside of the output are added to an extra element, which is then cut off.
    zeros = expand(b, b.constant(np.zeros(1, input.dtype)), (volume + 1,))
    flat = [zeros, b.reshape(target, (count,)), b.reshape(input, (count,))]
    sums = b.node("ScatterElements", flat, (volume + 1,), axis=0, reduction="add")
    return b.reshape(pad(b, sums, [(0, -1)], "constant"), extents)


def _targets(b: Builder, index: OnnxValue, extents: Shape, window: Window) -> OnnxValue:
    """Return the position in the flat output of each position in a window, or the one after it."""
    flat: OnnxValue = b.number(0, index)
    inside: OnnxValue | None = None
    rest = index
    step = math.prod(window.size)
    for axis, (X, (f, (p, _), s, d)) in enumerate(zip(extents, window.axes, strict=True)):
        step //= f
        entry = div(b, rest, step)
        rest = elementwise(b, "Mod", rest, step)
        along = [-1 if a == axis else 1 for a in range(index.rank)]
        starts = b.constant((np.arange(index.shape[axis]) * s - p).reshape(along))
        target = add(b, starts, mul(b, entry, d))
        flat = add(b, mul(b, flat, X), target)
        for kind, bound in (("GreaterOrEqual", 0), ("Less", X)):
            within = compare(b, kind, target, bound)
            inside = within if inside is None else compare(b, "And", inside, within)
    if inside is not None:
        after = b.constant(math.prod(extents), np.int64)
        flat = elementwise(b, "Where", inside, flat, after, dtype=np.int64)
    # Positions outside of the window fail as indices outside of the output.
    volume = math.prod(window.size)
    beyond = compare(b, "GreaterOrEqual", index, volume)
    invalid = compare(b, "Or", compare(b, "Less", index, 0), beyond)
    return expand(b, where(b, invalid, math.prod(extents) + 1, flat), index.shape)
