"""The functions that compute operations in PyTorch, registered under their NNEF names.

A lowering is called as the reference kernels are: inputs by position, in the order of the
declaration, and all attributes by keyword. Inputs are tensors, or plain numbers where the graph has
literals; lists among the attributes are tuples. All of them are differentiable as far as their
formulae are, take extents from the tensors and not from the graph, and change none of their inputs.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import torch

from nnefkit.registry import Registry

Lowering = Callable[..., Any]
Tensor = torch.Tensor
Number = float | int | bool
Argument = torch.Tensor | float | int | bool
"""A tensor, or the number that a literal is."""

LOWERINGS = Registry()
lowering = LOWERINGS.register
"""``@lowering("conv")`` registers the function that computes an operation."""

F = TypeVar("F", bound=Callable[..., Any])


def widened(function: F) -> F:
    """Computes formulae of several steps in float32 where tensors are float16, rounding once."""

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
