"""Box filters (4.3.2), and the averages based on them (4.9.3)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import torch
from torch.nn import functional

from nnefkit.arrays import Array, Shape
from nnefkit.execution.engines.torch.borders import pad
from nnefkit.execution.engines.torch.lowerings import Tensor, lowering, widened
from nnefkit.execution.engines.torch.window_views import reduced, resolved, reverse_resolved
from nnefkit.execution.lowering.window_kinds import is_padded_evenly, is_spatial
from nnefkit.operations.window import Window, reverse_tap


@lowering("box")
@widened
def box(input: Tensor, *, window: Window, normalize: bool) -> Tensor:
    """Return the sum, or if `normalize` the average, of each window."""
    window = resolved(window, input.shape)
    volume = math.prod(window.size)
    axes = window.covered_axes(input.shape)
    if axes is not None:
        total = input.sum(axes, keepdim=True) if axes else input
        return total / volume if normalize else total
    if _is_pooling(window, input.shape):
        return _pooled(input, window, normalize)
    sums = reduced(pad(input, window.padding, window.border), window, torch.sum)
    if not normalize:
        return sums
    if window.border != "ignore":
        return sums / volume
    for axis, counts in enumerate(_true_counts(window, input.shape)):
        along = torch.tensor(counts, dtype=sums.dtype, device=sums.device)
        sums = sums / along.reshape(-1, *[1] * (input.ndim - axis - 1))
    return sums


@lru_cache(maxsize=512)
def _true_counts(window: Window, extents: Shape) -> list[Array]:
    return window.true_counts(extents)


def _is_pooling(window: Window, extents: Sequence[int]) -> bool:
    """Return whether PyTorch's average pooling computes the same."""
    # In three dimensions, it requires that the window fits without the padding.
    fits = len(extents) < 5 or all(k <= n for k, n in zip(window.size, extents, strict=True))
    return (
        fits
        and is_spatial(window)
        and window.border in ("constant", "ignore")
        and set(window.dilation) == {1}
        and is_padded_evenly(window)
    )


def _pooled(x: Tensor, window: Window, normalize: bool) -> Tensor:
    inner = window.along(slice(2, None))
    size, stride = inner.size, inner.stride
    before = tuple(p for p, _ in inner.padding)
    flat = x.ndim == 3
    if flat:  # the pooling of one dimension has no option for another divisor
        x, size, before, stride = x[..., None, :], (1, *size), (0, *before), (1, *stride)
    pool: Any = functional.avg_pool3d if x.ndim == 5 else functional.avg_pool2d
    divisor = None if normalize else 1
    result: Tensor = pool(x, size, stride, before, False, window.border == "constant", divisor)
    return result[..., 0, :] if flat else result


@lowering("avg_pool")
def avg_pool(input: Tensor, *, window: Window) -> Tensor:
    """Return the average of each window: a normalized `box`."""
    average: Tensor = box(input, window=window, normalize=True)
    return average


@lowering("rms_pool")
@widened
def rms_pool(input: Tensor, *, window: Window) -> Tensor:
    """Return the root mean square of each window."""
    return torch.sqrt(avg_pool(torch.square(input), window=window))


@lowering("debox")
@widened
def debox(input: Tensor, *, window: Window, output_shape: Shape, normalize: bool) -> Tensor:
    """Add each input element to all positions of its window, the reverse of `box` (4.3.2)."""
    extents, window = reverse_resolved(window, input.shape, output_shape)
    extension = ((0, 0),) * input.ndim
    result = input
    if window.border not in ("constant", "ignore"):
        extension = window.reverse_extension(input.shape, extents)
        result = pad(input, extension, window.border)
    for axis, (f, (p, _), s, d) in enumerate(window.axes):
        start = -p - extension[axis][0] * s
        result = _spread(result, axis, extents[axis], f, s, d, start)
    return result / math.prod(window.size) if normalize else result


def _spread(
    x: Tensor, axis: int, extent: int, size: int, stride: int, dilation: int, start: int
) -> Tensor:
    """Spread the elements along one axis, from position `start` on."""
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
