"""Convolutions (4.3.1): from channels last to channels first, and back."""

from __future__ import annotations

from collections.abc import Sequence

from nnefkit.arrays import Padding
from nnefkit.exchange.channels_last import convolution, same_padding, transposed_convolution
from nnefkit.exchange.reshaping import reshaped, transposed
from nnefkit.exchange.source_value import Value
from nnefkit.exchange.tflite.call import INVALID, Call, operator

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
    return same_padding(extents, size, stride, dilation) if mode == SAME else [(0, 0) for _ in size]


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


@operator("DEPTHWISE_CONV_2D")
def depthwise_conv_2d(c: Call) -> Value:
    """Read `conv` with one group for each channel, and several filters in it."""
    x, weight = c.ranked(0, 4), c.ranked(1, 4)
    _, height, width, outputs = weight.shape
    channels = x.shape[-1]
    if weight.shape[0] != 1 or outputs % channels:
        c.refuse(f"its filters have {outputs} channels, its input {channels}", INVALID)
    single = reshaped(c, transposed(c, weight, [3, 0, 1, 2]), (outputs, 1, height, width))
    return _convolved(c, x, single, "hw")


def _convolved(c: Call, x: Value, weight: Value, axes: str) -> Value:
    """Return a convolution with filters of shape (outputs, inputs of a group, ...)."""
    stride, dilation = _window(c, axes)
    padding = padding_of(c, x.shape[1:-1], weight.shape[2:], stride, dilation)
    result = convolution(c, x, weight, c.get(2), padding=padding, stride=stride, dilation=dilation)
    return c.activated(result)


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
    outputs = weight.shape[1]
    if len(shape) != x.rank or shape[0] != x.shape[0] or shape[-1] != outputs:
        c.refuse(
            f"its output shape is {[*shape]}, for {weight.shape[0]} input and {outputs} output "
            "channels",
            INVALID,
        )
    stride, dilation = _window(c, axes)
    extents = [*shape[1:-1]]
    result = transposed_convolution(
        c,
        x,
        weight,
        c.get(3),
        extents=extents,
        padding=padding_of(c, extents, weight.shape[2:], stride, dilation),
        stride=stride,
        dilation=dilation,
    )
    return c.activated(result)
