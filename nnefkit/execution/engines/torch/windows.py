"""Windows over any dimensions of a tensor, as views."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

import torch

from nnefkit.execution.engines.torch.lowerings import Tensor
from nnefkit.operations.window import Window


def covers(window: Window, extents: tuple[int, ...]) -> tuple[int, ...] | None:
    """The dimensions that the window covers, if it does not slide at all."""
    axes = []
    for axis, (f, (p, q), s, d) in enumerate(window.axes):
        if p or q:
            return None
        if f == extents[axis] and d == 1 and (f > 1 or s == 1):
            axes.append(axis)
        elif f != 1 or s != 1:
            return None
    return tuple(axis for axis in axes if extents[axis] > 1)


def is_spatial(window: Window) -> bool:
    """Whether it slides over one to three spatial dimensions only."""
    return 1 <= len(window.size) - 2 <= 3 and all(
        (f, p, q, s) == (1, 0, 0, 1) for f, (p, q), s, _ in islice(window.axes, 2)
    )


def reduced(x: Tensor, window: Window, reduce: Callable[[Tensor, int], Tensor]) -> Tensor:
    """A padded tensor with each window reduced, one dimension after the other."""
    for axis, (f, _, s, d) in enumerate(window.axes):
        if f > 1:
            x = reduce(x.unfold(axis, (f - 1) * d + 1, s)[..., ::d], -1)
        elif s > 1:
            x = x[(slice(None),) * axis + (slice(None, None, s),)]
    return x


def windows(x: Tensor, window: Window) -> Tensor:
    """The items of each window of a padded tensor, in row-major order, as one last dimension."""
    rank = x.ndim
    for axis, (f, _, s, d) in enumerate(window.axes):
        x = x.unfold(axis, (f - 1) * d + 1, s)[..., ::d]
    return x.flatten(rank) if rank else x[..., None]


def down_shape(x: Tensor, window: Window) -> torch.Size:
    """The shape of the results of the windows of a padded tensor."""
    return torch.Size(
        (n - (f - 1) * d - 1) // s + 1 for n, (f, _, s, d) in zip(x.shape, window.axes, strict=True)
    )
