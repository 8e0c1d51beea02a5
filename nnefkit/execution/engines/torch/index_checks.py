"""Checks of indices that are known only at run time, in eager runs and in traced programs."""

from __future__ import annotations

from collections.abc import Callable

import torch

from nnefkit.errors import ExecutionError, NnefError
from nnefkit.execution.engines.torch.lowerings import Tensor


def check_indices(indices: Tensor, count: int, refusal: Callable[[int], NnefError]) -> None:
    """Check that all indices are from 0 to `count` - 1.

    A program that PyTorch traces, to compile or to export it, contains the check as an assertion,
    which raises a RuntimeError.

    Args:
        indices: Integers.
        count: The number of elements that they select from.
        refusal: Returns the error to raise for the first wrong index.
    """
    if torch.compiler.is_compiling():
        message = f"an index is not from 0 to {count - 1}"
        torch._assert_async(((indices >= 0) & (indices < count)).all(), message)
    elif indices.numel():
        low, high = (int(bound) for bound in torch.aminmax(indices))
        if low < 0 or high >= count:
            raise refusal(low if low < 0 else high)


def refuse_export(what: str) -> None:
    """Refuse to be exported: `torch.export` traces programs in which tensors have no values.

    Args:
        what: What depends on values.

    Raises:
        ExecutionError: An export is going on.
    """
    if torch.compiler.is_exporting():
        raise ExecutionError(
            f"{what} depend on the values of tensors, which an export does not know",
            hint="Export the graph without it: graph.between(inputs, outputs) returns a part.",
        )
