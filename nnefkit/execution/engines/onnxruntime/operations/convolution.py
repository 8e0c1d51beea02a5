"""Convolution and deconvolution (4.3.1), and their separable forms (4.9.2)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from nnefkit.arrays import Ints, Padding
from nnefkit.execution.engines.onnxruntime.borders import crop, pad, pads, windows
from nnefkit.execution.engines.onnxruntime.builder import Builder, OnnxValue
from nnefkit.execution.engines.onnxruntime.lowerings import lowering
from nnefkit.execution.engines.onnxruntime.primitives import (
    add,
    expand,
    matmul,
    sliced,
    take,
    transpose,
)
from nnefkit.operations.filter_rules import reverse_groups
from nnefkit.operations.window import Window

_WHOLE = ((0, 0), (0, 0))
"""Padding of batch and channels."""


@lowering("conv")
def conv(
    b: Builder,
    input: OnnxValue,
    filter: OnnxValue,
    bias: OnnxValue,
    *,
    window: Window,
    groups: int,
) -> OnnxValue:
    """Return the correlation of `input` and `filter` in each group, plus the channel's bias."""
    extents = input.shape[2:]
    window = window.of_size(filter.shape[2:]).over(extents)
    shape = (input.shape[0], filter.shape[0], *window.down_extents(extents))
    x, rest = _bordered(b, input, window)
    groups = groups or input.shape[1]
    if not b.has("Conv", x):
        return _biased(b, _correlated(b, x, filter, window, rest, groups, shape), bias)
    weights = filter
    if not extents:
        x, weights = b.reshape(x, (*x.shape, 1)), b.reshape(filter, (*filter.shape, 1))
        window, rest = Window.of_cells((1,)), [(0, 0)]
    inputs = [x, weights, *_bias(b, bias, filter.shape[0])]
    result = b.node(
        "Conv",
        inputs,
        shape if extents else (*shape, 1),
        kernel_shape=weights.shape[2:],
        pads=pads(rest),
        strides=window.stride,
        dilations=window.dilation,
        group=groups,
    )
    return b.reshape(result, shape)


def _bordered(b: Builder, x: OnnxValue, window: Window) -> tuple[OnnxValue, list[tuple[int, int]]]:
    """Return an input padded with the border of a window, and the zero padding that remains."""
    if window.border == "constant":
        x, rest = crop(b, x, [*_WHOLE, *window.padding])
        return x, rest[2:]
    x = pad(b, x, [*_WHOLE, *window.padding], window.border)
    return x, [(0, 0)] * len(window.padding)


def _bias(b: Builder, bias: OnnxValue, channels: int) -> list[OnnxValue]:
    """Return a list with the bias of each channel, empty for a literal zero."""
    if bias.data is not None and not bias.rank and not bias.data:
        return []
    size = math.prod(bias.shape)
    if bias.data is not None and size < channels:
        return [b.constant(bias.data.reshape(-1).repeat(channels))]
    return [expand(b, b.reshape(bias, (size,)), (channels,))]


def _biased(b: Builder, x: OnnxValue, bias: OnnxValue) -> OnnxValue:
    for added in _bias(b, bias, x.shape[1]):
        x = add(b, x, b.reshape(added, (1, x.shape[1], *[1] * (x.rank - 2))))
    return x


