"""Matrix multiplication (4.7) and linear layers (4.9.2)."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional

from nnefkit.execution.engines.torch.broadcasting import align, is_zero
from nnefkit.execution.engines.torch.lowerings import Argument, Tensor, lowering


@lowering("matmul")
def matmul(A: Tensor, B: Tensor, *, transposeA: bool, transposeB: bool) -> Tensor:
    """Return the product of matrices; batch dimensions broadcast."""
    return torch.matmul(A.mT if transposeA else A, B.mT if transposeB else B)


@lowering("linear")
def linear(input: Tensor, filter: Tensor, bias: Argument) -> Any:
    """Return ``matmul(input, filter, transposeB = true) + bias``."""
    if input.ndim == 2:
        if is_zero(bias):
            return functional.linear(input, filter)
        if isinstance(bias, torch.Tensor) and bias.shape == (1, len(filter)):
            return functional.linear(input, filter, bias.reshape(-1))
    product = torch.matmul(input, filter.mT)
    if is_zero(bias):
        return product
    product, bias = align(product, bias)
    return product + bias
