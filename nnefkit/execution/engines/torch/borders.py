"""Padding of tensors in the border modes of 4.3."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import chain

import torch
from torch.nn import functional

from nnefkit.arrays import Array
from nnefkit.execution.engines.torch.lowerings import Tensor
from nnefkit.operations.borders import border_indices

Pairs = Sequence[tuple[int, int]]


def pad(x: Tensor, padding: Pairs, border: str = "constant", value: float = 0.0) -> Tensor:
    """Return `x` with its borders extended, or cropped where the padding is negative.

    Args:
        x: A tensor of any rank.
        padding: Extents before and after, for each dimension.
        border: The mode; 'constant' and 'ignore' fill with `value`.
        value: The number that fills the border.
    """
    if not any(map(any, padding)):
        return x
    if border in ("constant", "ignore"):
        return functional.pad(x, flat(padding), value=value)
    mode = "replicate" if border == "replicate" else "reflect" if border == "reflect" else None
    if mode is not None and _is_spatial(x, padding, mode):
        return functional.pad(x, flat(padding[2:]), mode)
    for axis, (before, after) in enumerate(padding):
        if before or after:
            positions = torch.from_numpy(_positions(int(x.shape[axis]), before, after, border))
            x = x.index_select(axis, positions.to(x.device))
    return x


def flat(padding: Pairs) -> list[int]:
    """Return a padding as PyTorch takes it: the last dimension first."""
    return list(chain.from_iterable(reversed(padding)))


def _is_spatial(x: Tensor, padding: Pairs, mode: str) -> bool:
    """Return whether PyTorch has the mode for this rank and padding."""
    if not 3 <= x.ndim <= 5 or any(padding[0]) or any(padding[1]):
        return False
    pairs = list(zip(padding[2:], x.shape[2:], strict=True))
    most = [extent - 1 if mode == "reflect" else max(p, q) for (p, q), extent in pairs]
    return all(
        min(pair) >= 0 and max(pair) <= top for (pair, _), top in zip(pairs, most, strict=True)
    )


@lru_cache(maxsize=512)
def _positions(extent: int, before: int, after: int, border: str) -> Array:
    # Not a tensor: while PyTorch traces a program, it would be a tensor without elements.
    return border_indices(extent, before, after, border)
