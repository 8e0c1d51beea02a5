"""Slicing, padding, tiling and gathering (4.5.4 to 4.5.7)."""

from __future__ import annotations

import torch

from nnefkit.arrays import Shape
from nnefkit.errors import ExecutionError
from nnefkit.execution.engines.torch import borders
from nnefkit.execution.engines.torch.index_checks import check_indices
from nnefkit.execution.engines.torch.lowerings import Argument, Tensor, lowering
from nnefkit.operations.slicing import slice_bounds


@lowering("slice")
def slice_(input: Tensor, *, axes: Shape, begin: Shape, end: Shape, stride: Shape) -> Tensor:
    """Return the elements from `begin` (inclusive) to `end` (exclusive)."""
    extents = [input.shape[axis] for axis in axes]
    bounds = slice_bounds(extents, begin, end, stride)
    result = input
    for axis, (first, last, step) in zip(axes, bounds, strict=True):
        whole = (slice(None),) * axis
        if step > 0:
            result = result[(*whole, slice(first, max(first, last), step))]
            continue
        # Slices of PyTorch have positive steps only.
        count = max(-((first - last) // step), 0)
        low = first + (count - 1) * step
        result = result[(*whole, slice(low, low - count * step, -step))].flip(axis)
    return result


@lowering("pad")
def pad(
    input: Tensor, *, padding: tuple[tuple[int, int], ...], border: str, value: float
) -> Tensor:
    """Return the input with its borders extended or cropped."""
    return borders.pad(input, padding, border, value)


@lowering("tile")
def tile(input: Tensor, *, repeats: Shape) -> Tensor:
    """Return the input repeated."""
    return input.repeat(repeats) if repeats else input


@lowering("gather")
def gather(input: Tensor, indices: Argument, *, axis: int) -> Tensor:
    """Return the elements at `indices` along `axis`.

    Raises:
        ExecutionError: An index is negative or not less than the extent.
    """
    positions = torch.as_tensor(indices, device=input.device).long()
    extent = input.shape[axis]

    def refusal(index: int) -> ExecutionError:
        return ExecutionError(
            f"'indices' has {index}, but axis {axis} of the input has {extent} elements",
            hint=f"Indices count from 0 to {extent - 1}.",
            section="4.5.7",
        )

    check_indices(positions, extent, refusal)
    selected = input.index_select(axis, positions.reshape(-1))
    return selected.reshape((*input.shape[:axis], *positions.shape, *input.shape[axis + 1 :]))
