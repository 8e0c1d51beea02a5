"""Box filters (4.3.2), and the averages made of them (4.9.3)."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import torch
from torch.nn import functional

from nnefkit.arrays import Array, Shape
from nnefkit.execution.engines.torch.borders import pad
from nnefkit.execution.engines.torch.lowerings import Tensor, lowering, widened
from nnefkit.execution.engines.torch.operations.convolution import (
    Padding,
    resolved,
    reverse_resolved,
)
from nnefkit.execution.engines.torch.windows import covers, is_spatial, reduced
from nnefkit.operations.window import Window, reverse_tap


@lowering("box")
@widened
def box(
    input: Tensor,
    *,
    size: Shape,
    border: str,
    padding: Padding,
    stride: Shape,
    dilation: Shape,
    normalize: bool,
) -> Tensor:
    """The sum, or where `normalize` is set the average, of each window."""
    slid = resolved(input.shape, size, padding, stride, dilation)
    axes = covers(slid, input.shape)
    if axes is not None:
        total = input.sum(axes, keepdim=True) if axes else input
        return total / math.prod(size) if normalize else total
    if _is_pooling(slid, border):
        return _pooled(input, slid, border, normalize)
    sums = reduced(pad(input, slid.padding, border), slid, torch.sum)
    if not normalize:
        return sums
    if border != "ignore":
        return sums / math.prod(size)
    for axis, counts in enumerate(_counts(tuple(input.shape), slid)):
        along = torch.tensor(counts, dtype=sums.dtype, device=sums.device)
        sums = sums / along.reshape(-1, *[1] * (input.ndim - axis - 1))
    return sums


@lru_cache(maxsize=512)
def _counts(extents: Shape, window: Window) -> list[Array]:
    return window.true_counts(extents)


def _is_pooling(slid: Window, border: str) -> bool:
    """Whether PyTorch's average pooling is the same."""
    return (
        is_spatial(slid)
        and border in ("constant", "ignore")
        and set(slid.dilation) == {1}
        and all(0 <= p == q <= f // 2 for f, (p, q) in zip(slid.size, slid.padding, strict=True))
    )


def _pooled(x: Tensor, slid: Window, border: str, normalize: bool) -> Tensor:
    inner = slid.along(slice(2, None))
    size, padding, stride = inner.size, inner.padding, inner.stride
    before = tuple(p for p, _ in padding)
    flat = x.ndim == 3
    if flat:  # the pooling of one dimension knows no other divisor
        x, size, before, stride = x[..., None, :], (1, *size), (0, *before), (1, *stride)
    pool: Any = functional.avg_pool3d if x.ndim == 5 else functional.avg_pool2d
    divisor = None if normalize else 1
    result: Tensor = pool(x, size, stride, before, False, border == "constant", divisor)
    return result[..., 0, :] if flat else result


@lowering("avg_pool")
def avg_pool(
    input: Tensor, *, size: Shape, border: str, padding: Padding, stride: Shape, dilation: Shape
) -> Tensor:
    """The average of each window: a normalized `box`."""
    average: Tensor = box(
        input,
        size=size,
        border=border,
        padding=padding,
        stride=stride,
        dilation=dilation,
        normalize=True,
    )
    return average


@lowering("rms_pool")
@widened
def rms_pool(input: Tensor, **attribs: Any) -> Tensor:
    """The root of the average square of each window."""
    return torch.sqrt(avg_pool(torch.square(input), **attribs))


@lowering("debox")
@widened
def debox(
    input: Tensor,
    *,
    size: Shape,
    border: str,
    padding: Padding,
    stride: Shape,
    dilation: Shape,
    output_shape: Shape,
    normalize: bool,
) -> Tensor:
    """Adds each item to all the positions that `box` sums up for it (4.3.2)."""
    extents, slid = reverse_resolved(input.shape, size, padding, stride, dilation, output_shape)
    extension = ((0, 0),) * input.ndim
    items = input
    if border not in ("constant", "ignore"):
        extension = slid.reverse_extension(input.shape, extents)
        items = pad(input, extension, border)
    for axis, (f, (p, _), s, d) in enumerate(slid.axes):
        start = -p - extension[axis][0] * s
        items = _spread(items, axis, extents[axis], f, s, d, start)
    return items / math.prod(size) if normalize else items


def _spread(
    x: Tensor, axis: int, extent: int, size: int, stride: int, dilation: int, start: int
) -> Tensor:
    """Spreads the items along one axis: the first one begins at position `start`."""
    if size == 1 and stride == 1 and start == 0 and x.shape[axis] == extent:
        return x
    before = (slice(None),) * axis
    result = x.new_zeros((*x.shape[:axis], extent, *x.shape[axis + 1 :]))
    for j in range(size):
        pair = reverse_tap(x.shape[axis], extent, stride, start + j * dilation)
        if pair is not None:
            source, target = pair
            result[(*before, target)] += x[(*before, source)]
    return result
