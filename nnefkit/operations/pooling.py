"""Maxima of windows and their positions, sampling by position (4.3.3), max pooling (4.9.3).

A position is the index of an item inside of its window, in row-major order.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from nnefkit.arrays import Array, Ints, Padding, Shape
from nnefkit.errors import ArgumentError
from nnefkit.operations.borders import pad
from nnefkit.operations.precision import quiet, widened
from nnefkit.operations.registry import Problems, kernel, shape_rule
from nnefkit.operations.sliding_window import (
    FILTER_BORDERS,
    Window,
    check_output_shape,
    check_window,
    checked_down_extents,
    checked_up_extents,
    reverse_window,
    true_entries,
    window,
)
from nnefkit.operations.window_reduction import reduce_windows


@shape_rule("max_pool")
def max_pool_shape(
    input: Shape, *, size: Ints, border: str, padding: Padding, stride: Ints, dilation: Ints
) -> Shape:
    """The down-scaled shape of windows over all dimensions, batch and channels included.

    Raises:
        ArgumentError: with all that breaks the rules of 4.3.3.
    """
    return _shape(Problems("4.9.3"), input, size, border, padding, stride, dilation)


@shape_rule("argmax_pool")
def argmax_pool_shape(
    input: Shape, *, size: Ints, border: str, padding: Padding, stride: Ints, dilation: Ints
) -> Shape:
    """The shape of the positions: see `max_pool_shape`.

    Raises:
        ArgumentError: with all that breaks the rules of 4.3.3.
    """
    return _shape(Problems("4.3.3"), input, size, border, padding, stride, dilation)


@shape_rule("max_pool_with_index")
def max_pool_with_index_shape(
    input: Shape, *, size: Ints, border: str, padding: Padding, stride: Ints, dilation: Ints
) -> tuple[Shape, Shape]:
    """The shapes of the maxima and of their positions, which are the same.

    Raises:
        ArgumentError: with all that breaks the rules of 4.3.3.
    """
    shape = _shape(Problems("4.9.3"), input, size, border, padding, stride, dilation)
    return shape, shape


@shape_rule("sample")
def sample_shape(
    input: Shape,
    index: Shape,
    *,
    size: Ints,
    border: str,
    padding: Padding,
    stride: Ints,
    dilation: Ints,
) -> Shape:
    """The down-scaled shape, which is that of `index`.

    Raises:
        ArgumentError: with all that breaks the rules of 4.3.3.
    """
    problems = Problems("4.3.3")
    args = (size, padding, stride, dilation)
    result: Shape = ()
    if check_window(problems, len(input), *args, border, FILTER_BORDERS):
        result = checked_down_extents(problems, input, *args)
        if not problems and tuple(index) != result:
            _wrong_index(problems, index, "output", result)
    problems.done()
    return result


@shape_rule("desample")
def desample_shape(
    input: Shape,
    index: Shape,
    *,
    size: Ints,
    border: str,
    padding: Padding,
    stride: Ints,
    dilation: Ints,
    output_shape: Ints,
) -> Shape:
    """The up-scaled shape.

    Raises:
        ArgumentError: with all that breaks the rules of 4.3.3.
    """
    problems = Problems("4.3.3")
    args = (size, padding, stride, dilation)
    if tuple(index) != tuple(input):
        _wrong_index(problems, index, "input", input)
    result: Shape = ()
    shaped = check_output_shape(problems, output_shape, (), len(input))
    if check_window(problems, len(input), *args, border, ("constant",)):
        result = checked_up_extents(problems, input, *args, output_shape if shaped else ())
    problems.done()
    return result


def _shape(
    problems: Problems,
    input: Shape,
    size: Ints,
    border: str,
    padding: Padding,
    stride: Ints,
    dilation: Ints,
) -> Shape:
    result: Shape = ()
    if check_window(problems, len(input), size, padding, stride, dilation, border):
        result = checked_down_extents(problems, input, size, padding, stride, dilation)
    problems.done()
    return result


def _wrong_index(problems: Problems, index: Shape, of: str, shape: Shape) -> None:
    problems.add(
        "index",
        f"'index' has the shape {list(index)}, but the {of} has {list(shape)}",
        "There must be one position for each window.",
        code="shape-mismatch",
    )


@kernel("max_pool")
@quiet
def max_pool(
    input: Array, *, size: Ints, border: str, padding: Padding, stride: Ints, dilation: Ints
) -> Array:
    """The maximum of each window; NaN where it has a NaN.

    Where the border is ignored and nothing is left of a window, it is minus infinity.
    """
    slid = window(input.shape, size, padding, stride, dilation)
    return reduce_windows(input, slid, border, np.maximum, _lowest(input.dtype))


@kernel("argmax_pool")
@quiet
def argmax_pool(
    input: Array, *, size: Ints, border: str, padding: Padding, stride: Ints, dilation: Ints
) -> Array:
    """The position of the first maximum (or the first NaN) of each window, as int64."""
    slid = window(input.shape, size, padding, stride, dilation)
    return _maxima(input, slid, border)[1]


@kernel("max_pool_with_index")
@quiet
def max_pool_with_index(
    input: Array, *, size: Ints, border: str, padding: Padding, stride: Ints, dilation: Ints
) -> tuple[Array, Array]:
    """The maximum of each window and its position: see `max_pool` and `argmax_pool`."""
    slid = window(input.shape, size, padding, stride, dilation)
    return _maxima(input, slid, border)


def _lowest(dtype: np.dtype[Any]) -> Any:
    if dtype.kind == "f":
        return -np.inf
    return False if dtype.kind == "b" else np.iinfo(dtype).min


def _maxima(input: Array, slid: Window, border: str) -> tuple[Array, Array]:
    lowest = _lowest(input.dtype)
    values = reduce_windows(input, slid, border, np.maximum, lowest)
    padded = pad(input, slid.padding, border, lowest if border == "ignore" else 0)
    index = _first_positions(padded, values, slid)
    if border == "ignore" and (lows := values == lowest).any():
        # The border must not be found: where all is as low as it, the first true item is meant.
        np.copyto(index, _first_true(input.shape, slid), where=lows)
    return values, index


def _first_positions(padded: Array, values: Array, slid: Window) -> Array:
    """The first position at which each window has the item of `values`, which may be NaN."""
    volume = math.prod(slid.size)
    # Small integers take little memory to pass over, and a minimum takes no branches.
    small = np.min_scalar_type(volume)
    index = np.full(values.shape, volume, small)
    missing = np.empty(values.shape, small)
    nans = values.dtype.kind == "f" and bool(np.isnan(values).any())
    for position, entry in enumerate(itertools.product(*map(range, slid.size))):
        tap = padded[_tap(entry, values.shape, slid)]
        found = tap == values
        if nans:
            found |= np.isnan(tap)
        np.subtract(found, 1, out=missing, dtype=small)  # 0 where found, else the highest integer
        missing |= small.type(position)
        np.minimum(index, missing, out=index)
    return index.astype(np.int64)


def _tap(entry: Sequence[int], extents: Shape, slid: Window) -> tuple[slice, ...]:
    """The items of a padded input that an entry of the window meets, one for each window."""
    return tuple(
        slice(j * d, j * d + (x - 1) * s + 1, s)
        for j, x, s, d in zip(entry, extents, slid.stride, slid.dilation, strict=True)
    )


def _first_true(shape: Shape, slid: Window) -> Array:
    """The position of the first item of each window that is no border, or 0."""
    index = np.zeros((1,) * len(shape), np.int64)
    some = np.ones((1,) * len(shape), bool)
    for axis, (size, (first, stop)) in enumerate(
        zip(slid.size, true_entries(shape, slid), strict=True)
    ):
        along = [1] * len(shape)
        along[axis] = -1
        index = index * size + first.reshape(along)
        some = some & (first < stop).reshape(along)
    return np.where(some, index, 0)


@kernel("sample")
@quiet
def sample(
    input: Array,
    index: Array,
    *,
    size: Ints,
    border: str,
    padding: Padding,
    stride: Ints,
    dilation: Ints,
) -> Array:
    """The item at the given position of each window.

    Raises:
        ArgumentError: a position lies outside of its window.
    """
    _check_positions(index, size)
    slid = window(input.shape, size, padding, stride, dilation)
    padded = pad(input, slid.padding, border)
    places = _places(index, slid)
    return np.asarray(padded[places])


def _places(index: Array, slid: Window) -> tuple[Array, ...]:
    """Where the items at `index` lie in a padded input, for each dimension."""
    entries = np.unravel_index(index, slid.size)
    starts: tuple[Array, ...] = np.indices(index.shape, sparse=True)
    return tuple(
        start * s + entry * d
        for start, entry, s, d in zip(starts, entries, slid.stride, slid.dilation, strict=True)
    )


def _check_positions(index: Array, size: Ints) -> None:
    volume = math.prod(size)
    low, high = int(index.min()), int(index.max())
    if low < 0 or high >= volume:
        raise ArgumentError(
            f"'index' has a position {low if low < 0 else high}, "
            f"but the windows have positions from 0 to {volume - 1}",
            argument="index",
            hint="Positions count inside of each window, in row-major order.",
            section="4.3.3",
        )


@kernel("desample")
@quiet
@widened
def desample(
    input: Array,
    index: Array,
    *,
    size: Ints,
    border: str,  # noqa: ARG001
    padding: Padding,
    stride: Ints,
    dilation: Ints,
    output_shape: Ints,
) -> Array:
    """Adds each item to the given position of its window.

    Raises:
        ArgumentError: a position lies outside of its window.
    """
    _check_positions(index, size)
    extents, slid = reverse_window(input.shape, size, padding, stride, dilation, output_shape)
    output = np.zeros(extents, input.dtype)
    flat = np.zeros(index.shape, np.int64)
    inside = np.ones(index.shape, bool)
    for place, X, (p, _) in zip(_places(index, slid), extents, slid.padding, strict=True):
        target = place - p
        inside &= (target >= 0) & (target < X)
        flat = flat * X + target
    np.add.at(output.reshape(-1), flat[inside], input[inside])
    return output
