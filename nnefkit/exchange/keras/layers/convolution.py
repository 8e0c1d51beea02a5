"""Convolutions (4.3.1)."""

from __future__ import annotations

from collections.abc import Sequence

from nnefkit.arrays import Padding
from nnefkit.exchange.channels_last import (
    convolution,
    same_padding,
    transposed_convolution,
)
from nnefkit.exchange.keras.call import Call, layer
from nnefkit.exchange.keras.layers.activation import activated
from nnefkit.exchange.keras.layers.spatial import dimensions, spatial
from nnefkit.exchange.keras.options import INVALID
from nnefkit.exchange.refusal import refuse
from nnefkit.exchange.reshaping import reshaped, transposed
from nnefkit.exchange.source_value import Value


def _kernel(c: Call, name: str, count: int, axes: Sequence[int]) -> Value:
    """Return a kernel with its axes in the order of NNEF; its extents must be as stated."""
    value = c.weight(name)
    size = c.options.positive("kernel_size", count)
    if value.rank != count + 2 or value.shape[:count] != tuple(size):
        refuse(f"its weight '{name}' is {[*value.shape]} for windows of {size}", INVALID)
    return transposed(c, value, axes)


def padding_of(
    c: Call,
    extents: Sequence[int],
    size: Sequence[int],
    stride: Sequence[int],
    dilation: Sequence[int],
) -> Padding:
    """Return the padding that the layer states by a word."""
    mode = c.options.text("padding", "valid", "valid", "same", "causal")
    if mode == "same":
        return same_padding(extents, size, stride, dilation)
    if mode == "causal":
        return [((k - 1) * d, 0) for k, d in zip(size, dilation, strict=True)]
    return [(0, 0) for _ in size]


@layer("Conv1D", "Conv2D", "Conv3D")
def conv(c: Call) -> Value:
    """Read `conv`; the kernel is transposed once."""
    count = dimensions(c)
    kernel = _kernel(c, "kernel", count, [count + 1, count, *range(count)])
    c.options.get("filters")
    groups = c.options.integer("groups", 1)
    bias = c.optional("bias", "use_bias")
    stride = c.options.positive("strides", count, 1)
    dilation = c.options.positive("dilation_rate", count, 1)

    def read(x: Value) -> Value:
        if kernel.shape[1] * groups != x.shape[-1]:
            refuse(f"it has {groups} groups for {x.shape[-1]} channels", INVALID)
        padding = padding_of(c, x.shape[1:-1], kernel.shape[2:], stride, dilation)
        return convolution(c, x, kernel, bias, padding=padding, stride=stride, dilation=dilation)

    return activated(c, spatial(c, count, read), c.options.get("activation"), c.name)


def _depthwise(c: Call, count: int, x: Value, kernel: Value, bias: Value | None) -> Value:
    """Return a convolution with one group for each channel, and several filters in it."""
    stride = c.options.positive("strides", count, 1)
    dilation = c.options.positive("dilation_rate", count, 1)
    channels, multiplier, *size = kernel.shape
    if channels != x.shape[-1]:
        refuse(f"its kernel has {channels} channels, its input {x.shape[-1]}", INVALID)
    single = reshaped(c, kernel, (channels * multiplier, 1, *size))
    padding = padding_of(c, x.shape[1:-1], size, stride, dilation)
    return convolution(c, x, single, bias, padding=padding, stride=stride, dilation=dilation)


@layer("DepthwiseConv1D", "DepthwiseConv2D")
def depthwise_conv(c: Call) -> Value:
    """Read `conv` with one group for each channel."""
    count = dimensions(c)
    kernel = _kernel(c, "kernel", count, [count, count + 1, *range(count)])
    for option in ("depth_multiplier", "filters", "groups"):
        c.options.get(option)
    bias = c.optional("bias", "use_bias")
    result = spatial(c, count, lambda x: _depthwise(c, count, x, kernel, bias))
    return activated(c, result, c.options.get("activation"), c.name)


@layer("SeparableConv1D", "SeparableConv2D")
def separable_conv(c: Call) -> Value:
    """Read a depthwise `conv`, and one of single pixels."""
    count = dimensions(c)
    kernel = _kernel(c, "depthwise_kernel", count, [count, count + 1, *range(count)])
    pointwise = transposed(c, c.weight("pointwise_kernel"), [count + 1, count, *range(count)])
    for option in ("depth_multiplier", "filters", "groups"):
        c.options.get(option)
    bias = c.optional("bias", "use_bias")
    ones = [1] * count

    def read(x: Value) -> Value:
        inner = _depthwise(c, count, x, kernel, None)
        return convolution(
            c, inner, pointwise, bias, padding=[(0, 0)] * count, stride=ones, dilation=ones
        )

    return activated(c, spatial(c, count, read), c.options.get("activation"), c.name)


@layer("Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose")
def conv_transpose(c: Call) -> Value:
    """Read `deconv`."""
    count = dimensions(c)
    kernel = _kernel(c, "kernel", count, [count + 1, count, *range(count)])
    for option in ("filters", "groups"):
        c.options.get(option)
    bias = c.optional("bias", "use_bias")
    stride = c.options.positive("strides", count, 1)
    dilation = c.options.positive("dilation_rate", count, 1)
    more = c.options.get("output_padding")
    added = None if more is None else c.options.integers("output_padding", count)
    is_same = c.options.text("padding", "valid", "valid", "same") == "same"
    spans = [(k - 1) * d + 1 for k, d in zip(kernel.shape[2:], dilation, strict=True)]

    def read(x: Value) -> Value:
        inner = x.shape[1:-1]
        extents = [
            _extent(n, span, step, None if added is None else added[i], is_same=is_same)
            for i, (n, span, step) in enumerate(zip(inner, spans, stride, strict=True))
        ]
        padding: Padding = [(0, 0)] * count
        if is_same:
            padding = same_padding(extents, kernel.shape[2:], stride, dilation)
        return transposed_convolution(
            c,
            x,
            kernel,
            bias,
            extents=extents,
            padding=padding,
            stride=stride,
            dilation=dilation,
        )

    return activated(c, spatial(c, count, read), c.options.get("activation"), c.name)


def _extent(n: int, span: int, step: int, added: int | None, *, is_same: bool) -> int:
    """Return the extent of the result of a transposed convolution."""
    if is_same:
        return n * step if added is None else (n - 1) * step + span % 2 + added
    return (n - 1) * step + span + (max(span, step) - span if added is None else added)
