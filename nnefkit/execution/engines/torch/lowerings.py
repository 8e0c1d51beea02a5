"""The registry of lowerings to PyTorch, and what they share.

A lowering is called in the same way as a reference kernel (see
`nnefkit.execution.lowering.call_arguments`). Inputs are tensors, or numbers where the graph has
literals; lists among the attributes are tuples. Lowerings are differentiable where their formulas
are, take extents from the tensors rather than from the graph, and do not modify their inputs.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import torch

from nnefkit.registry import Registry

Tensor = torch.Tensor
Number = float | int | bool
Argument = torch.Tensor | float | int | bool
"""An input: a tensor, or a number in place of a literal."""

LOWERINGS = Registry()
lowering = LOWERINGS.register
"""``@lowering("conv")`` registers the function that computes an operation."""

F = TypeVar("F", bound=Callable[..., Any])


def widened(function: F) -> F:
    """Compute a formula of several steps in float32 where tensors are float16, and round once."""

    @functools.wraps(function)
    def compute(*arguments: Any, **attribs: Any) -> Any:
        halves = (torch.float16, torch.bfloat16)
        half = next((a.dtype for a in arguments if _is_tensor(a) and a.dtype in halves), None)
        if half is None:
            return function(*arguments, **attribs)
        wide = [a.float() if _is_tensor(a) and a.dtype in halves else a for a in arguments]
        result = function(*wide, **attribs)
        if isinstance(result, tuple):
            return tuple(item.to(half) for item in result)
        return result.to(half)

    return compute  # type: ignore[return-value]


def _is_tensor(value: Any) -> bool:
    return isinstance(value, torch.Tensor)
