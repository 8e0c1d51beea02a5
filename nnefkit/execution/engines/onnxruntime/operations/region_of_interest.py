"""Pooling and resampling of regions of interest (4.6).

ONNX has operators of similar names that divide regions into cells differently: here the cells and
positions are computed in the graph by the formulas of `nnefkit.operations.regions`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nnefkit.arrays import Ints
from nnefkit.execution.engines.onnxruntime.builder import Builder, OnnxValue
from nnefkit.execution.engines.onnxruntime.lowerings import lowering
from nnefkit.execution.engines.onnxruntime.operations.box import avg_pool
from nnefkit.execution.engines.onnxruntime.operations.pooling import max_pool
from nnefkit.execution.engines.onnxruntime.primitives import (
    add,
    cast,
    compare,
    concat,
    div,
    from_zero,
    matmul,
    maximum,
    minimum,
    move_axis,
    mul,
    reduce,
    round_half_up,
    sliced,
    sub,
    unary,
    where,
)
from nnefkit.operations.window import Window


@lowering("avg_roi_pool")
def avg_roi_pool(
    b: Builder, input: OnnxValue, rois: OnnxValue, batch_index: OnnxValue, *, output_size: Ints
) -> OnnxValue:
    """Return the average of each cell of each region; 0 where it is outside of the feature map."""
    images = _images(b, input, batch_index)
    for axis, count in enumerate(output_size, 2):
        inside = cast(
            b, _cells(b, rois, axis - 2, len(output_size), count, images.shape[axis]), images.dtype
        )
        sizes = maximum(b, reduce(b, "ReduceSum", inside, [2]), 1.0)
        weights = div(b, inside, sizes)  # (regions, cells, extent)
        regions, _, extent = weights.shape
        columns = b.reshape(
            move_axis(b, weights, 2, 1), (regions, *[1] * (images.rank - 3), extent, count)
        )
        last = move_axis(b, images, axis, images.rank - 1)
        images = move_axis(b, matmul(b, last, columns), images.rank - 1, axis)
    return images


@lowering("max_roi_pool")
def max_roi_pool(
    b: Builder, input: OnnxValue, rois: OnnxValue, batch_index: OnnxValue, *, output_size: Ints
) -> OnnxValue:
    """Return the maximum of each cell of each region; 0 where it is outside of the feature map."""
    images = _images(b, input, batch_index)
    for axis, count in enumerate(output_size, 2):
        inside = _cells(b, rois, axis - 2, len(output_size), count, images.shape[axis])
        regions, _, extent = inside.shape
        results = []
        for cell in range(count):
            mask = b.reshape(
                sliced(b, inside, {1: (cell, cell + 1, 1)}),
                (regions, *(extent if a == axis else 1 for a in range(1, images.rank))),
            )
            highest = reduce(b, "ReduceMax", where(b, mask, images, -np.inf), [axis])
            some = reduce(b, "ReduceMax", cast(b, mask, np.int32), [axis])
            results.append(where(b, compare(b, "Greater", some, 0), highest, 0.0))
        images = concat(b, results, axis)
    return images


@lowering("roi_resample")
def roi_resample(
    b: Builder,
    input: OnnxValue,
    rois: OnnxValue,
    batch_index: OnnxValue,
    *,
    output_size: Ints,
    method: str,
) -> OnnxValue:
    """Return each region, resampled to the output size by linear interpolation."""
    images = _images(b, input, batch_index)
    for axis, count in enumerate(output_size, 2):
        positions = _positions(b, rois, axis - 2, len(output_size), count, method)
        last = float(images.shape[axis] - 1)
        positions = maximum(b, minimum(b, positions, last), 0.0)
        first = unary(b, "Floor", positions)
        fraction = sub(b, positions, first)
        between = compare(b, "Greater", fraction, 0.0)
        second = where(b, between, add(b, first, 1.0), first)
        front = move_axis(b, images, axis, 1)
        column = (*positions.shape, *[1] * (front.rank - 2))
        weight = b.reshape(cast(b, fraction, images.dtype), column)
        left = mul(b, _picked(b, front, first), sub(b, 1.0, weight))
        right = mul(b, _picked(b, front, second), weight)
        right = where(b, b.reshape(between, column), right, 0.0)  # zero times infinity is NaN
        images = move_axis(b, add(b, left, right), 1, axis)
    return images


@lowering("avg_roi_align")
def avg_roi_align(
    b: Builder, input: OnnxValue, rois: OnnxValue, batch_index: OnnxValue, **attribs: Any
) -> OnnxValue:
    """Return the average of the `sampling_rate` samples of each cell."""
    resized, window = _resized(b, input, rois, batch_index, **attribs)
    return avg_pool(b, resized, window=window)


@lowering("max_roi_align")
def max_roi_align(
    b: Builder, input: OnnxValue, rois: OnnxValue, batch_index: OnnxValue, **attribs: Any
) -> OnnxValue:
    """Return the maximum of the `sampling_rate` samples of each cell."""
    resized, window = _resized(b, input, rois, batch_index, **attribs)
    return max_pool(b, resized, window=window)


def _resized(
    b: Builder,
    input: OnnxValue,
    rois: OnnxValue,
    batch_index: OnnxValue,
    *,
    output_size: Ints,
    sampling_rate: Ints,
    resize_method: str,
) -> tuple[OnnxValue, Window]:
    """Return the resampled regions, and the window of the samples of a cell."""
    fine = [count * rate for count, rate in zip(output_size, sampling_rate, strict=True)]
    resized = roi_resample(b, input, rois, batch_index, output_size=fine, method=resize_method)
    return resized, Window.of_cells((1, 1, *sampling_rate))


def _images(b: Builder, input: OnnxValue, batch_index: OnnxValue) -> OnnxValue:
    """Return the batch entry of each region: (regions, channels, ...)."""
    regions = batch_index.shape[0]
    flat = from_zero(b, b.reshape(batch_index, (regions,)), input.shape[0])
    return b.node("Gather", [input, flat], (regions, *input.shape[1:]), axis=0)


def _corners(
    b: Builder, rois: OnnxValue, dimension: int, spatial: int
) -> tuple[OnnxValue, OnnxValue]:
    """Return the starts and ends of regions in one dimension, as columns of float64."""
    wide = cast(b, rois, np.float64)
    start = sliced(b, wide, {1: (dimension, dimension + 1, 1)})
    stop = sliced(b, wide, {1: (dimension + spatial, dimension + spatial + 1, 1)})
    return start, stop


def _cells(
    b: Builder, rois: OnnxValue, dimension: int, spatial: int, count: int, extent: int
) -> OnnxValue:
    """Return whether elements belong to cells along one dimension: (regions, cells, extent)."""
    start, stop = (
        cast(b, maximum(b, minimum(b, round_half_up(b, corner), 2.0**31), -(2.0**31)), np.int64)
        for corner in _corners(b, rois, dimension, spatial)
    )
    region = maximum(b, sub(b, stop, start), 1)
    size = div(b, add(b, region, count - 1), count)
    step = div(b, region, count)
    cells = b.constant(np.arange(count, dtype=np.int64)[None])
    starts = add(b, start, mul(b, cells, step))
    stops = add(b, starts, size)
    positions = b.constant(np.arange(extent, dtype=np.int64)[None, None])
    column = (*starts.shape, 1)
    begun = compare(b, "GreaterOrEqual", positions, b.reshape(starts, column))
    return compare(b, "And", begun, compare(b, "Less", positions, b.reshape(stops, column)))


def _positions(
    b: Builder, rois: OnnxValue, dimension: int, spatial: int, count: int, method: str
) -> OnnxValue:
    """Return the positions of the outputs in the feature map, in float64: (regions, outputs)."""
    start, stop = _corners(b, rois, dimension, spatial)
    extent = sub(b, stop, start)
    outputs = np.arange(count, dtype=np.float64)[None]
    if method == "aligned":
        step = div(b, maximum(b, sub(b, extent, 1.0), 0.0), float(max(count - 1, 1)))
        return add(b, start, mul(b, b.constant(outputs), step))
    step = div(b, extent, float(count))
    if method == "symmetric":
        return sub(b, add(b, start, mul(b, b.constant(outputs + 0.5), step)), 0.5)
    return add(b, start, mul(b, b.constant(outputs), step))


def _picked(b: Builder, images: OnnxValue, positions: OnnxValue) -> OnnxValue:
    """Return elements along axis 1, at different positions for each region."""
    indices = b.reshape(cast(b, positions, np.int64), (*positions.shape, 1))
    shape = (*positions.shape, *images.shape[2:])
    return b.node("GatherND", [images, indices], shape, batch_dims=1)
