"""Splitting and concatenation (4.5.3), copies and sums of several tensors (4.9.6)."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from nnefkit.execution.engines.torch.broadcasting import align
from nnefkit.execution.engines.torch.lowerings import Tensor, lowering


@lowering("split")
def split(value: Tensor, *, axis: int, ratios: tuple[int, ...]) -> list[Tensor]:
    """The parts, in their order along `axis`."""
    unit = value.shape[axis] // sum(ratios)
    return list(torch.split(value, [unit * ratio for ratio in ratios], axis))


@lowering("concat")
def concat(values: Sequence[Tensor], *, axis: int) -> Tensor:
    """The values one behind the other along `axis`."""
    return torch.cat(list(values), axis)


@lowering("stack")
def stack(values: Sequence[Tensor], *, axis: int) -> Tensor:
    """The values side by side along a new axis."""
    return torch.stack(list(values), axis)


@lowering("unstack")
def unstack(value: Tensor, *, axis: int) -> list[Tensor]:
    """The slices along `axis`, without it."""
    return list(torch.unbind(value, axis))


@lowering("copy_n")
def copy_n(x: Tensor, *, times: int) -> list[Tensor]:
    """The same tensor several times."""
    return [x] * times


@lowering("add_n")
def add_n(x: Sequence[Tensor]) -> Tensor:
    """The sum, from the last tensor to the first as the definition has it; 0 of none."""
    if not x:
        return torch.zeros(())
    *others, total = align(*x)
    for item in reversed(others):
        total = item + total
    result: Tensor = total
    return result
