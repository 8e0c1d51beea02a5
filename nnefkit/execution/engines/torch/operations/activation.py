"""Activation functions (4.9.1)."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch.nn import functional

from nnefkit.execution.engines.torch.broadcasting import align
from nnefkit.execution.engines.torch.lowerings import Argument, Tensor, lowering, widened
from nnefkit.execution.engines.torch.operations.elementwise import at_least

_ROOT = math.sqrt(0.5)
_LINEAR = 40.0
"""Number from which on ``log(1 + exp(x))`` is `x` to the last digit of a float64."""

lowering("sigmoid")(torch.sigmoid)
lowering("silu")(functional.silu)


@lowering("relu")
def relu(x: Tensor) -> Tensor:
    """Return ``max(x, 0)``, which is 0 where `x` is NaN."""
    return at_least(x, 0.0)


@lowering("gelu")
def gelu(x: Tensor) -> Tensor:
    """Return ``x * Phi(x)``, the distribution function itself."""
    if torch.is_grad_enabled():
        return functional.gelu(x)
    # PyTorch's own function returns NaN for infinity.
    return torch.erf(x * _ROOT).add_(1).mul_(0.5).mul_(x)


@lowering("softplus")
def softplus(x: Tensor) -> Tensor:
    """Return ``log(exp(x) + 1)``."""
    return functional.softplus(x, threshold=_LINEAR)


@lowering("elu")
def elu(x: Tensor, *, alpha: float) -> Tensor:
    """Return ``x < 0 ? alpha * (exp(x) - 1) : x``."""
    return functional.elu(x, alpha)


@lowering("selu")
def selu(x: Tensor, *, alpha: float, **attribs: float) -> Tensor:
    """Return ``lambda * (x < 0 ? alpha * (exp(x) - 1) : x)``."""
    return functional.elu(x, alpha) * attribs["lambda"]


@lowering("leaky_relu")
def leaky_relu(x: Tensor, *, alpha: float) -> Tensor:
    """Return ``x < 0 ? alpha * x : x``."""
    return functional.leaky_relu(x, alpha)


@lowering("prelu")
def prelu(x: Argument, alpha: Argument) -> Any:
    """Return ``x < 0 ? alpha * x : x``."""
    x, alpha = align(x, alpha)
    if not isinstance(x, torch.Tensor):
        return alpha * x if x < 0 else torch.full_like(torch.as_tensor(alpha), x)
    if not isinstance(alpha, torch.Tensor):
        return functional.leaky_relu(x, alpha)
    if min(x.ndim, alpha.ndim) >= 2 and alpha.shape[1] == alpha.numel() in (1, x.shape[1]):
        return functional.prelu(x, alpha.reshape(-1))
    return torch.where(x < 0, alpha * x, x)


@lowering("softmax")
@widened
def softmax(x: Tensor, *, axes: tuple[int, ...]) -> Tensor:
    """Return exponentials that sum to 1 over all of `axes` together."""
    if len(axes) == 1:
        return torch.softmax(x, axes[0])
    if not axes:
        return torch.exp(x - x)
    weights = torch.exp(x - torch.amax(x, axes, keepdim=True))
    return weights / weights.sum(axes, keepdim=True)
