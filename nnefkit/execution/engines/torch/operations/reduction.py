"""Reduce operations (4.4), and `moments` (4.9.6)."""

from __future__ import annotations

import math

import torch

from nnefkit.arrays import Shape
from nnefkit.execution.engines.torch.lowerings import Tensor, lowering, widened


@lowering("sum_reduce")
@widened
def sum_reduce(input: Tensor, *, axes: Shape, normalize: bool) -> Tensor:
    """Return the sum, or if `normalize` the mean."""
    total = input.sum(axes, keepdim=True) if axes else input
    return total / math.prod(input.shape[axis] for axis in axes) if normalize else total


@lowering("mean_reduce")
@widened
def mean_reduce(input: Tensor, *, axes: Shape) -> Tensor:
    """Return the mean."""
    return input.mean(axes, keepdim=True) if axes else input


@lowering("max_reduce")
def max_reduce(input: Tensor, *, axes: Shape) -> Tensor:
    """Return the maximum; NaN where there is one."""
    return torch.amax(input, axes, keepdim=True) if axes else input


@lowering("min_reduce")
def min_reduce(input: Tensor, *, axes: Shape) -> Tensor:
    """Return the minimum; NaN where there is one."""
    return torch.amin(input, axes, keepdim=True) if axes else input


@lowering("argmax_reduce")
def argmax_reduce(input: Tensor, *, axes: Shape) -> Tensor:
    """Return the position of the first maximum in the volume of the reduced axes."""
    flat, shape = _flattened(input, axes)
    return flat.argmax(-1).reshape(shape)


@lowering("argmin_reduce")
def argmin_reduce(input: Tensor, *, axes: Shape) -> Tensor:
    """Return the position of the first minimum in the volume of the reduced axes."""
    flat, shape = _flattened(input, axes)
    return flat.argmin(-1).reshape(shape)


def _flattened(x: Tensor, axes: Shape) -> tuple[Tensor, list[int]]:
    """Return a tensor with the reduced axes as one last axis, and the shape of the result."""
    shape = [1 if axis in axes else extent for axis, extent in enumerate(x.shape)]
    kept = [axis for axis in range(x.ndim) if axis not in axes]
    moved = x.permute([*kept, *sorted(axes)])
    return moved.reshape(*(x.shape[axis] for axis in kept), -1), shape


@lowering("all_reduce")
def all_reduce(input: Tensor, *, axes: Shape) -> Tensor:
    """Return whether all elements are true."""
    return torch.all(input, axes, keepdim=True) if axes else input


@lowering("any_reduce")
def any_reduce(input: Tensor, *, axes: Shape) -> Tensor:
    """Return whether any element is true."""
    return torch.any(input, axes, keepdim=True) if axes else input


@lowering("moments")
@widened
def moments(input: Tensor, *, axes: Shape) -> tuple[Tensor, Tensor]:
    """Return mean and variance, the latter divided by the number of elements."""
    mean: Tensor = mean_reduce(input, axes=axes)
    return mean, mean_reduce(torch.square(input - mean), axes=axes)
