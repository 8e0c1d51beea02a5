"""Pooling and resampling of regions of interest (4.6).

A region is a row of `rois`: the first corner, then the second, as (y0, x0, y1, x1) in two
dimensions; it extends from y0 (inclusive) to y1 (exclusive). Pooling ignores positions outside of
the feature map, resampling replaces them by the nearest element.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from nnefkit.arrays import Array, Ints, Shape
from nnefkit.display.numbers import plural
from nnefkit.operations.axis_rules import check_positive
from nnefkit.operations.flop_rules import elements
from nnefkit.operations.precision import quiet, widened
from nnefkit.operations.regions import (
    batch_items,
    cell_slices,
    region_corners,
    sample_positions,
    whole_corners,
)
from nnefkit.operations.registry import AT_MOST, Problems, advice, flops, kernel, shape_rule
from nnefkit.operations.resampling import check_method, interpolate
from nnefkit.operations.window import Window
from nnefkit.operations.window_reduction import reduce_windows


@shape_rule("avg_roi_pool", "max_roi_pool")
def roi_pool_shape(input: Shape, rois: Shape, batch_index: Shape, *, output_size: Ints) -> Shape:
    """Return the shape (N,C,...) for N regions, the spatial extents being `output_size`.

    Raises:
        ArgumentError: One diagnostic for each violated rule of section 4.6.1.
    """
    problems = Problems("4.6.1")
    _check_regions(problems, input, rois, batch_index, output_size)
    problems.done()
    return (rois[0], input[1], *output_size)


@shape_rule("roi_resample")
def roi_resample_shape(
    input: Shape, rois: Shape, batch_index: Shape, *, output_size: Ints, method: str
) -> Shape:
    """Return the shape (N,C,...) for N regions, the spatial extents being `output_size`.

    Raises:
        ArgumentError: One diagnostic for each violated rule of section 4.6.2.
    """
    problems = Problems("4.6.2")
    _check_regions(problems, input, rois, batch_index, output_size)
    check_method(problems, "method", method)
    problems.done()
    return (rois[0], input[1], *output_size)


@shape_rule("avg_roi_align", "max_roi_align")
def roi_align_shape(
    input: Shape,
    rois: Shape,
    batch_index: Shape,
    *,
    output_size: Ints,
    sampling_rate: Ints,
    resize_method: str,
) -> Shape:
    """Return the shape (N,C,...) for N regions, the spatial extents being `output_size`.

    Raises:
        ArgumentError: One diagnostic for each violated rule of section 4.6.2.
    """
    problems = Problems("4.6.2")
    _check_regions(problems, input, rois, batch_index, output_size)
    _check_spatial(problems, "sampling_rate", sampling_rate, len(input) - 2)
    check_method(problems, "resize_method", resize_method)
    problems.done()
    return (rois[0], input[1], *output_size)


def _check_regions(
    problems: Problems, input: Shape, rois: Shape, batch_index: Shape, output_size: Ints
) -> None:
    if len(input) < 3:
        problems.add(
            "input",
            f"the input has rank {len(input)}, but spatial dimensions are needed",
            "Its dimensions are batch, channels, and then the spatial ones.",
        )
        return
    spatial = len(input) - 2
    if len(rois) != 2 or rois[1] != 2 * spatial:
        problems.add(
            "rois",
            f"'rois' has the shape {list(rois)}, but each region has {2 * spatial} coordinates",
            f"Its shape is [N, {2 * spatial}] for N regions: first corner, then second corner.",
            code="shape-mismatch",
        )
    elif tuple(batch_index) not in ((rois[0], 1), (rois[0],)):
        problems.add(
            "batch_index",
            f"'batch_index' has the shape {list(batch_index)} for {rois[0]} regions",
            f"Its shape is [{rois[0]}, 1].",
            code="shape-mismatch",
        )
    _check_spatial(problems, "output_size", output_size, spatial)


@advice("avg_roi_pool", "max_roi_pool", "roi_resample", "avg_roi_align", "max_roi_align")
def roi_advice(_input: Shape, rois: Shape, batch_index: Shape, **_: Any) -> Problems:
    """Warn about a batch index of shape (N), which existing tools write and some require."""
    problems = Problems("4.6")
    if len(batch_index) == 1:
        problems.add(
            "batch_index",
            f"'batch_index' has the shape {list(batch_index)}, not {[rois[0], 1]}",
            "It is accepted, but the specification requires two dimensions.",
            code="shape-mismatch",
            severity="warning",
        )
    return problems


def _check_spatial(problems: Problems, argument: str, items: Ints, spatial: int) -> None:
    if len(items) != spatial:
        problems.add(
            argument,
            f"'{argument}' has {plural(len(items), 'element')}, "
            f"but the input has {spatial} spatial dimensions",
            "Write one element for each spatial dimension; batch and channels do not count here.",
            code="shape-mismatch",
        )
    else:
        check_positive(problems, items, argument)


@kernel("avg_roi_pool")
@quiet
@widened
def avg_roi_pool(input: Array, rois: Array, batch_index: Array, *, output_size: Ints) -> Array:
    """Return the average of each cell of each region, 0 for cells outside of the feature map.

    Raises:
        ArgumentError: A coordinate is NaN or infinite, or a batch index is out of range.
    """

    def average(items: Array, axis: int) -> Array:
        return np.asarray(np.mean(items, axis))

    return _pooled(input, rois, batch_index, output_size, average)


@kernel("max_roi_pool")
@quiet
def max_roi_pool(input: Array, rois: Array, batch_index: Array, *, output_size: Ints) -> Array:
    """Return the maximum of each cell of each region, 0 for cells outside of the feature map.

    Raises:
        ArgumentError: A coordinate is NaN or infinite, or a batch index is out of range.
    """

    def maximum(items: Array, axis: int) -> Array:
        return np.asarray(np.max(items, axis))

    return _pooled(input, rois, batch_index, output_size, maximum)


def _pooled(
    input: Array,
    rois: Array,
    batch_index: Array,
    output_size: Ints,
    reduce: Callable[[Array, int], Array],
) -> Array:
    corners = whole_corners(rois)
    batches = batch_items(batch_index, len(input))
    output = np.zeros((len(rois), input.shape[1], *output_size), input.dtype)
    for result, (starts, stops), batch in zip(output, corners, batches, strict=True):
        items = input[batch]
        for axis, cells in enumerate(output_size, 1):
            start, stop = int(starts[axis - 1]), int(stops[axis - 1])
            ranges = cell_slices(start, stop, cells, items.shape[axis])
            items = _reduce_cells(items, axis, ranges, reduce)
        result[...] = items
    return output


def _reduce_cells(
    items: Array, axis: int, ranges: Sequence[slice], reduce: Callable[[Array, int], Array]
) -> Array:
    shape = (*items.shape[:axis], len(ranges), *items.shape[axis + 1 :])
    result = np.zeros(shape, items.dtype)
    before = (slice(None),) * axis
    for index, cell in enumerate(ranges):
        if cell.start < cell.stop:
            target: Any = (*before, index)
            result[target] = reduce(items[(*before, cell)], axis)
    return result


@kernel("roi_resample")
@quiet
@widened
def roi_resample(
    input: Array, rois: Array, batch_index: Array, *, output_size: Ints, method: str
) -> Array:
    """Return each region, resampled to the output size by linear interpolation.

    Raises:
        ArgumentError: A coordinate is NaN or infinite, or a batch index is out of range.
    """
    corners = region_corners(rois)
    batches = batch_items(batch_index, len(input))
    output = np.empty((len(rois), input.shape[1], *output_size), input.dtype)
    for result, (starts, stops), batch in zip(output, corners, batches, strict=True):
        items = input[batch]
        for axis, count in enumerate(output_size, 1):
            start, stop = float(starts[axis - 1]), float(stops[axis - 1])
            places = sample_positions(start, stop, count, method).clip(0, items.shape[axis] - 1)
            first = np.floor(places)
            items = interpolate(items, axis, first.astype(np.intp), places - first)
        result[...] = items
    return output


@kernel("avg_roi_align")
@quiet
@widened
def avg_roi_align(
    input: Array,
    rois: Array,
    batch_index: Array,
    *,
    output_size: Ints,
    sampling_rate: Ints,
    resize_method: str,
) -> Array:
    """Return the average of the `sampling_rate` resampled elements of each cell.

    Raises:
        ArgumentError: A coordinate is NaN or infinite, or a batch index is out of range.
    """
    resized = _resized(input, rois, batch_index, output_size, sampling_rate, resize_method)
    output = reduce_windows(resized, Window.of_cells((1, 1, *sampling_rate)), np.add)
    output /= np.asarray(math.prod(sampling_rate), output.dtype)
    return output


@kernel("max_roi_align")
@quiet
@widened
def max_roi_align(
    input: Array,
    rois: Array,
    batch_index: Array,
    *,
    output_size: Ints,
    sampling_rate: Ints,
    resize_method: str,
) -> Array:
    """Return the maximum of the `sampling_rate` resampled elements of each cell.

    Raises:
        ArgumentError: A coordinate is NaN or infinite, or a batch index is out of range.
    """
    resized = _resized(input, rois, batch_index, output_size, sampling_rate, resize_method)
    return reduce_windows(resized, Window.of_cells((1, 1, *sampling_rate)), np.maximum)


def _resized(
    input: Array,
    rois: Array,
    batch_index: Array,
    output_size: Ints,
    sampling_rate: Ints,
    method: str,
) -> Array:
    size = [count * rate for count, rate in zip(output_size, sampling_rate, strict=True)]
    resized: Array = roi_resample(input, rois, batch_index, output_size=size, method=method)
    return resized


@flops("avg_roi_pool", "max_roi_pool")
def roi_pool_flops(inputs: Sequence[Any], outputs: Sequence[Any], attribs: dict[str, Any]) -> int:
    """At most: 1 for each element of the map and region: add or max; + 1 for each average: div."""
    (_, channels, *extents), regions, *_ = inputs
    # Neighboring cells share at most one row of elements.
    sizes = zip(extents, attribs["output_size"], strict=True)
    covered = math.prod(extent + cells - 1 for extent, cells in sizes)
    return int(regions[0] * channels * covered + elements(outputs[0]))


AT_MOST.update(("avg_roi_pool", "max_roi_pool"))


@flops("roi_resample")
def roi_resample_flops(
    inputs: Sequence[Any], outputs: Sequence[Any], _attribs: dict[str, Any]
) -> int:
    """2 * 2^d for each result: mul, add; d is the number of spatial dimensions."""
    return (2 << (len(inputs[0]) - 2)) * elements(outputs[0])


@flops("avg_roi_align")
def avg_roi_align_flops(
    inputs: Sequence[Any], outputs: Sequence[Any], attribs: dict[str, Any]
) -> int:
    """(2 * 2^d + 1) * the sampling rates + 1 for each result: roi_resample; add, div."""
    return max_roi_align_flops(inputs, outputs, attribs) + elements(outputs[0])


@flops("max_roi_align")
def max_roi_align_flops(
    inputs: Sequence[Any], outputs: Sequence[Any], attribs: dict[str, Any]
) -> int:
    """(2 * 2^d + 1) * the sampling rates for each result: roi_resample; the comparison."""
    each = (2 << (len(inputs[0]) - 2)) + 1
    return int(each * math.prod(attribs["sampling_rate"]) * elements(outputs[0]))
