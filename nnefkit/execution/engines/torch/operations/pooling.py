"""Maxima of windows and their positions, sampling by position (4.3.3), max pooling (4.9.3)."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch.nn import functional

from nnefkit.arrays import Shape
from nnefkit.errors import ArgumentError
from nnefkit.execution.engines.torch.borders import pad
from nnefkit.execution.engines.torch.lowerings import Tensor, lowering, widened
from nnefkit.execution.engines.torch.operations.convolution import (
    Padding,
    resolved,
    reverse_resolved,
)
from nnefkit.execution.engines.torch.windows import covers, is_spatial, reduced, windows
from nnefkit.operations.window import Window


@lowering("max_pool")
def max_pool(
    input: Tensor, *, size: Shape, border: str, padding: Padding, stride: Shape, dilation: Shape
) -> Tensor:
    """The maximum of each window; NaN where it has one."""
    slid = resolved(input.shape, size, padding, stride, dilation)
    axes = covers(slid, input.shape)
    if axes is not None:
        return torch.amax(input, axes, keepdim=True) if axes else input
    if not is_spatial(slid) or input.dtype == torch.float16:
        return reduced(_padded(input, slid, border), slid, torch.amax)
    # What PyTorch pads with never wins, as border 'ignore' has it. It pads by half of the entries
    # of a window at the most, dilated or not.
    inner = border == "ignore" and all(
        0 <= p == q <= f // 2 for (p, q), f in zip(slid.padding, slid.size, strict=True)
    )
    before = [p if inner else 0 for p, _ in slid.padding[2:]]
    x = input if inner else _padded(input, slid, border)
    pool: Any = (functional.max_pool1d, functional.max_pool2d, functional.max_pool3d)[
        input.ndim - 3
    ]
    result: Tensor = pool(x, slid.size[2:], slid.stride[2:], before, slid.dilation[2:])
    return result


def _padded(x: Tensor, slid: Window, border: str) -> Tensor:
    return pad(x, slid.padding, border, -math.inf if border == "ignore" else 0.0)


@lowering("argmax_pool")
def argmax_pool(input: Tensor, **attribs: Any) -> Tensor:
    """The position of the first maximum (or the first NaN) of each window."""
    return max_pool_with_index(input, **attribs)[1]


@lowering("max_pool_with_index")
def max_pool_with_index(
    input: Tensor, *, size: Shape, border: str, padding: Padding, stride: Shape, dilation: Shape
) -> tuple[Tensor, Tensor]:
    """The maximum of each window and its position, the first of several."""
    slid = resolved(input.shape, size, padding, stride, dilation)
    values, index = windows(_padded(input, slid, border), slid).max(-1)
    if border == "ignore":
        # Where all is as low as the border, the first item that is no border is meant.
        true = pad(torch.ones_like(input, dtype=torch.uint8), slid.padding)
        first = windows(true, slid).max(-1).indices
        index = torch.where(values == -math.inf, first, index)
    return values, index


@lowering("sample")
def sample(
    input: Tensor,
    index: Tensor,
    *,
    size: Shape,
    border: str,
    padding: Padding,
    stride: Shape,
    dilation: Shape,
) -> Tensor:
    """The item at the given position of each window.

    Raises:
        ArgumentError: a position lies outside of its window.
    """
    _check_positions(index, size)
    slid = resolved(input.shape, size, padding, stride, dilation)
    taken = windows(pad(input, slid.padding, border), slid)
    return taken.gather(-1, index[..., None])[..., 0]


def _check_positions(index: Tensor, size: Shape) -> None:
    volume = math.prod(size)
    low, high = (int(bound) for bound in torch.aminmax(index))
    if low < 0 or high >= volume:
        raise ArgumentError(
            f"'index' has a position {low if low < 0 else high}, "
            f"but the windows have positions from 0 to {volume - 1}",
            argument="index",
            hint="Positions count inside of each window, in row-major order.",
            section="4.3.3",
        )


@lowering("desample")
@widened
def desample(
    input: Tensor,
    index: Tensor,
    *,
    size: Shape,
    border: str,  # noqa: ARG001  # only 'constant' is allowed
    padding: Padding,
    stride: Shape,
    dilation: Shape,
    output_shape: Shape,
) -> Tensor:
    """Adds each item to the given position of its window.

    Raises:
        ArgumentError: a position lies outside of its window.
    """
    _check_positions(index, size)
    extents, slid = reverse_resolved(input.shape, size, padding, stride, dilation, output_shape)
    flat = torch.zeros_like(index)
    inside = torch.ones_like(index, dtype=torch.bool)
    entry = index
    volume = 1
    for axis in reversed(range(input.ndim)):
        f, (p, _), s, d = size[axis], slid.padding[axis], slid.stride[axis], slid.dilation[axis]
        along = torch.arange(input.shape[axis], device=index.device) * s - p
        target = along.reshape(-1, *[1] * (input.ndim - axis - 1)) + entry % f * d
        entry = entry // f
        inside = inside & (target >= 0) & (target < extents[axis])
        flat = flat + target * volume
        volume *= extents[axis]
    values = torch.where(inside, input, 0)
    places = torch.where(inside, flat, 0)
    output = input.new_zeros(volume)
    return output.scatter_add(0, places.flatten(), values.flatten()).reshape(extents)
