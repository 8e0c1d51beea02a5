"""Convolution and deconvolution (4.3.1), and their separable forms (4.9.2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional

from nnefkit.arrays import Shape
from nnefkit.execution.engines.torch.borders import pad
from nnefkit.execution.engines.torch.lowerings import Argument, Tensor, lowering
from nnefkit.execution.engines.torch.window_views import resolved, reverse_resolved
from nnefkit.operations.filter_rules import reverse_groups
from nnefkit.operations.window import Window

_CONV: dict[int, Callable[..., Tensor]] = {
    1: functional.conv1d,
    2: functional.conv2d,
    3: functional.conv3d,
}
_REVERSE: dict[int, Callable[..., Tensor]] = {
    1: functional.conv_transpose1d,
    2: functional.conv_transpose2d,
    3: functional.conv_transpose3d,
}


@lowering("conv")
def conv(
    input: Tensor,
    filter: Tensor,
    bias: Argument,
    *,
    window: Window,
    groups: int,
) -> Tensor:
    """Return the correlation of `input` and `filter` in each group, plus the channel's bias."""
    window = resolved(window, input.shape[2:], filter.shape[2:])
    padding = tuple(p for p, _ in window.padding)
    inner = window.border == "constant" and all(p == q >= 0 for p, q in window.padding)
    x = input
    if not inner:
        x = pad(input, ((0, 0), (0, 0), *window.padding), window.border)
        padding = (0,) * len(padding)
    added = _channel_bias(bias, filter, filter.shape[0])
    count = groups or input.shape[1]
    return _correlate(x, filter, added, window.stride, padding, window.dilation, count)


def _channel_bias(bias: Argument, filter: Tensor, channels: int) -> Tensor | None:
    if isinstance(bias, torch.Tensor):
        return bias.reshape(-1).expand(channels)
    return filter.new_full((channels,), bias) if bias else None


def _correlate(
    x: Tensor,
    filter: Tensor,
    bias: Tensor | None,
    stride: Shape,
    padding: Shape,
    dilation: Shape,
    groups: int,
) -> Tensor:
    """Return the correlation with zero padding, in any number of spatial dimensions."""
    spatial = x.ndim - 2
    if spatial in _CONV:
        return _CONV[spatial](x, filter, bias, stride, padding, dilation, groups)
    if spatial == 0:
        return functional.conv1d(x[..., None], filter[..., None], bias, groups=groups)[..., 0]
    # More dimensions than PyTorch supports: sum over the taps of the first, as batches of slices.
    x = functional.pad(x, (0, 0) * (spatial - 1) + (padding[0],) * 2)
    extent = (x.shape[2] - (filter.shape[2] - 1) * dilation[0] - 1) // stride[0] + 1
    total: Any = None
    for j in range(filter.shape[2]):
        start = j * dilation[0]
        tap = x[:, :, start : start + (extent - 1) * stride[0] + 1 : stride[0]]
        added = bias if j == 0 else None
        rest = (stride[1:], padding[1:], dilation[1:], groups)
        part = _correlate(_fold(tap), filter[:, :, j], added, *rest)
        total = part if total is None else total + part
    return _unfold(total, extent)


def _fold(x: Tensor) -> Tensor:
    """Return a tensor with the first spatial dimension merged into the batch."""
    return x.movedim(2, 1).flatten(0, 1)


def _unfold(x: Tensor, extent: int) -> Tensor:
    return x.reshape(-1, extent, *x.shape[1:]).movedim(1, 2)


@lowering("deconv")
def deconv(
    input: Tensor,
    filter: Tensor,
    bias: Argument,
    *,
    window: Window,
    output_shape: Shape,
    groups: int,
) -> Tensor:
    """Return the reverse of `conv`, from the down-scaled space up, plus the channel's bias."""
    groups = reverse_groups(tuple(filter.shape), groups, output_shape)
    extents, window = reverse_resolved(window, input.shape[2:], output_shape[2:], filter.shape[2:])
    start = [p for p, _ in window.padding]
    x = input
    if window.border != "constant":
        extension = window.reverse_extension(input.shape[2:], extents)
        x = pad(input, ((0, 0), (0, 0), *extension), window.border)
        start = [
            p + low * s for p, (low, _), s in zip(start, extension, window.stride, strict=True)
        ]
    added = _channel_bias(bias, filter, filter.shape[1] * groups)
    return _spread(x, filter, added, extents, tuple(start), window.stride, window.dilation, groups)


