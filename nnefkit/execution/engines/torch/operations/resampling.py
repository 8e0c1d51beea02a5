"""Up- and down-sampling of the spatial dimensions by integer factors (4.3.4)."""

from __future__ import annotations

import math

import numpy as np
import torch

from nnefkit.arrays import Array, Shape
from nnefkit.execution.engines.torch.borders import pad
from nnefkit.execution.engines.torch.lowerings import Tensor, lowering, widened


@lowering("nearest_downsample")
def nearest_downsample(input: Tensor, *, factor: Shape) -> Tensor:
    """Return the first element of each cell."""
    return input[tuple(slice(None, None, f) for f in (1, 1, *factor))]


@lowering("area_downsample")
@widened
def area_downsample(input: Tensor, *, factor: Shape) -> Tensor:
    """Return the average of each cell."""
    pairs = [n for x, f in zip(input.shape[2:], factor, strict=True) for n in (x // f, f)]
    if not pairs:
        return input
    cells = input.reshape(*input.shape[:2], *pairs)
    return cells.sum(tuple(range(3, cells.ndim, 2))) / math.prod(factor)


@lowering("nearest_upsample")
def nearest_upsample(input: Tensor, *, factor: Shape) -> Tensor:
    """Return each element repeated over a cell."""
    extents = input.shape[2:]
    single = [n for x in extents for n in (x, 1)]
    pairs = [n for pair in zip(extents, factor, strict=True) for n in pair]
    cells = input.reshape(*input.shape[:2], *single).expand(*input.shape[:2], *pairs)
    return cells.reshape(*input.shape[:2], *(x * f for x, f in zip(extents, factor, strict=True)))


@lowering("multilinear_upsample")
@widened
def multilinear_upsample(input: Tensor, *, factor: Shape, method: str, border: str) -> Tensor:
    """Interpolate linearly, one dimension after the other."""
    output = input
    for axis in reversed(range(2, input.ndim)):
        f = factor[axis - 2]
        if f > 1 and method == "aligned":
            count = output.shape[axis] * f
            first, rest = np.divmod(np.arange(count) * (output.shape[axis] - 1), count - 1)
            output = interpolate(output, axis, first, rest / (count - 1))
        elif f > 1:
            output = _shifted(output, axis, f, method, border)
    return output


def _shifted(x: Tensor, axis: int, factor: int, method: str, border: str) -> Tensor:
    """Interpolate by 'symmetric' or 'asymmetric': the weights repeat after `factor` outputs."""
    extent = x.shape[axis]
    padding = [(0, 0)] * x.ndim
    padding[axis] = (1, 1)
    padded = pad(x, padding, border)
    phases = []
    for phase in range(factor):
        # The position in the input, times twice the factor.
        position = 2 * phase - (factor - 1 if method == "symmetric" else 0)
        first, rest = divmod(position, 2 * factor)
        left = padded.narrow(axis, first + 1, extent)
        if rest:
            right = padded.narrow(axis, first + 2, extent)
            weight = rest / (2 * factor)
            left = left * (1 - weight) + right * weight
        phases.append(left)
    return torch.stack(phases, axis + 1).flatten(axis, axis + 1)


def interpolate(x: Tensor, axis: int, first: Array, fraction: Array) -> Tensor:
    """Interpolate linearly along one axis.

    Args:
        x: A tensor of any rank.
        axis: The axis.
        first: Indices of the elements before the positions.
        fraction: Distances of the positions from these elements. At 0, the next element does not
            count, even if it is infinite or does not exist.
    """
    between = fraction > 0
    along = [1] * x.ndim
    along[axis] = -1
    weight = torch.as_tensor(fraction, dtype=x.dtype, device=x.device).reshape(along)
    left = x.index_select(axis, torch.as_tensor(first, device=x.device))
    right = x.index_select(
        axis, torch.as_tensor(np.where(between, first + 1, first), device=x.device)
    )
    inside = torch.as_tensor(between, device=x.device).reshape(along)
    return left * (1 - weight) + torch.where(inside, right * weight, 0)
