"""The geometry of regions of interest (4.6): corners, cells and sample positions.

The reference kernels and the engines share these functions, so that all of them divide regions
in the same way.
"""

from __future__ import annotations

import numpy as np

from nnefkit.arrays import Array
from nnefkit.errors import ArgumentError

_FAR = 2.0**31
"""Bound of all coordinates, larger than any feature map."""


def region_corners(rois: Array) -> Array:
    """Return the first and last corners of regions.

    Args:
        rois: The regions as rows of coordinates: (N, 2 * spatial dimensions).

    Returns:
        An array of float64 and shape (N, 2, spatial dimensions).

    Raises:
        ArgumentError: A coordinate is infinite or NaN.
    """
    if not np.isfinite(rois).all():
        row = int(np.argwhere(~np.isfinite(rois))[0, 0])
        raise ArgumentError(
            f"region {row} of 'rois' has coordinates that are not finite: {rois[row].tolist()}",
            argument="rois",
            section="4.6",
        )
    return rois.astype(np.float64).reshape(len(rois), 2, -1)


def whole_corners(rois: Array) -> Array:
    """Return the corners as `region_corners` does, rounded to integers for pooling."""
    corners = np.floor(region_corners(rois) + 0.5)
    return np.clip(corners, -_FAR, _FAR).astype(np.int64)


def batch_items(batch_index: Array, batch: int) -> list[int]:
    """Return the index of the batch element that each region is in.

    Args:
        batch_index: Indices of shape (N, 1) or (N,).
        batch: Number of batch elements of the input.

    Raises:
        ArgumentError: An index is out of range.
    """
    items = [int(index) for index in batch_index.reshape(-1)]
    for row, index in enumerate(items):
        if not 0 <= index < batch:
            raise ArgumentError(
                f"'batch_index' of region {row} is {index}, "
                f"but the batch extent of the input is {batch}",
                argument="batch_index",
                hint=f"It counts from 0 to {batch - 1}.",
                section="4.6",
            )
    return items


def cell_slices(start: int, stop: int, count: int, extent: int) -> list[slice]:
    """Return the cells of a region along one dimension, clipped to the feature map (4.6.1).

    Cells start at the start of the region. The distance between their starts is the region's
    extent divided by `count`, rounded down; their extent is that quotient rounded up. Thus all
    cells are within a region of at least `count` elements. An empty region is treated as one of
    extent 1.

    Args:
        start: First position of the region.
        stop: The position after its last one.
        count: Number of cells.
        extent: The extent of the feature map.
    """
    region = max(stop - start, 1)
    size, step = -(-region // count), region // count
    firsts = [start + i * step for i in range(count)]
    return [
        slice(min(max(first, 0), extent), min(max(first + size, 0), extent)) for first in firsts
    ]


def sample_positions(start: float, stop: float, count: int, method: str) -> Array:
    """Return the positions in the feature map at which a region is sampled along one dimension.

    They follow the formulas of 4.3.4 with the factor ``count / (stop - start)``.

    Args:
        start: The start of the region.
        stop: Its end.
        count: Number of samples.
        method: 'symmetric', 'asymmetric' or 'aligned'.
    """
    outputs = np.arange(count, dtype=np.float64)
    extent = stop - start
    if method == "aligned":
        return start + outputs * (max(extent - 1, 0) / max(count - 1, 1))
    if method == "symmetric":
        return start + (outputs + 0.5) * (extent / count) - 0.5
    return start + outputs * (extent / count)
