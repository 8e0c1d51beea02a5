"""Pooling and resampling of regions of interest (4.6), one region after the other."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from nnefkit.arrays import Shape
from nnefkit.execution.engines.torch.index_checks import refuse_export
from nnefkit.execution.engines.torch.lowerings import Tensor, lowering, widened
from nnefkit.execution.engines.torch.operations.resampling import interpolate
from nnefkit.execution.engines.torch.tensor_conversion import as_array
from nnefkit.operations.regions import (
    batch_items,
    cell_slices,
    region_corners,
    sample_positions,
    whole_corners,
)


@lowering("avg_roi_pool")
@widened
def avg_roi_pool(input: Tensor, rois: Tensor, batch_index: Tensor, *, output_size: Shape) -> Tensor:
    """Return the average of each cell of each region; 0 where it is outside of the feature map."""
    return _pooled(input, rois, batch_index, output_size, torch.mean)


@lowering("max_roi_pool")
def max_roi_pool(input: Tensor, rois: Tensor, batch_index: Tensor, *, output_size: Shape) -> Tensor:
    """Return the maximum of each cell of each region; 0 where it is outside of the feature map."""
    return _pooled(input, rois, batch_index, output_size, torch.amax)


def _pooled(
    input: Tensor,
    rois: Tensor,
    batch_index: Tensor,
    output_size: Shape,
    reduce: Callable[..., Tensor],
) -> Tensor:
    refuse_export("the positions of regions of interest")
    results = []
    corners = whole_corners(as_array(rois))
    batches = batch_items(as_array(batch_index), len(input))
    for (starts, stops), batch in zip(corners, batches, strict=True):
        image = input[batch]
        for axis, count in enumerate(output_size, 1):
            start, stop = int(starts[axis - 1]), int(stops[axis - 1])
            cells = cell_slices(start, stop, count, image.shape[axis])
            image = torch.stack([_cell(image, axis, cell, reduce) for cell in cells], axis)
        results.append(image)
    return torch.stack(results)


def _cell(image: Tensor, axis: int, cell: slice, reduce: Callable[..., Tensor]) -> Tensor:
    if cell.start >= cell.stop:
        return image.new_zeros((*image.shape[:axis], *image.shape[axis + 1 :]))
    return reduce(image.narrow(axis, cell.start, cell.stop - cell.start), axis)


@lowering("roi_resample")
@widened
def roi_resample(
    input: Tensor, rois: Tensor, batch_index: Tensor, *, output_size: Shape, method: str
) -> Any:
    """Return each region, resampled to the output size by linear interpolation."""
    refuse_export("the positions of regions of interest")
    results = []
    corners = region_corners(as_array(rois))
    batches = batch_items(as_array(batch_index), len(input))
    for (starts, stops), batch in zip(corners, batches, strict=True):
        image = input[batch]
        for axis, count in enumerate(output_size, 1):
            start, stop = float(starts[axis - 1]), float(stops[axis - 1])
            positions = sample_positions(start, stop, count, method)
            positions = positions.clip(0, image.shape[axis] - 1)
            first = np.floor(positions)
            image = interpolate(image, axis, first.astype(np.int64), positions - first)
        results.append(image)
    return torch.stack(results)


@lowering("avg_roi_align")
@widened
def avg_roi_align(input: Tensor, rois: Tensor, batch_index: Tensor, **attribs: Any) -> Tensor:
    """Return the average of the `sampling_rate` samples of each cell."""
    cells, axes = _resampled_cells(input, rois, batch_index, **attribs)
    total: Tensor = cells.sum(axes) / math.prod(attribs["sampling_rate"])
    return total


@lowering("max_roi_align")
@widened
def max_roi_align(input: Tensor, rois: Tensor, batch_index: Tensor, **attribs: Any) -> Tensor:
    """Return the maximum of the `sampling_rate` samples of each cell."""
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
    """Return the samples, and the axes along which a cell has several."""
    pairs = list(zip(output_size, sampling_rate, strict=True))
    size = tuple(count * rate for count, rate in pairs)
    fine = roi_resample(input, rois, batch_index, output_size=size, method=resize_method)
    cells: Tensor = fine.reshape(*fine.shape[:2], *(n for pair in pairs for n in pair))
    return cells, tuple(range(3, cells.ndim, 2))
