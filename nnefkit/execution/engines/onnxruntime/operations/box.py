"""Box filters (4.3.2), and the averages made of them (4.9.3)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from nnefkit.arrays import Array, Ints, Padding
from nnefkit.execution.engines.onnxruntime.borders import crop, pad, pads
from nnefkit.execution.engines.onnxruntime.builder import Builder, Value
from nnefkit.execution.engines.onnxruntime.lowerings import lowering
from nnefkit.execution.engines.onnxruntime.primitives import (
    along,
    as_rows,
    div,
    mul,
    reduce,
    sliced,
    take,
    unary,
    where,
)
from nnefkit.operations.window import Window, reverse_tap


@lowering("box")
def box(
    b: Builder,
    input: Value,
    *,
    size: Ints,
    border: str,
    padding: Padding,
    stride: Ints,
    dilation: Ints,
    normalize: bool,
) -> Value:
    """The sum, or where `normalize` is set the average, of each window."""
    slid = Window.of(size, border, padding, stride, dilation).over(input.shape)
    if covers(slid, input.shape):
        axes = [axis for axis, f in enumerate(slid.size) if f > 1]
        return reduce(b, "ReduceMean" if normalize else "ReduceSum", input, axes)
    if border in ("constant", "ignore"):
        x, rest = crop(b, input, slid.padding)
    else:
        x, rest = pad(b, input, slid.padding, border), [(0, 0)] * input.rank
    counts = window_counts(input.shape, slid) if normalize and border == "ignore" else None
    left = replace(slid, padding=tuple(rest))
    if not (is_spatial(b, "AveragePool", x, left) and pads_are_inside(left)):
        sums = _sums(b, pad(b, x, rest, "constant"), left)
        if counts is not None:
            return div(b, sums, b.constant(counts, x.dtype))
        return div(b, sums, float(math.prod(size))) if normalize else sums
    cropped = x is not input and border == "ignore"
    average = _average_pool(b, x, left, counts is None or cropped)
    if counts is None:
        return average if normalize else mul(b, average, float(math.prod(size)))
    if cropped:
        return div(b, mul(b, average, float(math.prod(size))), b.constant(counts, x.dtype))
    if not counts.all():
        return where(b, b.constant(counts == 0), float("nan"), average)
    return average


def covers(slid: Window, extents: Sequence[int]) -> bool:
    """Whether there is one window, as large as the input in all dimensions where it is not 1."""
    return all(
        (p, q) == (0, 0) and ((f == 1 and s == 1) or (f == extent and d == 1))
        for (f, (p, q), s, d), extent in zip(slid.axes, extents, strict=True)
    )


def slides(slid: Window, axis: int) -> bool:
    """Whether a window does anything along an axis."""
    return slid.size[axis] > 1 or slid.stride[axis] > 1 or any(slid.padding[axis])


def is_spatial(b: Builder, kind: str, x: Value, slid: Window) -> bool:
    """Whether the pooling operator `kind` knows windows like this one."""
    dilated = kind == "AveragePool" and b.opset < 19 and max(slid.dilation, default=1) > 1
    return (
        b.has(kind, x)
        and 3 <= x.rank <= 5
        and not (slides(slid, 0) or slides(slid, 1))
        and not dilated
    )


def pads_are_inside(slid: Window) -> bool:
    """Whether no padding is as large as the window, which pooling operators want."""
    return all(max(pair) < f for pair, f in zip(slid.padding, slid.size, strict=True))


def window_counts(extents: Sequence[int], slid: Window) -> Array:
    """Return the number of elements of the input in each window.

    Extents are 1 where all windows have the same number.
    """
    product = np.ones([1] * len(extents), np.int64)
    for axis, counts in enumerate(slid.true_counts(extents)):
        distinct = counts[:1] if (counts == counts[0]).all() else counts
        product = product * distinct.reshape(-1, *[1] * (len(extents) - axis - 1))
    return product


def _average_pool(b: Builder, x: Value, slid: Window, padding_counts: bool) -> Value:
    attributes: dict[str, Any] = {
        "kernel_shape": slid.size[2:],
        "pads": pads(slid.padding[2:]),
        "strides": slid.stride[2:],
        "count_include_pad": int(padding_counts),
    }
    if max(slid.dilation) > 1:
        attributes["dilations"] = slid.dilation[2:]
    return b.node("AveragePool", [x], slid.down_extents(x.shape), **attributes)


def _sums(b: Builder, x: Value, slid: Window) -> Value:
    """The sums of windows of a padded input, one axis after the other."""
    for axis, (f, s, d) in enumerate(zip(slid.size, slid.stride, slid.dilation, strict=True)):
        if f == 1 and s == 1:
            continue
        extent = (x.shape[axis] - (f - 1) * d - 1) // s + 1
        if f == 1:
            x = sliced(b, x, {axis: (0, (extent - 1) * s + 1, s)})
            continue
        shape = (*x.shape[:axis], extent, *x.shape[axis + 1 :])
        if b.has("Conv", x):
            rows = as_rows(b, x, axis)
            ones = b.constant(np.ones((1, 1, f, 1), x.dtype))
            attributes: dict[str, Any] = {"strides": (s, 1), "dilations": (d, 1)}
            results = (rows.shape[0], 1, extent, rows.shape[3])
            sums = b.node("Conv", [rows, ones], results, kernel_shape=(f, 1), **attributes)
            x = b.reshape(sums, shape)
        else:
            items = take(b, x, np.arange(extent)[:, None] * s + np.arange(f) * d, axis)
            x = b.reshape(reduce(b, "ReduceSum", items, [axis + 1]), shape)
    return x


@lowering("avg_pool")
def avg_pool(b: Builder, input: Value, **attribs: Any) -> Value:
    """The average of each window."""
    return box(b, input, normalize=True, **attribs)


@lowering("rms_pool")
def rms_pool(b: Builder, input: Value, **attribs: Any) -> Value:
    """The root of the average square of each window."""
    return unary(b, "Sqrt", box(b, mul(b, input, input), normalize=True, **attribs))


@lowering("debox")
def debox(
    b: Builder,
    input: Value,
    *,
    size: Ints,
    border: str,
    padding: Padding,
    stride: Ints,
    dilation: Ints,
    output_shape: Ints,
    normalize: bool,
) -> Value:
    """Adds each item of the input to all the positions that `box` sums up for it."""
    extents, slid = Window.of(size, border, padding, stride, dilation).reversed(
        input.shape, output_shape
    )
    extension: Sequence[tuple[int, int]] = ((0, 0),) * input.rank
    x = input
    if border not in ("constant", "ignore"):
        extension = slid.reverse_extension(input.shape, extents)
        x = pad(b, x, extension, border)
    for axis, (f, (p, _), s, d) in enumerate(slid.axes):
        start = -p - extension[axis][0] * s
        if (f, s, start) != (1, 1, 0) or x.shape[axis] != extents[axis]:
            x = _spread(b, x, axis, extents[axis], f, s, d, start)
    return div(b, x, float(math.prod(size))) if normalize else x


def _spread(
    b: Builder, x: Value, axis: int, extent: int, size: int, stride: int, dilation: int, start: int
) -> Value:
    """Spreads the items along one axis: the first one begins at position `start`."""
    if dilation == 1 and size == stride and extent == x.shape[axis] * size and start == 0:
        return take(b, x, np.arange(extent) // size, axis)
    if not b.has("ConvTranspose", x):
        matrix = np.zeros((extent, x.shape[axis]))
        for j in range(size):
            pair = reverse_tap(x.shape[axis], extent, stride, start + j * dilation)
            if pair is not None:
                source, target = pair
                places = range(source.start, source.stop)
                matrix[target, source][range(len(places)), range(len(places))] += 1
        return along(b, x, axis, matrix)
    full = (x.shape[axis] - 1) * stride + (size - 1) * dilation + 1
    end = extent - start - full
    rows = as_rows(b, x, axis)
    spread = b.node(
        "ConvTranspose",
        [rows, b.constant(np.ones((1, 1, size, 1), x.dtype))],
        (rows.shape[0], 1, full, rows.shape[3]),
        kernel_shape=(size, 1),
        strides=(stride, 1),
        dilations=(dilation, 1),
    )
    shape = (*x.shape[:axis], full, *x.shape[axis + 1 :])
    padding = [(start, end) if a == axis else (0, 0) for a in range(x.rank)]
    return pad(b, b.reshape(spread, shape), padding, "constant")
