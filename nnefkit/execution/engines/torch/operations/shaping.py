"""Reshaping, transposing and casting (4.5.1, 4.5.2, 4.5.8), and updates (4.8)."""

from __future__ import annotations

import torch

from nnefkit.arrays import Shape
from nnefkit.execution.engines.torch.lowerings import Tensor, lowering
from nnefkit.operations.shaping import reshape_shape

_TOP = torch.iinfo(torch.int64).max


@lowering("reshape")
def reshape(input: Tensor, *, shape: Shape, axis_start: int, axis_count: int) -> Tensor:
    """Return the same elements in row-major order."""
    extents = reshape_shape(
        tuple(input.shape), shape=shape, axis_start=axis_start, axis_count=axis_count
    )
    return input.reshape(extents)


@lowering("squeeze")
def squeeze(input: Tensor, *, axes: Shape) -> Tensor:
    """Return the input without the singular dimensions `axes`."""
    return input.squeeze(axes) if axes else input


@lowering("unsqueeze")
def unsqueeze(input: Tensor, *, axes: Shape) -> Tensor:
    """Return the input with singular dimensions at `axes` of the output."""
    extents = iter(input.shape)
    rank = input.ndim + len(axes)
    return input.reshape([1 if axis in axes else next(extents) for axis in range(rank)])


@lowering("transpose")
def transpose(input: Tensor, *, axes: Shape) -> Tensor:
    """Return the input with its leading axes in the order of `axes`."""
    return input.permute([*axes, *range(len(axes), input.ndim)])


@lowering("cast")
def cast(input: Tensor, *, dtype: str, scalar: torch.dtype) -> Tensor:
    """Convert to another data type: to integer by rounding down, to logical by ``!= 0``.

    Integers and logicals become `scalar`. Numbers beyond 64-bit integers become the nearest one,
    and NaN becomes 0.
    """
    if dtype == "logical":
        return input != 0
    if dtype == "scalar":
        return input if input.is_floating_point() else input.to(scalar)
    if not input.is_floating_point():
        return input.to(torch.int64)
    limit = 2.0**63
    lower = torch.where(input.abs() < limit, torch.floor(input), 0).to(torch.int64)
    lower = torch.where(input >= limit, _TOP, lower)
    return torch.where(input <= -limit, -_TOP - 1, lower)


@lowering("update")
def update(variable: Tensor, value: Tensor) -> Tensor:  # noqa: ARG001
    """Return the new value (4.8); the caller stores it after the run."""
    return value
