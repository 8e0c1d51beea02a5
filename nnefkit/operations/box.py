"""Box filters (4.3.2), and the averages made of them (4.9.3)."""

from __future__ import annotations

import math

import numpy as np

from nnefkit.arrays import Array, Ints, Padding, Shape
from nnefkit.operations.borders import pad
from nnefkit.operations.precision import quiet, widened
from nnefkit.operations.registry import Problems, kernel, shape_rule
from nnefkit.operations.sliding_window import (
    check_output_shape,
    check_window,
    checked_down_extents,
    checked_up_extents,
    reverse_extension,
    reverse_tap,
    reverse_window,
    true_counts,
    window,
)
from nnefkit.operations.window_reduction import reduce_windows


@shape_rule("box")
def box_shape(
    input: Shape,
    *,
    size: Ints,
    border: str,
    padding: Padding,
    stride: Ints,
    dilation: Ints,
    normalize: bool = False,  # noqa: ARG001
    section: str = "4.3.2",
) -> Shape:
    """The down-scaled shape of windows over all dimensions, batch and channels included.

    Raises:
        ArgumentError: with all that breaks the rules of 4.3.2.
    """
    problems = Problems(section)
    result: Shape = ()
    if check_window(problems, len(input), size, padding, stride, dilation, border):
        result = checked_down_extents(problems, input, size, padding, stride, dilation)
    problems.done()
    return result


@shape_rule("avg_pool", "rms_pool")
def pool_shape(
    input: Shape, *, size: Ints, border: str, padding: Padding, stride: Ints, dilation: Ints
) -> Shape:
    """The down-scaled shape, as that of `box`.

    Raises:
        ArgumentError: with all that breaks the rules of 4.3.2.
    """
    return box_shape(
        input,
        size=size,
        border=border,
        padding=padding,
        stride=stride,
        dilation=dilation,
        section="4.9.3",
    )


@shape_rule("debox")
def debox_shape(
    input: Shape,
    *,
    size: Ints,
    border: str,
    padding: Padding,
    stride: Ints,
    dilation: Ints,
    output_shape: Ints,
    normalize: bool,  # noqa: ARG001
) -> Shape:
    """The up-scaled shape of windows over all dimensions, batch and channels included.

    Raises:
        ArgumentError: with all that breaks the rules of 4.3.2.
    """
    problems = Problems("4.3.2")
    result: Shape = ()
    shaped = check_output_shape(problems, output_shape, (), len(input))
    if check_window(problems, len(input), size, padding, stride, dilation, border):
        wanted = output_shape if shaped else ()
        result = checked_up_extents(problems, input, size, padding, stride, dilation, wanted)
    problems.done()
    return result


@kernel("box")
@quiet
@widened
def box(
    input: Array,
    *,
    size: Ints,
    border: str,
    padding: Padding,
    stride: Ints,
    dilation: Ints,
    normalize: bool,
) -> Array:
    """The sum, or where `normalize` is set the average, of each window."""
    slid = window(input.shape, size, padding, stride, dilation)
    sums = reduce_windows(input, slid, border, np.add)
    if not normalize:
        return sums
    if border == "ignore":
        for axis, counts in enumerate(true_counts(input.shape, slid)):
            sums = _divided(sums, counts.reshape(-1, *[1] * (input.ndim - axis - 1)))
        return sums
    return _divided(sums, math.prod(size))


def _divided(sums: Array, by: Array | int) -> Array:
    if sums.dtype.kind != "f":
        return np.asarray(sums / by, np.float32)
    sums /= np.asarray(by, sums.dtype)
    return sums


@kernel("avg_pool")
def avg_pool(
    input: Array, *, size: Ints, border: str, padding: Padding, stride: Ints, dilation: Ints
) -> Array:
    """The average of each window: a normalized `box`."""
    average: Array = box(
        input,
        size=size,
        border=border,
        padding=padding,
        stride=stride,
        dilation=dilation,
        normalize=True,
    )
    return average


@kernel("rms_pool")
@quiet
@widened
def rms_pool(
    input: Array, *, size: Ints, border: str, padding: Padding, stride: Ints, dilation: Ints
) -> Array:
    """The root of the average square of each window."""
    average = avg_pool(
        input * input, size=size, border=border, padding=padding, stride=stride, dilation=dilation
    )
    return np.asarray(np.sqrt(average))


@kernel("debox")
@quiet
@widened
def debox(
    input: Array,
    *,
    size: Ints,
    border: str,
    padding: Padding,
    stride: Ints,
    dilation: Ints,
    output_shape: Ints,
    normalize: bool,
) -> Array:
    """Adds each item of the input to all the positions that `box` sums up for it.

    A normalized one is divided by the volume of the window, whatever the border.
    """
    extents, slid = reverse_window(input.shape, size, padding, stride, dilation, output_shape)
    extension = ((0, 0),) * input.ndim
    items = input
    if border not in ("constant", "ignore"):
        extension = reverse_extension(input.shape, extents, slid)
        items = pad(input, extension, border)
    for axis, (f, (p, _), s, d) in enumerate(zip(*slid, strict=True)):
        start = -p - extension[axis][0] * s
        items = _spread(items, axis, extents[axis], f, s, d, start)
    if items is input:
        items = input.copy()
    return _divided(items, math.prod(size)) if normalize else items


def _spread(
    array: Array, axis: int, extent: int, size: int, stride: int, dilation: int, start: int
) -> Array:
    """Spreads the items along one axis: the first one begins at position `start`."""
    if size == 1 and stride == 1 and start == 0 and array.shape[axis] == extent:
        return array
    before = (slice(None),) * axis
    result = np.zeros((*array.shape[:axis], extent, *array.shape[axis + 1 :]), array.dtype)
    for j in range(size):
        pair = reverse_tap(array.shape[axis], extent, stride, start + j * dilation)
        if pair is not None:
            source, target = pair
            result[(*before, target)] += array[(*before, source)]
    return result
