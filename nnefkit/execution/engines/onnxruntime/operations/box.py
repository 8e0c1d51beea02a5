"""Box filters (4.3.2), and the averages based on them (4.9.3)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from nnefkit.arrays import Array, Ints
from nnefkit.execution.engines.onnxruntime.borders import crop, pad, pads
from nnefkit.execution.engines.onnxruntime.builder import Builder, OnnxValue
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
from nnefkit.execution.lowering.window_kinds import is_padded_inside, is_spatial
from nnefkit.operations.window import Window, reverse_tap


@lowering("box")
def box(b: Builder, input: OnnxValue, *, window: Window, normalize: bool) -> OnnxValue:
    """Return the sum, or if `normalize` the average, of each window."""
    window = window.over(input.shape)
    axes = window.covered_axes(input.shape)
    if axes is not None:
        return reduce(b, "ReduceMean" if normalize else "ReduceSum", input, axes)
    counts = None
    if normalize and window.border == "ignore":
        counts = window_counts(input.shape, window)
    if window.border in ("constant", "ignore"):
        x, rest = crop(b, input, window.padding)
    else:
        x, rest = pad(b, input, window.padding, window.border), [(0, 0)] * input.rank
    left = replace(window, padding=tuple(rest))
    if not (is_pooling(b, "AveragePool", x, left) and is_padded_inside(left)):
        sums = _sums(b, pad(b, x, rest, "constant"), left)
        if not normalize:
            return sums
        volume = float(math.prod(window.size))
        return div(b, sums, volume if counts is None else b.constant(counts, x.dtype))
    if counts is None:
        average = _average_pool(b, x, left, True)
        return average if normalize else mul(b, average, float(math.prod(window.size)))
    return _true_average(b, x, left, counts, cropped=x is not input)


def _true_average(
    b: Builder, x: OnnxValue, window: Window, counts: Array, *, cropped: bool
) -> OnnxValue:
    """Return the average of the elements of each window that are not part of the border."""
    average = _average_pool(b, x, window, cropped)
    if cropped:  # the rest of the padding is only a part of the border
        sums = mul(b, average, float(math.prod(window.size)))
        return div(b, sums, b.constant(counts, x.dtype))
    if not counts.all():
        return where(b, b.constant(counts == 0), float("nan"), average)
    return average


def is_pooling(b: Builder, kind: str, x: OnnxValue, window: Window) -> bool:
    """Return whether the pooling operator `kind` supports this window."""
    dilated = kind == "AveragePool" and b.opset < 19 and max(window.dilation, default=1) > 1
    return b.has(kind, x) and is_spatial(window) and not dilated


def window_counts(extents: Sequence[int], window: Window) -> Array:
    """Return the number of elements of the input in each window.

    An extent is 1 where all windows have the same number.
    """
    product = np.ones([1] * len(extents), np.int64)
    for axis, counts in enumerate(window.true_counts(extents)):
        distinct = counts[:1] if (counts == counts[0]).all() else counts
        product = product * distinct.reshape(-1, *[1] * (len(extents) - axis - 1))
    return product


def _average_pool(b: Builder, x: OnnxValue, window: Window, padding_counts: bool) -> OnnxValue:
    attributes: dict[str, Any] = {
        "kernel_shape": window.size[2:],
        "pads": pads(window.padding[2:]),
        "strides": window.stride[2:],
        "count_include_pad": int(padding_counts),
    }
    if max(window.dilation) > 1:
        attributes["dilations"] = window.dilation[2:]
    return b.node("AveragePool", [x], window.down_extents(x.shape), **attributes)


def _sums(b: Builder, x: OnnxValue, window: Window) -> OnnxValue:
    """Return the sums of windows of a padded input, computed one axis after the other."""
    for axis, (f, s, d) in enumerate(zip(window.size, window.stride, window.dilation, strict=True)):
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
            terms = take(b, x, np.arange(extent)[:, None] * s + np.arange(f) * d, axis)
            x = b.reshape(reduce(b, "ReduceSum", terms, [axis + 1]), shape)
    return x


@lowering("avg_pool")
def avg_pool(b: Builder, input: OnnxValue, *, window: Window) -> OnnxValue:
    """Return the average of each window."""
    return box(b, input, window=window, normalize=True)


@lowering("rms_pool")
def rms_pool(b: Builder, input: OnnxValue, *, window: Window) -> OnnxValue:
    """Return the root mean square of each window."""
    return unary(b, "Sqrt", box(b, mul(b, input, input), window=window, normalize=True))


@lowering("debox")
def debox(
    b: Builder,
    input: OnnxValue,
    *,
    window: Window,
    output_shape: Ints,
    normalize: bool,
) -> OnnxValue:
    """Add each input element to all positions of its window, the reverse of `box`."""
    extents, window = window.reversed(input.shape, output_shape)
    extension: Sequence[tuple[int, int]] = ((0, 0),) * input.rank
    x = input
    if window.border not in ("constant", "ignore"):
        extension = window.reverse_extension(input.shape, extents)
        x = pad(b, x, extension, window.border)
    for axis, (f, (p, _), s, d) in enumerate(window.axes):
        start = -p - extension[axis][0] * s
        if (f, s, start) != (1, 1, 0) or x.shape[axis] != extents[axis]:
            x = _spread(b, x, axis, extents[axis], f, s, d, start)
    return div(b, x, float(math.prod(window.size))) if normalize else x


def _spread(
    b: Builder,
    x: OnnxValue,
    axis: int,
    extent: int,
    size: int,
    stride: int,
    dilation: int,
    start: int,
) -> OnnxValue:
    """Spread the elements along one axis, from position `start` on."""
    if dilation == 1 and size == stride and extent == x.shape[axis] * size and start == 0:
        return take(b, x, np.arange(extent) // size, axis)
    if not b.has("ConvTranspose", x):
        matrix = np.zeros((extent, x.shape[axis]))
        for j in range(size):
            pair = reverse_tap(x.shape[axis], extent, stride, start + j * dilation)
            if pair is not None:
                source, target = pair
                diagonal = range(source.stop - source.start)
                matrix[target, source][diagonal, diagonal] += 1
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
