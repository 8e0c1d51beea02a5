"""Spatial layers of channels-last frameworks: convolution, pooling, resizing (4.3).

Inputs and results have their channels as the last axis; the operation itself is written between
two transpositions, which `exchange.layout` removes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

import numpy as np

from nnefkit.arrays import Padding
from nnefkit.exchange.call import OperatorCall
from nnefkit.exchange.compositions.resampling import resized_image
from nnefkit.exchange.refusal import refuse
from nnefkit.exchange.reshaping import reshaped, to_scalar, transposed
from nnefkit.exchange.source_value import Value

F = np.float32


def channels_first(c: OperatorCall, x: Value) -> Value:
    """Return a tensor whose last axis is the channels with these after the batch."""
    return transposed(c, x, [0, x.rank - 1, *range(1, x.rank - 1)])


def channels_last(c: OperatorCall, x: Value) -> Value:
    """Return a tensor whose second axis is the channels with these as the last axis."""
    return transposed(c, x, [0, *range(2, x.rank), 1])


def bias_row(c: OperatorCall, bias: Value | None, channels: int) -> list[Value]:
    """Return a bias as ``[1, C]``, in a list; an empty one if there is none, or only zeros.

    Raises:
        Refusal: It does not have one element for each channel.
    """
    if bias is None or (bias.data is not None and not bias.data.any()):
        return []
    if prod(bias.shape) != channels:
        refuse(f"its bias has the shape {[*bias.shape]} for {channels} channels", c.invalid_hint)
    return [reshaped(c, to_scalar(c, bias), (1, channels))]


# -- windows ---------------------------------------------------------------------------------------


def same_padding(
    extents: Sequence[int],
    size: Sequence[int],
    stride: Sequence[int],
    dilation: Sequence[int] | None = None,
) -> Padding:
    """Return the padding along each axis that the outputs need, more of it at the end.

    Args:
        extents: The spatial extents of the input.
        size: The extents of the window.
        stride: Its steps.
        dilation: Its dilations; 1 by default.
    """
    spans = [(n - 1) * d + 1 for n, d in zip(size, dilation or [1] * len(size), strict=True)]
    padding = []
    for extent, span, step in zip(extents, spans, stride, strict=True):
        total = max((-(-extent // step) - 1) * step + span - extent, 0)
        padding.append((total // 2, total - total // 2))
    return padding


# -- convolution -----------------------------------------------------------------------------------


def convolution(
    c: OperatorCall,
    x: Value,
    filters: Value,
    bias: Value | None,
    *,
    padding: Padding,
    stride: Sequence[int],
    dilation: Sequence[int],
) -> Value:
    """Return `conv` of a channels-last tensor.

    Args:
        c: The call of the operator.
        x: The input; the number of groups follows from its channels and those of the filters.
        filters: The filters, of shape (outputs, inputs of a group, ...).
        bias: One number for each output channel.
        padding: The padding of each spatial axis.
        stride: The steps.
        dilation: The dilations.

    Raises:
        Refusal: The filters have other channels than the input.
    """
    channels, (outputs, inputs) = x.shape[-1], filters.shape[:2]
    if channels % inputs or outputs % (channels // inputs):
        refuse(f"its filters have {inputs} channels, its input {channels}", c.invalid_hint)
    groups = channels // inputs
    result = c.op(
        "conv",
        channels_first(c, x),
        filters,
        *bias_row(c, bias, outputs),
        padding=padding,
        stride=[*stride],
        dilation=[*dilation],
        # 0 stands for depthwise (4.3.1).
        groups=0 if groups == channels > 1 else groups,
    )
    return channels_last(c, result)


def transposed_convolution(
    c: OperatorCall,
    x: Value,
    filters: Value,
    bias: Value | None,
    *,
    extents: Sequence[int],
    padding: Padding,
    stride: Sequence[int],
    dilation: Sequence[int],
) -> Value:
    """Return `deconv` of a channels-last tensor.

    Args:
        c: The call of the operator.
        x: The input.
        filters: The filters, of shape (inputs, outputs, ...).
        bias: One number for each output channel.
        extents: The spatial extents of the output.
        padding: The padding of the convolution from the output to the input; what is cut off at
            the end follows from the extents.
        stride: The steps.
        dilation: The dilations.

    Raises:
        Refusal: The filters have other channels than the input.
    """
    inputs, outputs = filters.shape[:2]
    if inputs != x.shape[-1]:
        refuse(f"its filters have {inputs} channels, its input {x.shape[-1]}", c.invalid_hint)
    reached = [
        step * (n - 1) + (k - 1) * d + 1 - before
        for n, step, k, d, (before, _) in zip(
            x.shape[1:-1], stride, filters.shape[2:], dilation, padding, strict=True
        )
    ]
    cut = [max(full - extent, 0) for full, extent in zip(reached, extents, strict=True)]
    # Beyond the filters, the output is 0.
    beyond = [max(extent - full, 0) for full, extent in zip(reached, extents, strict=True)]
    row = bias_row(c, bias, outputs)
    result = c.op(
        "deconv",
        channels_first(c, x),
        filters,
        *([] if any(beyond) else row),
        padding=[(before, after) for (before, _), after in zip(padding, cut, strict=True)],
        stride=[*stride],
        dilation=[*dilation],
    )
    if any(beyond):
        result = c.op("pad", result, padding=[(0, 0), (0, 0), *((0, rest) for rest in beyond)])
        result = c.op("add", result, *row) if row else result
    if result.shape[2:] != tuple(extents):
        refuse(f"its output has the extents {[*extents]}, which its input lacks", c.invalid_hint)
    return channels_last(c, result)


# -- pooling ---------------------------------------------------------------------------------------


def pooled(
    c: OperatorCall,
    pooling: str,
    x: Value,
    *,
    size: Sequence[int],
    stride: Sequence[int],
    padding: Padding,
) -> Value:
    """Return `avg_pool`, `max_pool` or `rms_pool` of a channels-last tensor.

    Elements outside of the input do not count.
    """
    is_padded = any(before or after for before, after in padding)
    result = c.op(
        pooling,
        channels_first(c, x),
        size=[1, 1, *size],
        border="ignore" if is_padded or pooling == "max_pool" else "constant",
        padding=[(0, 0), (0, 0), *padding],
        stride=[1, 1, *stride],
    )
    return channels_last(c, result)


# -- normalization ---------------------------------------------------------------------------------


def local_response(
    c: OperatorCall, x: Value, radius: int, *, alpha: float, beta: float, bias: float
) -> Value:
    """Return `local_response_normalization` of a channels-last tensor over its channels.

    NNEF divides the sum of squares by the size of the window, and TensorFlow does not.

    Args:
        c: The call of the operator.
        x: The tensor.
        radius: The number of neighbors on either side.
        alpha: The factor of the sum of squares.
        beta: The exponent.
        bias: What is added to the sum.

    Raises:
        Refusal: The radius is negative.
    """
    if radius < 0:
        refuse(f"its radius is {radius}", c.invalid_hint)
    # Windows beyond all channels are all of them, in part.
    size = 2 * min(radius, x.shape[-1] - 1) + 1
    result = c.op(
        "local_response_normalization",
        channels_first(c, x),
        size=[1, size, 1, 1],
        alpha=c.decimal(alpha * size),
        beta=c.decimal(beta),
        bias=c.decimal(bias),
    )
    return channels_last(c, result)


# -- resizing --------------------------------------------------------------------------------------


def resized(
    c: OperatorCall,
    x: Value,
    extents: Sequence[int],
    *,
    nearest: bool = False,
    align_corners: bool = False,
    half_pixel_centers: bool = False,
    name: str = "resize",
    take: Callable[[Sequence[int]], None] = lambda _: None,
) -> Value:
    """Return a channels-last tensor with its spatial axes resized; see `resized_image`."""
    if tuple(extents) == x.shape[1:-1]:
        return x
    image = resized_image(
        c,
        channels_first(c, x),
        extents,
        nearest=nearest,
        align_corners=align_corners,
        half_pixel_centers=half_pixel_centers,
        name=name,
        take=take,
    )
    return channels_last(c, image)
