"""Convolution and deconvolution (4.3.1), and their separable forms (4.9.2)."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import torch
from torch.nn import functional

from nnefkit.arrays import Shape
from nnefkit.execution.engines.torch.borders import pad
from nnefkit.execution.engines.torch.lowerings import Argument, Tensor, lowering
from nnefkit.operations.filter_rules import reverse_groups
from nnefkit.operations.window import Window

Padding = tuple[tuple[int, int], ...]

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


@lru_cache(maxsize=4096)
def resolved(
    extents: Shape, size: Shape, padding: Padding, stride: Shape, dilation: Shape
) -> Window:
    """Return the window over up-scaled `extents`."""
    return Window(size, "constant", padding, stride, dilation).over(extents)


@lru_cache(maxsize=4096)
def reverse_resolved(
    extents: Shape,
    size: Shape,
    padding: Padding,
    stride: Shape,
    dilation: Shape,
    wanted: Shape,
) -> tuple[Shape, Window]:
    """Return the up-scaled extents of a reverse operation, and the window over them."""
    return Window(size, "constant", padding, stride, dilation).reversed(extents, wanted)


@lowering("conv")
def conv(
    input: Tensor,
    filter: Tensor,
    bias: Argument,
    *,
    border: str,
    padding: Padding,
    stride: Shape,
    dilation: Shape,
    groups: int,
) -> Tensor:
    """The correlation of `input` and `filter` in each group, plus the bias of the channel."""
    slid = resolved(input.shape[2:], filter.shape[2:], padding, stride, dilation)
    before = tuple(p for p, _ in slid.padding)
    inner = border == "constant" and all(p == q >= 0 for p, q in slid.padding)
    if not inner:
        before = (0,) * len(before)
    added = _channel_bias(bias, filter, filter.shape[0])
    count = groups or input.shape[1]
    items = input if inner else pad(input, ((0, 0), (0, 0), *slid.padding), border)
    return _correlate(items, filter, added, slid.stride, before, slid.dilation, count)


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
    """Correlation with zero padding, in any number of spatial dimensions."""
    spatial = x.ndim - 2
    if spatial in _CONV:
        return _CONV[spatial](x, filter, bias, stride, padding, dilation, groups)
    if spatial == 0:
        return functional.conv1d(x[..., None], filter[..., None], bias, groups=groups)[..., 0]
    # One dimension more than PyTorch has: the sum over its taps, each a batch of slices.
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
    """The first spatial dimension as a part of the batch."""
    return x.movedim(2, 1).flatten(0, 1)


def _unfold(x: Tensor, extent: int) -> Tensor:
    return x.reshape(-1, extent, *x.shape[1:]).movedim(1, 2)


@lowering("deconv")
def deconv(
    input: Tensor,
    filter: Tensor,
    bias: Argument,
    *,
    border: str,
    padding: Padding,
    stride: Shape,
    dilation: Shape,
    output_shape: Shape,
    groups: int,
) -> Tensor:
    """The reverse of `conv`: from the down-scaled space up, plus the bias of the channel."""
    groups = reverse_groups(tuple(filter.shape), groups, output_shape)
    extents, slid = reverse_resolved(
        input.shape[2:], filter.shape[2:], padding, stride, dilation, output_shape[2:]
    )
    start = [p for p, _ in slid.padding]
    items = input
    if border != "constant":
        extension = slid.reverse_extension(input.shape[2:], extents)
        items = pad(input, ((0, 0), (0, 0), *extension), border)
        start = [p + low * s for p, (low, _), s in zip(start, extension, slid.stride, strict=True)]
    added = _channel_bias(bias, filter, filter.shape[1] * groups)
    return _spread(items, filter, added, extents, tuple(start), slid.stride, slid.dilation, groups)


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
    """Transposed correlation, of which `extents` are taken from position `start` on."""
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
    """Transposed correlation in one dimension more than PyTorch has: tap by tap."""
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
    border: str,
    padding: Padding,
    stride: Shape,
    dilation: Shape,
    groups: int,
) -> Tensor:
    """A depthwise `conv` with `plane_filter`, then one with `point_filter` and `bias`."""
    window: dict[str, Any] = {"padding": padding, "stride": stride, "dilation": dilation}
    planes = conv(input, plane_filter, 0.0, border=border, groups=0, **window)
    return conv(planes, point_filter, bias, border="constant", groups=groups, **_PLAIN)


@lowering("separable_deconv")
def separable_deconv(
    input: Tensor,
    plane_filter: Tensor,
    point_filter: Tensor,
    bias: Argument,
    *,
    border: str,
    padding: Padding,
    stride: Shape,
    dilation: Shape,
    output_shape: Shape,
    groups: int,
) -> Tensor:
    """A `deconv` with `point_filter`, then a depthwise one with `plane_filter` and `bias`."""
    window: dict[str, Any] = {"padding": padding, "stride": stride, "dilation": dilation}
    planes = deconv(
        input, point_filter, 0.0, border="constant", output_shape=(), groups=groups, **_PLAIN
    )
    return deconv(
        planes, plane_filter, bias, border=border, output_shape=output_shape, groups=0, **window
    )


_PLAIN: dict[str, Any] = {"padding": (), "stride": (), "dilation": ()}