def _correlated(
    b: Builder,
    x: OnnxValue,
    filter: OnnxValue,
    window: Window,
    rest: Padding,
    groups: int,
    shape: Sequence[int],
) -> OnnxValue:
    """Return a convolution as a product of matrices."""
    batch, channels, *extents = shape
    x = pad(b, x, [*_WHOLE, *rest], "constant")
    whole = Window(
        (1, 1, *window.size), window.border, (), (1, 1, *window.stride), (1, 1, *window.dilation)
    )
    columns = windows(b, x, whole, (*x.shape[:2], *extents))
    inner = x.shape[1] // groups
    volume, count = math.prod(window.size), math.prod(extents)
    columns = b.reshape(columns, (batch, groups, inner, count, volume))
    columns = transpose(b, columns, (0, 1, 2, 4, 3))
    columns = b.reshape(columns, (batch, groups, inner * volume, count))
    rows = b.reshape(filter, (1, groups, channels // groups, inner * volume))
    return b.reshape(matmul(b, rows, columns), tuple(shape))


@lowering("deconv")
def deconv(
    b: Builder,
    input: OnnxValue,
    filter: OnnxValue,
    bias: OnnxValue,
    *,
    window: Window,
    output_shape: Ints,
    groups: int,
) -> OnnxValue:
    """Return the reverse of `conv`, from the down-scaled space up, plus the channel's bias."""
    groups = reverse_groups(filter.shape, groups, output_shape)
    inner = input.shape[2:]
    extents, window = window.of_size(filter.shape[2:]).reversed(inner, output_shape[2:])
    starts = [p for p, _ in window.padding]
    x = input
    if window.border != "constant":
        extension = window.reverse_extension(inner, extents)
        x = pad(b, x, [*_WHOLE, *extension], window.border)
        starts = [
            p + low * s for p, (low, _), s in zip(starts, extension, window.stride, strict=True)
        ]
    shape = (input.shape[0], filter.shape[1] * groups, *extents)
    if not b.has("ConvTranspose", x):
        return _biased(b, _reversed(b, x, filter, window, starts, groups, shape), bias)
    weights = filter
    if not extents:
        x, weights = b.reshape(x, (*x.shape, 1)), b.reshape(filter, (*filter.shape, 1))
        window, starts = Window.of_cells((1,)), [0]
    wanted = extents or (1,)
    return b.reshape(_spread(b, x, weights, bias, window, starts, wanted, groups), shape)


def _spread(
    b: Builder,
    x: OnnxValue,
    filter: OnnxValue,
    bias: OnnxValue,
    window: Window,
    starts: Ints,
    wanted: Ints,
    groups: int,
) -> OnnxValue:
    """Return one `ConvTranspose`, and zeros where the output extends beyond its terms."""
    full = [
        (e - 1) * s + f for e, s, f in zip(x.shape[2:], window.stride, window.span, strict=True)
    ]
    ends = [t - start - X for t, start, X in zip(full, starts, wanted, strict=True)]
    cut = [(max(p, 0), max(q, 0)) for p, q in zip(starts, ends, strict=True)]
    missing = [(max(-p, 0), max(-q, 0)) for p, q in zip(starts, ends, strict=True)]
    more = [0] * len(full)
    if all(p == 0 and q < s for (p, q), s in zip(missing, window.stride, strict=True)):
        more, missing = [q for _, q in missing], [(0, 0)] * len(full)
    added = _bias(b, bias, filter.shape[1] * groups)
    within = added if missing == [(0, 0)] * len(full) else []
    computed = [t - p - q + m for t, (p, q), m in zip(full, cut, more, strict=True)]
    result = b.node(
        "ConvTranspose",
        [x, filter, *within],
        (x.shape[0], filter.shape[1] * groups, *computed),
        kernel_shape=filter.shape[2:],
        pads=pads(cut),
        strides=window.stride,
        dilations=window.dilation,
        output_padding=more,
        group=groups,
    )
    result = pad(b, result, [*_WHOLE, *missing], "constant")
    return result if within else _biased(b, result, bias)


def _reversed(
    b: Builder,
    x: OnnxValue,
    filter: OnnxValue,
    window: Window,
    starts: Ints,
    groups: int,
    shape: Sequence[int],
) -> OnnxValue:
    """Return a deconvolution as a convolution of the input with zeros between its elements."""
    padding = []
    for axis, (s, f, start) in enumerate(zip(window.stride, window.span, starts, strict=True), 2):
        extent = x.shape[axis]
        if s > 1:
            indices = np.full((extent - 1) * s + 1, extent)
            indices[::s] = np.arange(extent)
            x = pad(b, x, [(0, int(a == axis)) for a in range(x.rank)], "constant")
            x = take(b, x, indices, axis)
        padding.append((f - 1 - start, shape[axis] + start - x.shape[axis]))
    inner, results = filter.shape[0] // groups, filter.shape[1]
    flipped = sliced(b, filter, {a: (filter.shape[a] - 1, -1, -1) for a in range(2, filter.rank)})
    flipped = b.reshape(flipped, (groups, inner, results, math.prod(window.size)))
    flipped = transpose(b, flipped, (0, 2, 1, 3))
    flipped = b.reshape(flipped, (groups * results, inner, *window.size))
    single = replace(window, padding=(), stride=(1,) * len(window.size))
    x, rest = crop(b, x, [*_WHOLE, *padding])
    return _correlated(b, x, flipped, single, rest[2:], groups, shape)


@lowering("separable_conv")
def separable_conv(
    b: Builder,
    input: OnnxValue,
    plane_filter: OnnxValue,
    point_filter: OnnxValue,
    bias: OnnxValue,
    *,
    window: Window,
    groups: int,
) -> OnnxValue:
    """Apply a depthwise `conv` with `plane_filter`, then one with `point_filter` and `bias`."""
    planes = conv(b, input, plane_filter, b.number(0.0, input), window=window, groups=0)
    return conv(b, planes, point_filter, bias, window=Window(()), groups=groups)


@lowering("separable_deconv")
def separable_deconv(
    b: Builder,
    input: OnnxValue,
    plane_filter: OnnxValue,
    point_filter: OnnxValue,
    bias: OnnxValue,
    *,
    window: Window,
    output_shape: Ints,
    groups: int,
) -> OnnxValue:
    """Apply a `deconv` with `point_filter`, then a depthwise one with the rest."""
    zero = b.number(0.0, input)
    planes = deconv(b, input, point_filter, zero, window=Window(()), output_shape=(), groups=groups)
    return deconv(b, planes, plane_filter, bias, window=window, output_shape=output_shape, groups=0)
