"""Convolutions (4.3.1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod

import numpy as np

from nnefkit.exchange.compositions.overlap import OverlappedAxis, overlap_added
from nnefkit.exchange.onnx.call import Call, operator
from nnefkit.exchange.onnx.spatial_window import (
    Padding,
    SpatialWindow,
    check_kernel_shape,
    explicit_padding,
    halves,
    padding_mode,
    steps,
    window_of,
)
from nnefkit.exchange.reshaping import reshaped, to_scalar
from nnefkit.exchange.source_value import INTEGER, Value


@operator("Conv")
def conv(c: Call) -> Value:
    """Read `conv`."""
    return convolved(c, c.ranked(0, 3), c.ranked(1, 3), c.get(2))


def convolved(c: Call, x: Value, weight: Value, bias: Value | None = None) -> Value:
    """Return a convolution with the window of the node."""
    window = window_of(c, x.shape[2:], weight.shape[2:])
    groups = int(c.attribute("group", 1))
    return c.op(
        "conv",
        x,
        weight,
        *_bias(c, bias),
        padding=window.padding,
        stride=window.stride,
        dilation=window.dilation,
        # 0 stands for depthwise (4.3.1).
        groups=0 if groups == x.shape[1] > 1 else groups,
    )


def _bias(c: Call, bias: Value | None) -> list[Value]:
    """Return a bias as ``[1, C]``; none if it is 0."""
    if bias is None or (bias.data is not None and not bias.data.any()):
        return []
    return [reshaped(c, bias, (1, *bias.shape))]


@operator("ConvInteger")
def conv_integer(c: Call) -> Value:
    """Read a convolution of codes, computed as scalars, in which products of bytes are exact."""
    result = c.op("cast", convolved(c, _centered(c, 0), _centered(c, 1)), data_type=INTEGER)
    result.dtype = np.dtype(np.int32)
    return result


def _centered(c: Call, index: int) -> Value:
    """Return codes minus their zero point, which is one number or one for each filter."""
    x, zero = to_scalar(c, c[index]), c.get(index + 2)
    if zero is None:
        return x
    zero = to_scalar(c, zero)
    if zero.rank == 1 and zero.shape[0] > 1:
        zero = reshaped(c, zero, zero.shape + (1,) * (x.rank - 1))
    elif zero.rank:
        zero = reshaped(c, zero, ())
    return c.op("sub", x, zero)


# -- transposed convolutions -----------------------------------------------------------------------


@operator("ConvTranspose")
def conv_transpose(c: Call) -> Value:
    """Read `deconv`; its attribute `output_shape` expresses ONNX's output padding."""
    x, weight = c.ranked(0, 3), c.ranked(1, 3)
    window, extents = _transposed_window(c)
    shortest = [
        s * (n - 1) + span - p - q
        for n, s, span, (p, q) in zip(
            x.shape[2:], window.stride, window.span, window.padding, strict=True
        )
    ]
    # The output may extend beyond the filter: the rest is 0 before the bias is added.
    beyond = [
        max(extent - least - stride + 1, 0)
        for extent, least, stride in zip(extents, shortest, window.stride, strict=True)
    ]
    reached = [extent - rest for extent, rest in zip(extents, beyond, strict=True)]
    groups = int(c.attribute("group", 1))
    bias = _bias(c, c.get(2))
    result = c.op(
        "deconv",
        x,
        weight,
        *([] if any(beyond) else bias),
        padding=window.padding,
        stride=window.stride,
        dilation=window.dilation,
        output_shape=(
            [] if reached == shortest else [x.shape[0], weight.shape[1] * groups, *reached]
        ),
        groups=0 if groups == x.shape[1] > 1 and weight.shape[1] == 1 else groups,
    )
    if not any(beyond):
        return result
    result = c.op("pad", result, padding=[(0, 0), (0, 0), *((0, rest) for rest in beyond)])
    return c.op("add", result, *bias) if bias else result


def _transposed_window(c: Call) -> tuple[SpatialWindow, list[int]]:
    """Return the window of a transposed convolution, and the spatial extents of its output."""
    extents, size = c[0].shape[2:], c[1].shape[2:]
    count = len(extents)
    check_kernel_shape(c, size)
    stride, dilation = steps(c, "strides", count), steps(c, "dilations", count)
    window = SpatialWindow([*size], [(0, 0)] * count, stride, dilation)
    output_padding = [int(item) for item in c.attribute("output_padding") or [0] * count]
    full = [
        s * (n - 1) + extra + span
        for n, s, extra, span in zip(extents, stride, output_padding, window.span, strict=True)
    ]
    padding, outputs = _transposed_padding(c, extents, stride, full)
    return replace(window, padding=padding), outputs


def _transposed_padding(
    c: Call, extents: Sequence[int], stride: Sequence[int], full: Sequence[int]
) -> tuple[Padding, list[int]]:
    """Return what is cut off the full output at both ends, and the extents of the rest."""
    mode, wanted = padding_mode(c), c.attribute("output_shape")
    padding = explicit_padding(c, len(extents))
    if padding is not None and not wanted:
        return padding, [n - p - q for n, (p, q) in zip(full, padding, strict=True)]
    if wanted:
        outputs = [int(extent) for extent in wanted[-len(full) :]]
    else:
        outputs = [n * s for n, s in zip(extents, stride, strict=True)]
    is_longer = any(n < m for n, m in zip(full, outputs, strict=True))
    if is_longer and (mode == "SAME_UPPER" or not wanted):
        c.refuse(
            "its automatic padding would be negative",
            "Set explicit pads and output_padding.",
        )
    padding = [halves(max(n - m, 0), mode) for n, m in zip(full, outputs, strict=True)]
    return padding, outputs


@operator("Col2Im")
def column_to_image(c: Call) -> Value:
    """Read a sum of overlapping blocks; each column is a block, each element of it a channel."""
    x = c[0]
    image, block = c.ints("image_shape", 1) or [], c.ints("block_shape", 2) or []
    count, volume = len(image), prod(block)
    padding = explicit_padding(c, count) or []
    window = SpatialWindow(block, padding, steps(c, "strides", count), steps(c, "dilations", count))
    axes = [
        OverlappedAxis(extent, before, stride, dilation)
        for extent, (before, _), stride, dilation in zip(
            image, padding, window.stride, window.dilation, strict=True
        )
    ]
    grid = [
        (n + p + q - span) // s + 1
        for n, (p, q), span, s in zip(image, padding, window.span, window.stride, strict=True)
    ]
    channels = x.shape[1] // volume
    summed = overlap_added(c, reshaped(c, x, (x.shape[0] * channels, *block, *grid)), axes)
    return reshaped(c, summed, (x.shape[0], channels, *image))
