"""Spatial layers of channels-last frameworks: convolution, pooling, resizing (4.3).

Inputs and results have their channels as the last axis; the operation itself is written between
two transpositions, which `exchange.layout` removes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

import numpy as np

from nnefkit.arrays import Array, Padding
from nnefkit.exchange.call import OperatorCall
from nnefkit.exchange.compositions.resampling import ResizedAxis, interpolated, selected
from nnefkit.exchange.refusal import refuse
from nnefkit.exchange.reshaping import reshaped, to_scalar, transposed
from nnefkit.exchange.source_value import SCALAR, Value

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
    """Return a channels-last tensor with its spatial axes resized as TensorFlow resizes images.

    Args:
        c: The call of the operator.
        x: The tensor.
        extents: The new spatial extents.
        nearest: Whether the nearest element is selected; otherwise elements are interpolated.
        align_corners: Whether the first and the last elements keep their positions.
        half_pixel_centers: Whether the positions are those of the centers of elements.
        name: The stem of the labels of constants.
        take: Called with the shape of each constant before it is computed.

    Raises:
        Refusal: Integers are interpolated.
    """
    inner = [
        ResizedAxis(extent, new, float(F(new) / F(extent)), by_size=True)
        for extent, new in zip(x.shape[1:-1], extents, strict=True)
    ]
    if all(axis.is_unchanged for axis in inner):
        return x
    take(extents)
    grid = _Grid(align_corners, half_pixel_centers, nearest)
    axes = [ResizedAxis(n, n, 1.0) for n in (x.shape[0], x.shape[-1])] + inner
    positions = [grid.positions(axis) for axis in axes]
    image = channels_first(c, x)
    if nearest:
        indices = [grid.nearest(*pair) for pair in zip(axes, positions, strict=True)]
        return channels_last(c, selected(c, image, axes, indices, f"{name}.indices"))
    if x.data_type != SCALAR:
        refuse("it interpolates integers", "Cast them to float before.")

    def weights(number: int) -> Value:
        # With the columns and the shares that it is computed from.
        take((axes[number].extent + 12, axes[number].new_extent))
        matrix = _linear_weights(axes[number], positions[number])
        return c.graph.constant(matrix, name=f"{name}.matrix")

    method = "asymmetric"
    if align_corners:
        # The corners of a single new element are not aligned.
        method = "" if any(axis.new_extent == 1 for axis in inner) else "aligned"
    elif half_pixel_centers:
        method = "symmetric"
    return channels_last(c, interpolated(c, image, axes, weights, method=method))


class _Grid:
    """The positions of new elements among old ones."""

    def __init__(self, align_corners: bool, half_pixel_centers: bool, nearest: bool) -> None:
        self._align_corners = align_corners
        self._half_pixel_centers = half_pixel_centers
        self._nearest = nearest

    def positions(self, axis: ResizedAxis) -> Array:
        """Return the positions of the new elements of an axis, in float32."""
        index = np.arange(axis.new_extent, dtype=F)
        scale = F(axis.extent) / F(axis.new_extent)
        if self._align_corners and axis.new_extent > 1:
            scale = F(axis.extent - 1) / F(axis.new_extent - 1)
        if not self._half_pixel_centers:
            return np.asarray(index * scale)
        # A neighbor is selected by the center itself, a mean is weighted by distances to centers.
        shift = F(0) if self._nearest else F(0.5)
        return np.asarray((index + F(0.5)) * scale - shift)

    def nearest(self, axis: ResizedAxis, positions: Array) -> Array:
        """Return the index of the old element for each new one."""
        if axis.is_unchanged:
            return np.arange(axis.extent)
        shift = F(0.5) if self._align_corners else F(0)
        index = np.floor(positions + shift).astype(np.int64)
        return np.asarray(np.clip(index, 0, axis.extent - 1))


def _linear_weights(axis: ResizedAxis, positions: Array) -> Array:
    """Return the weights of the old elements, a column for each new one."""
    last = axis.extent - 1
    low = np.clip(np.floor(positions), 0, last).astype(np.int64)
    high = np.clip(np.ceil(positions), 0, last).astype(np.int64)
    share = np.clip(positions - low, 0, 1)
    weights = np.zeros((axis.extent, axis.new_extent), F)
    columns = np.arange(axis.new_extent)
    np.add.at(weights, (low, columns), 1 - share)
    np.add.at(weights, (high, columns), share)
    weights.flags.writeable = False
    return weights
