"""Normalization operations (4.9.4)."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional

from nnefkit.arrays import Shape
from nnefkit.execution.engines.torch.broadcasting import align, as_tensor
from nnefkit.execution.engines.torch.lowerings import Argument, Tensor, lowering, widened
from nnefkit.execution.engines.torch.operations.box import box
from nnefkit.execution.engines.torch.operations.elementwise import at_least
from nnefkit.operations.window import Window


def _sum(x: Tensor, axes: Shape) -> Tensor:
    return x.sum(axes, keepdim=True) if axes else x


@lowering("l1_normalization")
@widened
def l1_normalization(input: Tensor, *, axes: Shape, bias: float, epsilon: float) -> Tensor:
    """Return ``input / max(sum(abs(input)) + bias, epsilon)``."""
    return input / at_least(_sum(input.abs(), axes) + bias, epsilon)


@lowering("l2_normalization")
@widened
def l2_normalization(input: Tensor, *, axes: Shape, bias: float, epsilon: float) -> Tensor:
    """Return ``input / max(sqrt(sum(input ^ 2)) + bias, epsilon)``."""
    return input / at_least(torch.sqrt(_sum(torch.square(input), axes)) + bias, epsilon)


@lowering("batch_normalization")
@widened
def batch_normalization(
    input: Argument,
    mean: Argument,
    variance: Argument,
    offset: Argument,
    scale: Argument,
    *,
    epsilon: float,
) -> Any:
    """Return ``offset + scale * (input - mean) / sqrt(variance + epsilon)``."""
    parameters = [p for p in (mean, variance, scale, offset) if isinstance(p, torch.Tensor)]
    if (
        len(parameters) == 4
        and isinstance(input, torch.Tensor)
        and input.ndim >= 2
        and not any(p.requires_grad for p in parameters[:2])  # for which PyTorch has no gradient
        and all(p.shape == (1, input.shape[1]) and p.dtype == input.dtype for p in parameters)
    ):
        mean, variance, scale, offset = (p.reshape(-1) for p in parameters)
        return functional.batch_norm(input, mean, variance, scale, offset, eps=epsilon)
    x, shift, var, offset, scale = align(input, mean, variance, offset, scale)
    like = next(a for a in (x, shift, var, offset, scale) if isinstance(a, torch.Tensor))
    factor = scale / torch.sqrt(as_tensor(var, like) + epsilon)
    return (x - shift) * factor + offset


# -- by the elements around each element ----------------------------------------------------------


def _average(x: Tensor, size: Shape) -> Tensor:
    """Return the average around each element; the border counts as zeros."""
    average: Tensor = box(x, window=Window(size), normalize=True)
    return average


@lowering("local_response_normalization")
@widened
def local_response_normalization(
    input: Tensor, *, size: Shape, alpha: float, beta: float, bias: float
) -> Tensor:
    """Return ``input / (bias + alpha * mean square) ^ beta``."""
    return input / (_average(torch.square(input), size) * alpha + bias) ** beta


@lowering("local_mean_normalization")
@widened
def local_mean_normalization(input: Tensor, *, size: Shape) -> Tensor:
    """Return ``input - average``."""
    return input - _average(input, size)


@lowering("local_variance_normalization")
@widened
def local_variance_normalization(
    input: Tensor, *, size: Shape, bias: float, epsilon: float
) -> Tensor:
    """Return ``input / max(root mean square + bias, epsilon)``."""
    deviation = torch.sqrt(_average(torch.square(input), size)) + bias
    return input / at_least(deviation, epsilon)


@lowering("local_contrast_normalization")
@widened
def local_contrast_normalization(
    input: Tensor, *, size: Shape, bias: float, epsilon: float
) -> Tensor:
    """Apply `local_mean_normalization`, then `local_variance_normalization`."""
    centered: Tensor = local_mean_normalization(input, size=size)
    normalized: Tensor = local_variance_normalization(
        centered, size=size, bias=bias, epsilon=epsilon
    )
    return normalized
