"""Box filters (4.3.2), and the average pools built on them (4.9.3)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from nnefkit.arrays import Array, Ints, Shape
from nnefkit.operations.borders import pad
from nnefkit.operations.flop_rules import elements, window_size
from nnefkit.operations.precision import quiet, widened
from nnefkit.operations.registry import Problems, flops, kernel, shape_rule
from nnefkit.operations.window import Window, reverse_tap, windowed
from nnefkit.operations.window_reduction import reduce_windows
from nnefkit.operations.window_rules import (
    check_output_shape,
    check_window,
    checked_down_extents,
    checked_up_extents,
)


@shape_rule("box")
@windowed
def box_shape(
    input: Shape,
    *,
    window: Window,
    normalize: bool = False,  # noqa: ARG001
    section: str = "4.3.2",
) -> Shape:
    """Return the down-scaled shape of windows over all dimensions, batch and channels included.

    Raises:
        ArgumentError: One diagnostic for each violated rule of section 4.3.2.
    """
    problems = Problems(section)
    result: Shape = ()
    if check_window(problems, window, len(input)):
        result = checked_down_extents(problems, window, input)
    problems.done()
    return result


@shape_rule("avg_pool", "rms_pool")
@windowed
def pool_shape(input: Shape, *, window: Window) -> Shape:
    """Return the same down-scaled shape as `box`.

    Raises:
        ArgumentError: One diagnostic for each violated rule of section 4.3.2.
    """
    return box_shape(input, window=window, section="4.9.3")


@shape_rule("debox")
@windowed
def debox_shape(
    input: Shape,
    *,
    window: Window,
    output_shape: Ints,
    normalize: bool,  # noqa: ARG001
) -> Shape:
    """Return the up-scaled shape of windows over all dimensions, batch and channels included.

    Raises:
        ArgumentError: One diagnostic for each violated rule of section 4.3.2.
    """
    problems = Problems("4.3.2")
    result: Shape = ()
    shaped = check_output_shape(problems, output_shape, (), len(input))
    if check_window(problems, window, len(input)):
        result = checked_up_extents(problems, window, input, output_shape if shaped else ())
    problems.done()
    return result


@kernel("box")
@quiet
@widened
@windowed
def box(input: Array, *, window: Window, normalize: bool) -> Array:
    """Return the sum of each window, or its average if `normalize` is set."""
    window = window.over(input.shape)
    sums = reduce_windows(input, window, np.add)
    if not normalize:
        return sums
    if window.border == "ignore":
        for axis, counts in enumerate(window.true_counts(input.shape)):
            sums = _divided(sums, counts.reshape(-1, *[1] * (input.ndim - axis - 1)))
        return sums
    return _divided(sums, math.prod(window.size))


def _divided(sums: Array, by: Array | int) -> Array:
    if sums.dtype.kind != "f":
        return np.asarray(sums / by, np.float32)
    sums /= np.asarray(by, sums.dtype)
    return sums


@kernel("avg_pool")
@windowed
def avg_pool(input: Array, *, window: Window) -> Array:
    """Return the average of each window: a normalized `box`."""
    return box(input, window=window, normalize=True)


@kernel("rms_pool")
@quiet
@widened
@windowed
def rms_pool(input: Array, *, window: Window) -> Array:
    """Return the root mean square of each window."""
    return np.asarray(np.sqrt(avg_pool(input * input, window=window)))


@kernel("debox")
@quiet
@widened
@windowed
def debox(input: Array, *, window: Window, output_shape: Ints, normalize: bool) -> Array:
    """Add each element of the input to all positions that `box` sums into it.

    If normalized, the result is divided by the volume of the window, whatever the border.
    """
    extents, window = window.reversed(input.shape, output_shape)
    extension = ((0, 0),) * input.ndim
    items = input
    if window.border not in ("constant", "ignore"):
        extension = window.reverse_extension(input.shape, extents)
        items = pad(input, extension, window.border)
    for axis, (f, (p, _), s, d) in enumerate(window.axes):
        start = -p - extension[axis][0] * s
        items = _spread(items, axis, extents[axis], f, s, d, start)
    if items is input:
        items = input.copy()
    return _divided(items, math.prod(window.size)) if normalize else items


def _spread(
    array: Array, axis: int, extent: int, size: int, stride: int, dilation: int, start: int
) -> Array:
    """Spread the elements along one axis, the first one from position `start` on."""
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


@flops("box")
def box_flops(_inputs: Sequence[Any], outputs: Sequence[Any], attribs: dict[str, Any]) -> int:
    """The size of the window for each result: add; + 1 for each result if normalize: div."""
    entries: int = window_size(attribs) + bool(attribs["normalize"])
    return entries * elements(outputs[0])


@flops("avg_pool")
def avg_pool_flops(_inputs: Sequence[Any], outputs: Sequence[Any], attribs: dict[str, Any]) -> int:
    """The size of the window + 1 for each result: add, div."""
    return (window_size(attribs) + 1) * elements(outputs[0])


@flops("rms_pool")
def rms_pool_flops(inputs: Sequence[Any], outputs: Sequence[Any], attribs: dict[str, Any]) -> int:
    """1 for each input: sqr; + the size of the window + 2 for each result: add, div, sqrt."""
    return elements(inputs[0]) + (window_size(attribs) + 2) * elements(outputs[0])


@flops("debox")
def debox_flops(inputs: Sequence[Any], outputs: Sequence[Any], attribs: dict[str, Any]) -> int:
    """The size of the window for each input: add; + 1 for each result if normalize: div."""
    added: int = window_size(attribs) * elements(inputs[0])
    return added + bool(attribs["normalize"]) * elements(outputs[0])
