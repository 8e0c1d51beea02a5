"""Splitting and concatenation (4.5.3), copies and sums of several tensors (4.9.6)."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from nnefkit.execution.engines.torch.broadcasting import align
from nnefkit.execution.engines.torch.lowerings import Tensor, lowering


@lowering("split")
def split(value: Tensor, *, axis: int, ratios: tuple[int, ...]) -> list[Tensor]:
    """Return the parts, in their order along `axis`."""
    unit = value.shape[axis] // sum(ratios)
    return list(torch.split(value, [unit * ratio for ratio in ratios], axis))


@lowering("concat")
def concat(values: Sequence[Tensor], *, axis: int) -> Tensor:
    """Return the values joined along `axis`."""
    return torch.cat(list(values), axis)


@lowering("stack")
def stack(values: Sequence[Tensor], *, axis: int) -> Tensor:
    """Return the values joined along a new axis."""
    return torch.stack(list(values), axis)


@lowering("unstack")
def unstack(value: Tensor, *, axis: int) -> list[Tensor]:
    """Return the slices along `axis`, without that dimension."""
    return list(torch.unbind(value, axis))


@lowering("copy_n")
def copy_n(x: Tensor, *, times: int) -> list[Tensor]:
    """Return the same tensor several times."""
    return [x] * times


@lowering("add_n")
def add_n(x: Sequence[Tensor]) -> Tensor:
    """Return the sum, computed from the last tensor to the first as defined; 0 without any."""
    if not x:
        return torch.zeros(())
    *others, total = align(*x)
    for tensor in reversed(others):
        total = tensor + total
    result: Tensor = total
    return result
