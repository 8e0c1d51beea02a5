"""Broadcasting as NNEF does it: from the left, missing *trailing* dimensions are 1 (4.2.2)."""

from __future__ import annotations

from typing import Any

import torch

from nnefkit.execution.engines.torch.lowerings import Argument, Tensor


def align(*arguments: Argument) -> tuple[Any, ...]:
    """Return tensors with equal ranks, singular dimensions appended; numbers stay as they are."""
    rank = max((a.ndim for a in arguments if isinstance(a, torch.Tensor)), default=0)
    return tuple(
        a.reshape(a.shape + (1,) * (rank - a.ndim))
        if isinstance(a, torch.Tensor) and 0 < a.ndim < rank
        else a
        for a in arguments
    )


def as_tensor(argument: Argument, like: Tensor) -> Tensor:
    """Return a number as a tensor of rank 0 of the dtype of `like`, and a tensor as it is."""
    if isinstance(argument, torch.Tensor):
        return argument
    return torch.tensor(argument, dtype=like.dtype, device=like.device)


def is_zero(argument: Argument) -> bool:
    """Return whether an argument is a literal zero."""
    return not isinstance(argument, torch.Tensor) and argument == 0
