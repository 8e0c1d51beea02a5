"""Convolution (4.3.1), and its separable form (4.9.2)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nnefkit.execution.engines.litert.borders import pad
from nnefkit.execution.engines.litert.builder import TfliteBuilder, TfliteValue
from nnefkit.execution.engines.litert.images import (
    VALID,
    as_plane,
    dilations,
    padded,
    strides,
)
from nnefkit.execution.engines.litert.lowerings import lowering
from nnefkit.execution.engines.litert.primitives import add, expand, sliced, transpose
from nnefkit.operations.window import Window


@lowering("conv")
def conv(
    b: TfliteBuilder,
    input: TfliteValue,
    filter: TfliteValue,
    bias: TfliteValue,
    *,
    window: Window,
    groups: int,
) -> TfliteValue:
    """Return the correlation of `input` and `filter` in each group, plus the channel's bias."""
    extents = input.shape[1:-1]
    window = window.of_size(filter.shape[2:]).over(extents)
    shape = (input.shape[0], *window.down_extents(extents), filter.shape[0])
    groups = groups or input.shape[-1]
    if len(extents) == 3:
        return _volumes(b, input, filter, bias, window, groups)
    x, window = as_plane(b, input, window)
    x, mode, window = padded(b, x, window, is_same=window.border == "constant")
    weights = b.reshape(filter, (*filter.shape[:2], *(1,) * (4 - filter.rank), *filter.shape[2:]))
    return b.reshape(_plane(b, x, weights, bias, window, mode, groups), shape)


def _plane(
    b: TfliteBuilder,
    x: TfliteValue,
    weights: TfliteValue,
    bias: TfliteValue,
    window: Window,
    mode: int,
    groups: int,
) -> TfliteValue:
    """Return a convolution of planes that are padded already, but for the mode."""
    outputs = weights.shape[0]
    result = _extents(x, window, mode)
    shape = (x.shape[0], *result, outputs)
    added = channel_bias(b, bias, outputs)
    options = {"Padding": mode, **strides(window), **dilations(window)}
    if groups == x.shape[-1] and groups > 1:
        kernel = b.reshape(transpose(b, weights, [1, 2, 3, 0]), (1, *weights.shape[2:], outputs))
        options["DepthMultiplier"] = outputs // groups
        return b.op("DEPTHWISE_CONV_2D", [x, kernel, added], shape, **options)
    kernel = transpose(b, weights, [0, 2, 3, 1])
    return b.op("CONV_2D", [x, kernel, added], shape, **options)


def _extents(x: TfliteValue, window: Window, mode: int) -> tuple[int, ...]:
    if mode == VALID:
        window = replace(window, padding=((0, 0),) * len(window.size))
    return window.down_extents(x.shape[1:-1])


def _volumes(
    b: TfliteBuilder,
    x: TfliteValue,
    filter: TfliteValue,
    bias: TfliteValue,
    window: Window,
    groups: int,
) -> TfliteValue:
    """Return a convolution of volumes."""
    x = pad(b, x, [(0, 0), *window.padding, (0, 0)], window.border)
    window = replace(window, padding=((0, 0),) * 3)
    outputs, inputs = filter.shape[0] // groups, filter.shape[1]
    kernel = transpose(b, filter, [2, 3, 4, 1, 0])
    parts = []
    for group in range(groups):
        part = sliced(b, x, {4: (group * inputs, (group + 1) * inputs, 1)})
        start = group * outputs
        weights = _part(b, kernel, 4, start, start + outputs)
        added = channel_bias(b, bias, filter.shape[0])
        inputs_of = [part, weights, _part(b, added, 0, start, start + outputs)]
        shape = (x.shape[0], *window.down_extents(x.shape[1:-1]), outputs)
        parts.append(
            b.op(
                "CONV_3D",
                inputs_of,
                shape,
                Padding=VALID,
                StrideD=window.stride[0],
                DilationDFactor=window.dilation[0],
                **strides(window),
                **dilations(window),
            )
        )
    if len(parts) == 1:
        return parts[0]
    whole = (*parts[0].shape[:-1], filter.shape[0])
    return b.op("CONCATENATION", parts, whole, Axis=4)


def _part(b: TfliteBuilder, x: TfliteValue, axis: int, start: int, stop: int) -> TfliteValue:
    if stop - start == x.shape[axis]:
        return x
    if x.data is not None:
        indices = np.arange(start, stop)
        return b.constant(np.ascontiguousarray(np.take(x.data, indices, axis)))
    return sliced(b, x, {axis: (start, stop, 1)})


def channel_bias(b: TfliteBuilder, bias: TfliteValue, channels: int) -> TfliteValue:
    """Return a bias with an element for each channel."""
    flat = b.reshape(bias, (int(np.prod(bias.shape)),))
    if flat.data is not None and flat.shape != (channels,):
        return b.constant(flat.data.repeat(channels))
    return expand(b, flat, (channels,))


@lowering("separable_conv")
def separable_conv(
    b: TfliteBuilder,
    input: TfliteValue,
    plane_filter: TfliteValue,
    point_filter: TfliteValue,
    bias: TfliteValue,
    *,
    window: Window,
    groups: int,
) -> TfliteValue:
    """Return a depthwise convolution followed by a pointwise one."""
    planes = conv(b, input, plane_filter, b.constant(0.0, input.dtype), window=window, groups=0)
    point = Window((), "constant", ((0, 0),) * (input.rank - 2))
    return conv(b, planes, point_filter, bias, window=point, groups=groups)


def biased(b: TfliteBuilder, x: TfliteValue, bias: TfliteValue) -> TfliteValue:
    """Return a channels-last value plus the bias of each channel."""
    if bias.data is not None and not np.any(bias.data):
        return x
    row = channel_bias(b, bias, x.shape[-1])
    return add(b, x, b.reshape(row, (*(1,) * (x.rank - 1), x.shape[-1])))