def _spread(
    x: Tensor,
    filter: Tensor,
    bias: Tensor | None,
    extents: Shape,
    start: Shape,
    stride: Shape,
    dilation: Shape,
    groups: int,
) -> Tensor:
    """Return the `extents` of a transposed correlation from position `start` on."""
    spatial = x.ndim - 2
    if spatial == 0:
        transposed = functional.conv_transpose1d(
            x[..., None], filter[..., None], bias, groups=groups
        )
        return transposed[..., 0]
    spans = [(f - 1) * d + 1 for f, d in zip(filter.shape[2:], dilation, strict=True)]
    full = [(n - 1) * s + f for n, s, f in zip(x.shape[2:], stride, spans, strict=True)]
    extra = tuple(n - (m - 2 * p) for n, m, p in zip(extents, full, start, strict=True))
    if spatial in _REVERSE:
        reverse = _REVERSE[spatial]
        if all(
            p >= 0 and 0 <= e < max(s, d)
            for p, e, s, d in zip(start, extra, stride, dilation, strict=True)
        ):
            return reverse(x, filter, bias, stride, start, extra, groups, dilation)
        whole = reverse(x, filter, None, stride, 0, 0, groups, dilation)
    else:
        whole = _spread_slices(x, filter, stride, dilation, groups)
    cut = [(-p, p + n - m) for p, n, m in zip(start, extents, full, strict=True)]
    result = pad(whole, ((0, 0), (0, 0), *cut))
    return result if bias is None else result + bias.reshape(-1, *[1] * spatial)


def _spread_slices(
    x: Tensor, filter: Tensor, stride: Shape, dilation: Shape, groups: int
) -> Tensor:
    """Return a transposed correlation in more dimensions than PyTorch supports, tap by tap."""
    count, s, d = x.shape[2], stride[0], dilation[0]
    extents = tuple(
        (n - 1) * step + (f - 1) * gap + 1
        for n, f, step, gap in zip(
            x.shape[3:], filter.shape[3:], stride[1:], dilation[1:], strict=True
        )
    )
    total: Any = 0
    length = (count - 1) * s + (filter.shape[2] - 1) * d + 1
    for j in range(filter.shape[2]):
        rest = (None, extents, (0,) * len(extents), stride[1:], dilation[1:], groups)
        part = _unfold(_spread(_fold(x), filter[:, :, j], *rest), count)
        apart = part.new_zeros((*part.shape[:2], length, *part.shape[3:]))
        apart[:, :, j * d : j * d + (count - 1) * s + 1 : s] = part
        total = apart + total
    return torch.as_tensor(total)


@lowering("separable_conv")
def separable_conv(
    input: Tensor,
    plane_filter: Tensor,
    point_filter: Tensor,
    bias: Argument,
    *,
    window: Window,
    groups: int,
) -> Tensor:
    """Apply a depthwise `conv` with `plane_filter`, then one with `point_filter` and `bias`."""
    planes = conv(input, plane_filter, 0.0, window=window, groups=0)
    return conv(planes, point_filter, bias, window=Window(()), groups=groups)


@lowering("separable_deconv")
def separable_deconv(
    input: Tensor,
    plane_filter: Tensor,
    point_filter: Tensor,
    bias: Argument,
    *,
    window: Window,
    output_shape: Shape,
    groups: int,
) -> Tensor:
    """Apply a `deconv` with `point_filter`, then a depthwise one with the rest."""
    planes = deconv(input, point_filter, 0.0, window=Window(()), output_shape=(), groups=groups)
    return deconv(planes, plane_filter, bias, window=window, output_shape=output_shape, groups=0)
