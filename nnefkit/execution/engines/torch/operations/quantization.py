"""Quantization (4.9.5): rounding to the real numbers that a number of bits can represent."""

from __future__ import annotations

from typing import Any

import torch

from nnefkit.execution.engines.torch.broadcasting import align, as_tensor
from nnefkit.execution.engines.torch.lowerings import Argument, Tensor, lowering, widened
from nnefkit.execution.engines.torch.operations.elementwise import clamp, round_half_up


def _tensors(*arguments: Argument) -> tuple[Tensor, ...]:
    """Return tensors of one rank, and of the dtype of the first floating-point tensor."""
    like = next(a for a in arguments if isinstance(a, torch.Tensor) and a.is_floating_point())
    return align(*(as_tensor(a, like).to(like.dtype) for a in arguments))


@lowering("min_max_linear_quantize")
@widened
def min_max_linear_quantize(
    x: Argument, min: Argument, max: Argument, *, bits: int, signed: bool, symmetric: bool
) -> Tensor:
    """Return the nearest of equal steps from `min` to `max`."""
    x, low, high = _tensors(x, min, max)
    r = float(2**bits - 1 - int(signed and symmetric))
    p = float(2 ** (bits - 1) - int(symmetric) if signed else 0)
    q = round_half_up((clamp(x, low, high) - low) / (high - low) * r) - p
    return (q + p) / r * (high - low) + low


@lowering("linear_quantize")
def linear_quantize(x: Argument, min: Argument, max: Argument, *, bits: int) -> Any:
    """Apply `min_max_linear_quantize`, unsigned."""
    return min_max_linear_quantize(x, min, max, bits=bits, signed=False, symmetric=False)


@lowering("zero_point_linear_quantize")
@widened
def zero_point_linear_quantize(
    x: Argument,
    zero_point: Argument,
    scale: Argument,
    *,
    bits: int,
    signed: bool,
    symmetric: bool,
) -> Tensor:
    """Return the nearest multiple of `scale` whose code fits into the bits."""
    x, zero, scale = _tensors(x, zero_point, scale)
    top = float(2 ** (bits - 1) - 1 if signed else 2**bits - 1)
    low = 0.0 if not signed else -top if symmetric else -top - 1
    code = clamp(round_half_up(x / scale) + zero, low, top)
    return (code - zero) * scale


@lowering("logarithmic_quantize")
@widened
def logarithmic_quantize(x: Argument, max: Argument, *, bits: int) -> Tensor:
    """Return the power of two with the nearest exponent, at most that of `max`."""
    x, limit = _tensors(x, max)
    top = torch.ceil(torch.log2(limit))
    exponent = round_half_up(clamp(torch.log2(x.abs()), top - float(2**bits - 1), top))
    # PyTorch's sign of NaN is 0.
    return torch.where(x.isnan(), x, torch.sign(x) * torch.exp2(exponent))
