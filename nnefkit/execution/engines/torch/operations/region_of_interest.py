"""Pooling and resampling of regions of interest (4.6), one region after the other."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from nnefkit.arrays import Shape
from nnefkit.errors import ArgumentError
from nnefkit.execution.engines.torch.lowerings import Tensor, lowering, widened
from nnefkit.execution.engines.torch.operations.resampling import interpolate

_FAR = 2.0**31
"""No feature map reaches so far."""


@lowering("avg_roi_pool")
@widened
def avg_roi_pool(input: Tensor, rois: Tensor, batch_index: Tensor, *, output_size: Shape) -> Tensor:
    """The average of each cell of each region; 0 where a cell lies outside of the feature map."""
    return _pooled(input, rois, batch_index, output_size, torch.mean)


@lowering("max_roi_pool")
def max_roi_pool(input: Tensor, rois: Tensor, batch_index: Tensor, *, output_size: Shape) -> Tensor:
    """The maximum of each cell of each region; 0 where a cell lies outside of the feature map."""
    return _pooled(input, rois, batch_index, output_size, torch.amax)


def _pooled(
    input: Tensor,
    rois: Tensor,
    batch_index: Tensor,
    output_size: Shape,
    reduce: Callable[..., Tensor],
) -> Tensor:
    results = []
    corners = np.clip(np.floor(_corners(rois) + 0.5), -_FAR, _FAR).astype(np.int64)
    for (starts, stops), batch in zip(corners, _batches(batch_index, len(input)), strict=True):
        items = input[batch]
        for axis, count in enumerate(output_size, 1):
            start, stop = int(starts[axis - 1]), int(stops[axis - 1])
            cells = _cells(start, stop, count, items.shape[axis])
            items = torch.stack([_cell(items, axis, *cell, reduce) for cell in cells], axis)
        results.append(items)
    return torch.stack(results)


def _cells(start: int, stop: int, count: int, extent: int) -> list[tuple[int, int]]:
    """Begin and end of the cells of a region along one dimension, cut to the feature map (4.6.1).

    Cells follow each other in steps of the rounded down part of the region that each has, and have
    the extent of the rounded up part. An empty region counts as one of extent 1.
    """
    region = max(stop - start, 1)
    size, step = -(-region // count), region // count
    firsts = [start + i * step for i in range(count)]
    return [(min(max(first, 0), extent), min(max(first + size, 0), extent)) for first in firsts]


def _cell(items: Tensor, axis: int, start: int, stop: int, reduce: Callable[..., Tensor]) -> Tensor:
    if start >= stop:
        return items.new_zeros((*items.shape[:axis], *items.shape[axis + 1 :]))
    return reduce(items.narrow(axis, start, stop - start), axis)


@lowering("roi_resample")
@widened
def roi_resample(
    input: Tensor, rois: Tensor, batch_index: Tensor, *, output_size: Shape, method: str
) -> Any:
    """Each region, resampled to the output size by linear interpolation."""
    results = []
    batches = _batches(batch_index, len(input))
    for (starts, stops), batch in zip(_corners(rois), batches, strict=True):
        items = input[batch]
        for axis, count in enumerate(output_size, 1):
            places = _places(float(starts[axis - 1]), float(stops[axis - 1]), count, method)
            places = places.clip(0, items.shape[axis] - 1)
            first = np.floor(places)
            items = interpolate(items, axis, first.astype(np.int64), places - first)
        results.append(items)
    return torch.stack(results)


def _places(start: float, stop: float, count: int, method: str) -> Any:
    """Where in the feature map the outputs lie: 4.3.4 with the factor count / (stop - start)."""
    outputs = np.arange(count, dtype=np.float64)
    extent = stop - start
    if method == "aligned":
        return start + outputs * (max(extent - 1, 0) / max(count - 1, 1))
    if method == "symmetric":
        return start + (outputs + 0.5) * (extent / count) - 0.5
    return start + outputs * (extent / count)


@lowering("avg_roi_align")
@widened
def avg_roi_align(input: Tensor, rois: Tensor, batch_index: Tensor, **attribs: Any) -> Tensor:
    """The average of the `sampling_rate` resampled items of each cell."""
    cells, axes = _resampled_cells(input, rois, batch_index, **attribs)
    total: Tensor = cells.sum(axes) / math.prod(attribs["sampling_rate"])
    return total


@lowering("max_roi_align")
@widened
def max_roi_align(input: Tensor, rois: Tensor, batch_index: Tensor, **attribs: Any) -> Tensor:
    """The maximum of the `sampling_rate` resampled items of each cell."""
    cells, axes = _resampled_cells(input, rois, batch_index, **attribs)
    return torch.amax(cells, axes)


def _resampled_cells(
    input: Tensor,
    rois: Tensor,
    batch_index: Tensor,
    *,
    output_size: Shape,
    sampling_rate: Shape,
    resize_method: str,
) -> tuple[Tensor, Shape]:
    """The resampled items, and the axes along which a cell has several."""
    pairs = list(zip(output_size, sampling_rate, strict=True))
    size = tuple(count * rate for count, rate in pairs)
    fine = roi_resample(input, rois, batch_index, output_size=size, method=resize_method)
    cells: Tensor = fine.reshape(*fine.shape[:2], *(n for pair in pairs for n in pair))
    return cells, tuple(range(3, cells.ndim, 2))


def _corners(rois: Tensor) -> Any:
    """The corners of the regions: (N, 2, M) in float64."""
    corners = rois.detach().double().cpu().numpy()
    if not np.isfinite(corners).all():
        row = int(np.argwhere(~np.isfinite(corners))[0, 0])
        raise ArgumentError(
            f"region {row} of 'rois' has coordinates that are no finite numbers: "
            f"{corners[row].tolist()}",
            argument="rois",
            section="4.6",
        )
    return corners.reshape(len(corners), 2, -1)


def _batches(batch_index: Tensor, batch: int) -> list[int]:
    """The batch item of each region."""
    batches = [int(index) for index in batch_index.flatten().tolist()]
    for row, index in enumerate(batches):
        if not 0 <= index < batch:
            raise ArgumentError(
                f"'batch_index' of region {row} is {index}, but the input has {batch} batch items",
                argument="batch_index",
                hint=f"It counts from 0 to {batch - 1}.",
                section="4.6",
            )
    return batches
