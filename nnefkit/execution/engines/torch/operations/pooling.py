"""Maxima of windows and their positions, sampling by position (4.3.3), max pooling (4.9.3)."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch.nn import functional

from nnefkit.arrays import Shape
from nnefkit.errors import ArgumentError
from nnefkit.execution.engines.torch.borders import pad
from nnefkit.execution.engines.torch.index_checks import check_indices
from nnefkit.execution.engines.torch.lowerings import Tensor, lowering, widened
from nnefkit.execution.engines.torch.window_views import (
    reduced,
    resolved,
    reverse_resolved,
    windows,
)
from nnefkit.execution.lowering.window_kinds import is_padded_evenly, is_spatial
from nnefkit.operations.window import Window


@lowering("max_pool")
def max_pool(input: Tensor, *, window: Window) -> Tensor:
    """Return the maximum of each window; NaN where it contains one."""
    window = resolved(window, input.shape)
    axes = window.covered_axes(input.shape)
    if axes is not None:
        return torch.amax(input, axes, keepdim=True) if axes else input
    if not is_spatial(window) or input.dtype == torch.float16:
        return reduced(_padded(input, window), window, torch.amax)
    # PyTorch's padding is never the maximum, as with border 'ignore'. It may be at most half of the
    # window's size, dilated or not.
    inner = window.border == "ignore" and is_padded_evenly(window)
    before = [p if inner else 0 for p, _ in window.padding[2:]]
    x = input if inner else _padded(input, window)
    pool: Any = (functional.max_pool1d, functional.max_pool2d, functional.max_pool3d)[
        input.ndim - 3
    ]
    result: Tensor = pool(x, window.size[2:], window.stride[2:], before, window.dilation[2:])
    return result


def _padded(x: Tensor, window: Window) -> Tensor:
    value = -math.inf if window.border == "ignore" else 0.0
    return pad(x, window.padding, window.border, value)


@lowering("argmax_pool")
def argmax_pool(input: Tensor, *, window: Window) -> Tensor:
    """Return the position of the first maximum (or the first NaN) of each window."""
    return max_pool_with_index(input, window=window)[1]


@lowering("max_pool_with_index")
def max_pool_with_index(input: Tensor, *, window: Window) -> tuple[Tensor, Tensor]:
    """Return the maximum of each window and its position, the first of several."""
    window = resolved(window, input.shape)
    values, index = windows(_padded(input, window), window).max(-1)
    if window.border == "ignore":
        # Where all elements are as low as the border, the first one that is not border is chosen.
        true = pad(torch.ones_like(input, dtype=torch.uint8), window.padding)
        first = windows(true, window).max(-1).indices
        index = torch.where(values == -math.inf, first, index)
    return values, index


@lowering("sample")
def sample(
    input: Tensor,
    index: Tensor,
    *,
    window: Window,
) -> Tensor:
    """Return the element at the given position of each window.

    Raises:
        ArgumentError: A position is outside of its window.
    """
    _check_positions(index, window.size)
    window = resolved(window, input.shape)
    elements = windows(pad(input, window.padding, window.border), window)
    return elements.gather(-1, index[..., None])[..., 0]


def _check_positions(index: Tensor, size: Shape) -> None:
    volume = math.prod(size)

    def refusal(position: int) -> ArgumentError:
        return ArgumentError(
            f"'index' has a position {position}, "
            f"but the windows have positions from 0 to {volume - 1}",
            argument="index",
            hint="Positions count within each window, in row-major order.",
            section="4.3.3",
        )

    check_indices(index, volume, refusal)


@lowering("desample")
@widened
def desample(
    input: Tensor,
    index: Tensor,
    *,
    window: Window,
    output_shape: Shape,
) -> Tensor:
    """Add each element to the given position of its window.

    Raises:
        ArgumentError: A position is outside of its window.
    """
    _check_positions(index, window.size)
    extents, window = reverse_resolved(window, input.shape, output_shape)
    flat = torch.zeros_like(index)
    inside = torch.ones_like(index, dtype=torch.bool)
    entry = index
    volume = 1
    for axis in reversed(range(input.ndim)):
        f, (p, _) = window.size[axis], window.padding[axis]
        s, d = window.stride[axis], window.dilation[axis]
        along = torch.arange(input.shape[axis], device=index.device) * s - p
        target = along.reshape(-1, *[1] * (input.ndim - axis - 1)) + entry % f * d
        entry = entry // f
        inside = inside & (target >= 0) & (target < extents[axis])
        flat = flat + target * volume
        volume *= extents[axis]
    values = torch.where(inside, input, 0)
    positions = torch.where(inside, flat, 0)
    output = input.new_zeros(volume)
    return output.scatter_add(0, positions.flatten(), values.flatten()).reshape(extents)
