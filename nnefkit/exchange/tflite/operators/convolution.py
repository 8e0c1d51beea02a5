"""Convolutions (4.3.1): from channels last to channels first, and back."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from nnefkit.arrays import Padding
from nnefkit.exchange.reshaping import reshaped, transposed
from nnefkit.exchange.source_value import Value
from nnefkit.exchange.tflite.call import (
    INVALID,
    Call,
    bias_row,
    channels_first,
    channels_last,
    operator,
)

SAME = 0
"""The number of the padding mode in which the output covers the input."""


def padding_of(
    c: Call,
    extents: Sequence[int],
    size: Sequence[int],
    stride: Sequence[int],
    dilation: Sequence[int] | None = None,
) -> Padding:
    """Return the padding along each axis: none, or what the outputs need, more of it at the end."""
    mode = int(c.option("padding"))
    if mode not in (SAME, 1):
        c.refuse(f"its padding has the number {mode}", INVALID)
    spans = [(n - 1) * d + 1 for n, d in zip(size, dilation or [1] * len(size), strict=True)]
    padding = []
    for extent, span, step in zip(extents, spans, stride, strict=True):
        total = max((-(-extent // step) - 1) * step + span - extent, 0) if mode == SAME else 0
        padding.append((total // 2, total - total // 2))
    return padding


def _window(c: Call, axes: str) -> tuple[list[int], list[int]]:
    """Return strides and dilations of the axes, which the format names by letters."""
    stride = c.positive(*(f"stride_{axis}" for axis in axes))
    dilation = [int(c.option(f"dilation_{axis}_factor", 1)) for axis in axes]
    if min(dilation) < 1:
        c.refuse(f"its dilation is {dilation}", INVALID)
    return stride, dilation


@operator("CONV_2D")
def conv_2d(c: Call) -> Value:
    """Read `conv`; the filters are transposed once."""
    x, weight = c.ranked(0, 4), c.ranked(1, 4)
    return _convolved(c, x, transposed(c, weight, [0, 3, 1, 2]), "hw")


@operator("CONV_3D")
def conv_3d(c: Call) -> Value:
    """Read `conv` of volumes."""
    x, weight = c.ranked(0, 5), c.ranked(1, 5)
    return _convolved(c, x, transposed(c, weight, [4, 3, 0, 1, 2]), "dhw")


def _convolved(c: Call, x: Value, weight: Value, axes: str) -> Value:
    """Return a convolution with filters of shape (outputs, inputs of a group, ...)."""
    channels, inputs = x.shape[-1], weight.shape[1]
    if channels % inputs or weight.shape[0] % (channels // inputs):
        c.refuse(f"its filters have {inputs} channels, its input {channels}", INVALID)
    stride, dilation = _window(c, axes)
    groups = channels // inputs
    result = c.op(
        "conv",
        channels_first(c, x),
        weight,
        *bias_row(c, 2, weight.shape[0]),
        padding=padding_of(c, x.shape[1:-1], weight.shape[2:], stride, dilation),
        stride=stride,
        dilation=dilation,
        # 0 stands for depthwise (4.3.1).
        groups=0 if groups == channels > 1 else groups,
    )
    return c.activated(channels_last(c, result))


@operator("DEPTHWISE_CONV_2D")
def depthwise_conv_2d(c: Call) -> Value:
    """Read `conv` with one group for each channel, and several filters in it."""
    x, weight = c.ranked(0, 4), c.ranked(1, 4)
    _, height, width, outputs = weight.shape
    channels = x.shape[-1]
    if weight.shape[0] != 1 or outputs % channels:
        c.refuse(f"its filters have {outputs} channels, its input {channels}", INVALID)
    stride, dilation = _window(c, "hw")
    result = c.op(
        "conv",
        channels_first(c, x),
        reshaped(c, transposed(c, weight, [3, 0, 1, 2]), (outputs, 1, height, width)),
        *bias_row(c, 2, outputs),
        padding=padding_of(c, x.shape[1:-1], (height, width), stride, dilation),
        stride=stride,
        dilation=dilation,
        groups=0 if channels > 1 else 1,
    )
    return c.activated(channels_last(c, result))


@operator("TRANSPOSE_CONV")
def transpose_conv(c: Call) -> Value:
    """Read `deconv`; the shape of its output is an input."""
    weight, x = c.ranked(1, 4), c.ranked(2, 4)
    shape = c.ints(0, "output shape")
    return _transposed_convolved(c, shape, transposed(c, weight, [3, 0, 1, 2]), x, "hw")


@operator("CONV_3D_TRANSPOSE")
def conv_3d_transpose(c: Call) -> Value:
    """Read `deconv` of volumes."""
    weight, x = c.ranked(1, 5), c.ranked(2, 5)
    shape = c.ints(0, "output shape")
    return _transposed_convolved(c, shape, transposed(c, weight, [4, 3, 0, 1, 2]), x, "dhw")


def _transposed_convolved(
    c: Call, shape: Sequence[int], weight: Value, x: Value, axes: str
) -> Value:
    """Return a transposed convolution with filters of shape (inputs, outputs, ...)."""
    inputs, outputs = weight.shape[:2]
    is_shape = len(shape) == x.rank and shape[0] == x.shape[0] and shape[-1] == outputs
    if not is_shape or inputs != x.shape[-1]:
        c.refuse(
            f"its output shape is {[*shape]}, for {inputs} input and {outputs} output channels",
            INVALID,
        )
    stride, dilation = _window(c, axes)
    extents, size = [*shape[1:-1]], weight.shape[2:]
    padding = padding_of(c, extents, size, stride, dilation)
    reached = [
        step * (n - 1) + (k - 1) * d + 1 - before
        for n, step, k, d, (before, _) in zip(
            x.shape[1:-1], stride, size, dilation, padding, strict=True
        )
    ]
    # What is cut off at the end follows from the extents; beyond the filters, the output is 0.
    cut = [max(full - extent, 0) for full, extent in zip(reached, extents, strict=True)]
    beyond = [max(extent - full, 0) for full, extent in zip(reached, extents, strict=True)]
    bias = bias_row(c, 3, outputs)
    padding = [(before, after) for (before, _), after in zip(padding, cut, strict=True)]
    result = c.op(
        "deconv",
        channels_first(c, x),
        weight,
        *([] if any(beyond) else bias),
        padding=padding,
        stride=stride,
        dilation=dilation,
    )
    if any(beyond):
        result = c.op("pad", result, padding=[(0, 0), (0, 0), *((0, rest) for rest in beyond)])
        result = c.op("add", result, *bias) if bias else result
    if prod(result.shape) != prod(shape):
        c.refuse(f"its output shape is {[*shape]}, which its input does not have", INVALID)
    return c.activated(channels_last(c, result))
