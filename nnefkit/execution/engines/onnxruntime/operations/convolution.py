"""Convolution and deconvolution (4.3.1), and their separable forms (4.9.2)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from nnefkit.arrays import Ints, Padding
from nnefkit.execution.engines.onnxruntime.borders import crop, pad, pads, windows
from nnefkit.execution.engines.onnxruntime.builder import Builder, Value
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
    input: Value,
    filter: Value,
    bias: Value,
    *,
    border: str,
    padding: Padding,
    stride: Ints,
    dilation: Ints,
    groups: int,
) -> Value:
    """The correlation of `input` and `filter` in each group, plus the bias of the channel."""
    extents = input.shape[2:]
    slid = Window.of(filter.shape[2:], border, padding, stride, dilation).over(extents)
    shape = (input.shape[0], filter.shape[0], *slid.down_extents(extents))
    x, rest = _bordered(b, input, slid.padding, border)
    groups = groups or input.shape[1]
    if not b.has("Conv", x):
        return _biased(b, _correlated(b, x, filter, slid, rest, groups, shape), bias)
    weights = filter
    if not extents:
        x, weights = b.reshape(x, (*x.shape, 1)), b.reshape(filter, (*filter.shape, 1))
        slid, rest = Window.of_cells((1,)), [(0, 0)]
    inputs = [x, weights, *_bias(b, bias, filter.shape[0])]
    result = b.node(
        "Conv",
        inputs,
        shape if extents else (*shape, 1),
        kernel_shape=weights.shape[2:],
        pads=pads(rest),
        strides=slid.stride,
        dilations=slid.dilation,
        group=groups,
    )
    return b.reshape(result, shape)


def _bordered(
    b: Builder, x: Value, padding: Padding, border: str
) -> tuple[Value, list[tuple[int, int]]]:
    """What a padding of the spatial dimensions gives, and the zeros that are left to pad with."""
    if border == "constant":
        x, rest = crop(b, x, [*_WHOLE, *padding])
        return x, rest[2:]
    return pad(b, x, [*_WHOLE, *padding], border), [(0, 0)] * len(padding)


def _bias(b: Builder, bias: Value, channels: int) -> list[Value]:
    """One number for each channel, or nothing for a literal zero."""
    if bias.data is not None and not bias.rank and not bias.data:
        return []
    size = math.prod(bias.shape)
    if bias.data is not None and size < channels:
        return [b.constant(bias.data.reshape(-1).repeat(channels))]
    return [expand(b, b.reshape(bias, (size,)), (channels,))]


def _biased(b: Builder, x: Value, bias: Value) -> Value:
    for added in _bias(b, bias, x.shape[1]):
        x = add(b, x, b.reshape(added, (1, x.shape[1], *[1] * (x.rank - 2))))
    return x


def _correlated(
    b: Builder,
    x: Value,
    filter: Value,
    slid: Window,
    rest: Padding,
    groups: int,
    shape: Sequence[int],
) -> Value:
    """A convolution as a product of matrices."""
    batch, channels, *extents = shape
    x = pad(b, x, [*_WHOLE, *rest], "constant")
    whole = Window(
        (1, 1, *slid.size), slid.border, (), (1, 1, *slid.stride), (1, 1, *slid.dilation)
    )
    items = windows(b, x, whole, (*x.shape[:2], *extents))
    inner = x.shape[1] // groups
    volume, count = math.prod(slid.size), math.prod(extents)
    items = b.reshape(items, (batch, groups, inner, count, volume))
    items = transpose(b, items, (0, 1, 2, 4, 3))
    items = b.reshape(items, (batch, groups, inner * volume, count))
    rows = b.reshape(filter, (1, groups, channels // groups, inner * volume))
    return b.reshape(matmul(b, rows, items), tuple(shape))


@lowering("deconv")
def deconv(
    b: Builder,
    input: Value,
    filter: Value,
    bias: Value,
    *,
    border: str,
    padding: Padding,
    stride: Ints,
    dilation: Ints,
    output_shape: Ints,
    groups: int,
) -> Value:
    """The reverse of `conv`: from the down-scaled space up, plus the bias of the channel."""
    groups = reverse_groups(filter.shape, groups, output_shape)
    inner = input.shape[2:]
    extents, slid = Window.of(filter.shape[2:], border, padding, stride, dilation).reversed(
        inner, output_shape[2:]
    )
    starts = [p for p, _ in slid.padding]
    x = input
    if border != "constant":
        extension = slid.reverse_extension(inner, extents)
        x = pad(b, x, [*_WHOLE, *extension], border)
        starts = [p + lo * s for p, (lo, _), s in zip(starts, extension, slid.stride, strict=True)]
    shape = (input.shape[0], filter.shape[1] * groups, *extents)
    if not b.has("ConvTranspose", x):
        return _biased(b, _reversed(b, x, filter, slid, starts, groups, shape), bias)
    weights = filter
    if not extents:
        x, weights = b.reshape(x, (*x.shape, 1)), b.reshape(filter, (*filter.shape, 1))
        slid, starts = Window.of_cells((1,)), [0]
    wanted = extents or (1,)
    return b.reshape(_spread(b, x, weights, bias, slid, starts, wanted, groups), shape)


def _spread(
    b: Builder,
    x: Value,
    filter: Value,
    bias: Value,
    slid: Window,
    starts: Ints,
    wanted: Ints,
    groups: int,
) -> Value:
    """One `ConvTranspose`, and zeros where the output reaches farther than its terms."""
    full = [(e - 1) * s + f for e, s, f in zip(x.shape[2:], slid.stride, slid.span, strict=True)]
    ends = [t - start - X for t, start, X in zip(full, starts, wanted, strict=True)]
    cut = [(max(p, 0), max(q, 0)) for p, q in zip(starts, ends, strict=True)]
    missing = [(max(-p, 0), max(-q, 0)) for p, q in zip(starts, ends, strict=True)]
    more = [0] * len(full)
    if all(p == 0 and q < s for (p, q), s in zip(missing, slid.stride, strict=True)):
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
        strides=slid.stride,
        dilations=slid.dilation,
        output_padding=more,
        group=groups,
    )
    result = pad(b, result, [*_WHOLE, *missing], "constant")
    return result if within else _biased(b, result, bias)


def _reversed(
    b: Builder,
    x: Value,
    filter: Value,
    slid: Window,
    starts: Ints,
    groups: int,
    shape: Sequence[int],
) -> Value:
    """A deconvolution as a convolution of the input with zeros in between, the filter turned."""
    padding = []
    for axis, (s, f, start) in enumerate(zip(slid.stride, slid.span, starts, strict=True), 2):
        extent = x.shape[axis]
        if s > 1:
            places = np.full((extent - 1) * s + 1, extent)
            places[::s] = np.arange(extent)
            x = pad(b, x, [(0, int(a == axis)) for a in range(x.rank)], "constant")
            x = take(b, x, places, axis)
        padding.append((f - 1 - start, shape[axis] + start - x.shape[axis]))
    inner, results = filter.shape[0] // groups, filter.shape[1]
    turned = sliced(b, filter, {a: (filter.shape[a] - 1, -1, -1) for a in range(2, filter.rank)})
    turned = b.reshape(turned, (groups, inner, results, math.prod(slid.size)))
    turned = transpose(b, turned, (0, 2, 1, 3))
    turned = b.reshape(turned, (groups * results, inner, *slid.size))
    single = replace(slid, padding=(), stride=(1,) * len(slid.size))
    x, rest = crop(b, x, [*_WHOLE, *padding])
    return _correlated(b, x, turned, single, rest[2:], groups, shape)


@lowering("separable_conv")
def separable_conv(
    b: Builder,
    input: Value,
    plane_filter: Value,
    point_filter: Value,
    bias: Value,
    *,
    groups: int,
    **attribs: Any,
) -> Value:
    """A depthwise `conv` with `plane_filter`, then one with `point_filter` and `bias`."""
    filtered = conv(b, input, plane_filter, b.number(0.0, input), groups=0, **attribs)
    return conv(b, filtered, point_filter, bias, groups=groups, **_POINT)


@lowering("separable_deconv")
def separable_deconv(
    b: Builder,
    input: Value,
    plane_filter: Value,
    point_filter: Value,
    bias: Value,
    *,
    groups: int,
    **attribs: Any,
) -> Value:
    """A `deconv` with `point_filter`, then a depthwise one with `plane_filter` and `bias`."""
    zero = b.number(0.0, input)
    filtered = deconv(b, input, point_filter, zero, groups=groups, output_shape=[], **_POINT)
    return deconv(b, filtered, plane_filter, bias, groups=0, **attribs)


_POINT: dict[str, Any] = {"border": "constant", "padding": [], "stride": [], "dilation": []}
