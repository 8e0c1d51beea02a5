"""Convolutions (4.3.1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nnefkit.arrays import Padding
from nnefkit.exchange.channels_last import convolution, same_padding, transposed_convolution
from nnefkit.exchange.reshaping import reshaped, to_scalar, transposed
from nnefkit.exchange.source_value import Value
from nnefkit.exchange.tensorflow.call import Call, operator


def padding_of(
    c: Call,
    extents: Sequence[int],
    size: Sequence[int],
    stride: Sequence[int],
    dilation: Sequence[int] | None = None,
) -> Padding:
    """Return the padding along each spatial axis."""
    mode = c.option("padding", "")
    if mode == "SAME":
        return same_padding(extents, size, stride, dilation)
    if mode == "VALID":
        return [(0, 0) for _ in size]
    given = [int(n) for n in c.option("explicit_paddings", [])]
    if mode != "EXPLICIT" or len(given) != 2 * len(size) + 4 or min(given) < 0:
        c.invalid(f"its padding is '{mode}' {given or ''}".rstrip())
    pairs = [*zip(given[::2], given[1::2], strict=True)]
    return [*c.inner(pairs)]


@operator("Conv2D", "Conv3D")
def conv(c: Call) -> Value:
    """Read `conv`; the filters are transposed once."""
    rank = 4 if c.operator == "Conv2D" else 5
    filters = transposed(c, c.ranked(1, rank), [rank - 1, rank - 2, *range(rank - 2)])
    return _convolved(c, rank, filters)


@operator("DepthwiseConv2dNative")
def depthwise(c: Call) -> Value:
    """Read `conv` with one group for each channel, and several filters in it."""
    height, width, channels, multiplier = c.ranked(1, 4).shape
    shape = channels * multiplier, 1, height, width
    return _convolved(c, 4, reshaped(c, transposed(c, c[1], [2, 3, 0, 1]), shape))


def _convolved(c: Call, rank: int, filters: Value) -> Value:
    x = to_scalar(c, c.channels_last(0, rank))
    stride, dilation = c.window("strides", rank), c.window("dilations", rank)
    padding = padding_of(c, x.shape[1:-1], filters.shape[2:], stride, dilation)

    def layer(bias: Value | None) -> Value:
        options: Any = {"padding": padding, "stride": stride, "dilation": dilation}
        return c.as_given(convolution(c, x, filters, bias, **options))

    return c.taking_bias(layer(None), _channel_axis(c, rank), layer)


def _channel_axis(c: Call, rank: int) -> int:
    return 1 if c.is_channels_first else rank - 1


@operator("Conv2DBackpropInput", "Conv3DBackpropInputV2")
def deconv(c: Call) -> Value:
    """Read `deconv`; the shape of its output is an input."""
    rank = 4 if c.operator == "Conv2DBackpropInput" else 5
    filters = transposed(c, c.ranked(1, rank), [rank - 1, rank - 2, *range(rank - 2)])
    x, shape = c.channels_last(2, rank), c.ints(0, "output shape")
    if len(shape) == 2:  # Newer graphs may state the spatial extents alone.
        shape = [x.shape[0], *shape, filters.shape[1]]
        extents: Sequence[int] = shape[1:-1]
    elif len(shape) != rank:
        c.invalid(f"its output shape is {shape}")
    else:
        extents = c.inner(shape)
        channels = shape[1 if c.is_channels_first else -1]
        if shape[0] != x.shape[0] or channels != filters.shape[1]:
            c.invalid(f"its output shape is {shape}, for an input of {[*x.shape]}")
    if min(extents) < 1:
        c.invalid(f"its output shape is {shape}")
    stride, dilation = c.window("strides", rank), c.window("dilations", rank)
    padding = padding_of(c, extents, filters.shape[2:], stride, dilation)

    def layer(bias: Value | None) -> Value:
        options: Any = {"padding": padding, "stride": stride, "dilation": dilation}
        result = transposed_convolution(c, x, filters, bias, extents=extents, **options)
        return c.as_given(result)

    return c.taking_bias(layer(None), _channel_axis(c, rank), layer)
