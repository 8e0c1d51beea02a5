"""Deconvolution (4.3.1), and its separable form (4.9.2)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nnefkit.arrays import Ints
from nnefkit.execution.engines.litert.borders import pad
from nnefkit.execution.engines.litert.builder import TfliteBuilder, TfliteValue
from nnefkit.execution.engines.litert.images import (
    VALID,
    as_plane,
    plane_shape,
    strides,
    with_zeros,
)
from nnefkit.execution.engines.litert.lowerings import lowering
from nnefkit.execution.engines.litert.operations.convolution import biased, channel_bias, conv
from nnefkit.execution.engines.litert.primitives import transpose
from nnefkit.operations.filter_rules import reverse_groups
from nnefkit.operations.window import Window, automatic_padding


@lowering("deconv")
def deconv(
    b: TfliteBuilder,
    input: TfliteValue,
    filter: TfliteValue,
    bias: TfliteValue,
    *,
    window: Window,
    output_shape: Ints,
    groups: int,
) -> TfliteValue:
    """Return the reverse of a convolution in each group, plus the channel's bias."""
    inner = input.shape[1:-1]
    extents, window = window.of_size(filter.shape[2:]).reversed(inner, output_shape[2:])
    groups = reverse_groups(filter.shape, groups, output_shape)
    shape = (input.shape[0], *extents, filter.shape[1] * groups)
    if window.border != "constant":
        extension = window.reverse_extension(inner, extents)
        input = pad(b, input, [(0, 0), *extension, (0, 0)], window.border)  # noqa: A001
        padding = tuple(
            (p + low * s, q + high * s)
            for (p, q), (low, high), s in zip(window.padding, extension, window.stride, strict=True)
        )
        window = replace(window, border="constant", padding=padding)
    if groups > 1 or max(window.dilation, default=1) > 1 or len(extents) > 2:
        return _spread(b, input, filter, bias, window, extents, groups)
    x, window = as_plane(b, input, window)
    weights = b.reshape(filter, (*filter.shape[:2], *(1,) * (4 - filter.rank), *filter.shape[2:]))
    kernel = transpose(b, weights, [1, 2, 3, 0])
    return b.reshape(_plane(b, x, kernel, bias, window, plane_shape(shape)), shape)


def _plane(
    b: TfliteBuilder,
    x: TfliteValue,
    kernel: TfliteValue,
    bias: TfliteValue,
    window: Window,
    shape: tuple[int, ...],
) -> TfliteValue:
    automatic = tuple(
        automatic_padding(*each)
        for each in zip(shape[1:-1], window.span, window.stride, strict=True)
    )
    whole = tuple(-(-e // s) for e, s in zip(shape[1:-1], window.stride, strict=True))
    inputs = [b.ints(*shape), kernel, x]
    if window.padding == automatic and whole == x.shape[1:-1]:
        inputs.append(channel_bias(b, bias, shape[-1]))
        return b.op("TRANSPOSE_CONV", inputs, shape, x.dtype, Padding=0, **strides(window))
    full = tuple(
        (n - 1) * s + span
        for n, s, span in zip(x.shape[1:-1], window.stride, window.span, strict=True)
    )
    cut = [
        (-before, extent - (reached - before))
        for extent, reached, (before, _) in zip(shape[1:-1], full, window.padding, strict=True)
    ]
    grows = any(after > 0 or before > 0 for before, after in cut)
    inputs[0] = b.ints(shape[0], *full, shape[-1])
    if not grows:
        inputs.append(channel_bias(b, bias, shape[-1]))
    result = b.op(
        "TRANSPOSE_CONV",
        inputs,
        (shape[0], *full, shape[-1]),
        x.dtype,
        Padding=VALID,
        **strides(window),
    )
    result = pad(b, result, [(0, 0), *cut, (0, 0)], "constant")
    return biased(b, result, bias) if grows else result


def _spread(
    b: TfliteBuilder,
    x: TfliteValue,
    filter: TfliteValue,
    bias: TfliteValue,
    window: Window,
    extents: tuple[int, ...],
    groups: int,
) -> TfliteValue:
    """Return a deconvolution as a convolution of the input with zeros between its elements."""
    spread = with_zeros(b, x, (1, *window.stride))
    padding = []
    for n, extent, span, (before, _) in zip(
        spread.shape[1:-1], extents, window.span, window.padding, strict=True
    ):
        start = span - 1 - before
        padding.append((start, extent + span - 1 - n - start))
    spatial = tuple(range(2, filter.rank))
    parts = filter.shape[0] // groups
    # (c, C / groups, ...) with all axes of the window reversed becomes (C, c / groups, ...).
    turned = np.flip(np.asarray(filter.data), spatial)
    turned = turned.reshape(groups, parts, *filter.shape[1:]).swapaxes(1, 2)
    outputs = groups * filter.shape[1]
    weights = b.constant(np.ascontiguousarray(turned.reshape(outputs, parts, *filter.shape[2:])))
    forward = Window(
        window.size,
        "constant",
        tuple(padding),
        (1,) * len(extents),
        window.dilation,
    )
    return conv(b, spread, weights, bias, window=forward, groups=groups)


@lowering("separable_deconv")
def separable_deconv(
    b: TfliteBuilder,
    input: TfliteValue,
    plane_filter: TfliteValue,
    point_filter: TfliteValue,
    bias: TfliteValue,
    *,
    window: Window,
    output_shape: Ints,
    groups: int,
) -> TfliteValue:
    """Return a pointwise deconvolution followed by a depthwise one."""
    rank = input.rank
    point = Window((), "constant", ((0, 0),) * (rank - 2), (1,) * (rank - 2), (1,) * (rank - 2))
    zero = b.constant(0.0, input.dtype)
    planes = deconv(b, input, point_filter, zero, window=point, output_shape=[], groups=groups)
    return deconv(b, planes, plane_filter, bias, window=window, output_shape=output_shape, groups=0)
