"""Maxima of windows and their positions, sampling by position (4.3.3), and max pooling (4.9.3).

A position is the index of an element within its window, in row-major order.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from nnefkit.arrays import Array, Ints, Shape
from nnefkit.errors import ArgumentError
from nnefkit.operations.borders import pad
from nnefkit.operations.flop_rules import elements, for_each_input, no_flops, window_size
from nnefkit.operations.precision import quiet, widened
from nnefkit.operations.registry import Problems, flops, kernel, reads, shape_rule
from nnefkit.operations.window import Window, windowed
from nnefkit.operations.window_reduction import reduce_windows
from nnefkit.operations.window_rules import (
    FILTER_BORDERS,
    check_output_shape,
    check_window,
    checked_down_extents,
    checked_up_extents,
)


@shape_rule("max_pool")
@windowed
def max_pool_shape(input: Shape, *, window: Window) -> Shape:
    """Return the down-scaled shape of windows over all dimensions, batch and channels included.

    Raises:
        ArgumentError: One diagnostic for each violated rule of section 4.3.3.
    """
    return _shape(Problems("4.9.3"), input, window)


@shape_rule("argmax_pool")
@windowed
def argmax_pool_shape(input: Shape, *, window: Window) -> Shape:
    """Return the shape of the positions, as `max_pool_shape` does.

    Raises:
        ArgumentError: One diagnostic for each violated rule of section 4.3.3.
    """
    return _shape(Problems("4.3.3"), input, window)


@shape_rule("max_pool_with_index")
@windowed
def max_pool_with_index_shape(input: Shape, *, window: Window) -> tuple[Shape, Shape]:
    """Return the shapes of the maxima and of their positions, which are equal.

    Raises:
        ArgumentError: One diagnostic for each violated rule of section 4.3.3.
    """
    shape = _shape(Problems("4.9.3"), input, window)
    return shape, shape


@shape_rule("sample")
@windowed
def sample_shape(input: Shape, index: Shape, *, window: Window) -> Shape:
    """Return the down-scaled shape, which is that of `index`.

    Raises:
        ArgumentError: One diagnostic for each violated rule of section 4.3.3.
    """
    problems = Problems("4.3.3")
    result: Shape = ()
    if check_window(problems, window, len(input), FILTER_BORDERS):
        result = checked_down_extents(problems, window, input)
        if not problems and tuple(index) != result:
            _wrong_index(problems, index, "output", result)
    problems.done()
    return result


@shape_rule("desample")
@windowed
def desample_shape(input: Shape, index: Shape, *, window: Window, output_shape: Ints) -> Shape:
    """Return the up-scaled shape.

    Raises:
        ArgumentError: One diagnostic for each violated rule of section 4.3.3.
    """
    problems = Problems("4.3.3")
    if tuple(index) != tuple(input):
        _wrong_index(problems, index, "input", input)
    result: Shape = ()
    shaped = check_output_shape(problems, output_shape, (), len(input))
    if check_window(problems, window, len(input), ("constant",)):
        result = checked_up_extents(problems, window, input, output_shape if shaped else ())
    problems.done()
    return result


def _shape(problems: Problems, input: Shape, window: Window) -> Shape:
    result: Shape = ()
    if check_window(problems, window, len(input)):
        result = checked_down_extents(problems, window, input)
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
@windowed
def max_pool(input: Array, *, window: Window) -> Array:
    """Return the maximum of each window, which is NaN if any element is.

    The maximum of a window with nothing but an ignored border is minus infinity.
    """
    return reduce_windows(input, window.over(input.shape), np.maximum, _lowest(input.dtype))


@kernel("argmax_pool")
@quiet
@windowed
def argmax_pool(input: Array, *, window: Window) -> Array:
    """Return the position of the first maximum (or the first NaN) of each window, as int64."""
    return _maxima(input, window.over(input.shape))[1]


@kernel("max_pool_with_index")
@quiet
@windowed
def max_pool_with_index(input: Array, *, window: Window) -> tuple[Array, Array]:
    """Return the maximum of each window and its position, as `max_pool` and `argmax_pool` do."""
    return _maxima(input, window.over(input.shape))


def _lowest(dtype: np.dtype[Any]) -> Any:
    if dtype.kind == "f":
        return -np.inf
    return False if dtype.kind == "b" else np.iinfo(dtype).min


def _maxima(input: Array, window: Window) -> tuple[Array, Array]:
    lowest = _lowest(input.dtype)
    ignored = window.border == "ignore"
    values = reduce_windows(input, window, np.maximum, lowest)
    padded = pad(input, window.padding, window.border, lowest if ignored else 0)
    index = _first_positions(padded, values, window)
    if ignored and (lows := values == lowest).any():
        # Never choose the border: if all elements equal its value, choose the first of them.
        np.copyto(index, _first_true(input.shape, window), where=lows)
    return values, index


def _first_positions(padded: Array, values: Array, window: Window) -> Array:
    """Return the first position in each window of its element of `values`, which may be NaN."""
    volume = math.prod(window.size)
    # Small integers need little memory bandwidth, and a minimum needs no branches.
    small = np.min_scalar_type(volume)
    index = np.full(values.shape, volume, small)
    missing = np.empty(values.shape, small)
    nans = values.dtype.kind == "f" and bool(np.isnan(values).any())
    for position, entry in enumerate(itertools.product(*map(range, window.size))):
        tap = padded[_tap(entry, values.shape, window)]
        equal = tap == values
        if nans:
            equal |= np.isnan(tap)
        np.subtract(equal, 1, out=missing, dtype=small)  # 0 where equal, else the highest integer
        missing |= small.type(position)
        np.minimum(index, missing, out=index)
    return index.astype(np.int64)


def _tap(entry: Sequence[int], extents: Shape, window: Window) -> tuple[slice, ...]:
    """Return the element of a padded input under one entry of the window, for each window."""
    return tuple(
        slice(j * d, j * d + (x - 1) * s + 1, s)
        for j, x, s, d in zip(entry, extents, window.stride, window.dilation, strict=True)
    )


def _first_true(shape: Shape, window: Window) -> Array:
    """Return the position of the first element of each window outside of the border, or 0."""
    index = np.zeros((1,) * len(shape), np.int64)
    some = np.ones((1,) * len(shape), bool)
    for axis, (size, (first, stop)) in enumerate(
        zip(window.size, window.true_entries(shape), strict=True)
    ):
        along = [1] * len(shape)
        along[axis] = -1
        index = index * size + first.reshape(along)
        some = some & (first < stop).reshape(along)
    return np.where(some, index, 0)


@kernel("sample")
@quiet
@windowed
def sample(input: Array, index: Array, *, window: Window) -> Array:
    """Return the element at the given position of each window.

    Raises:
        ArgumentError: A position is outside of its window.
    """
    _check_positions(index, window.size)
    window = window.over(input.shape)
    padded = pad(input, window.padding, window.border)
    return np.asarray(padded[_places(index, window)])


def _places(index: Array, window: Window) -> tuple[Array, ...]:
    """Return the indices in a padded input of the elements at `index`, for each dimension."""
    entries = np.unravel_index(index, window.size)
    starts: tuple[Array, ...] = np.indices(index.shape, sparse=True)
    return tuple(
        start * s + entry * d
        for start, entry, s, d in zip(starts, entries, window.stride, window.dilation, strict=True)
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
@windowed
def desample(input: Array, index: Array, *, window: Window, output_shape: Ints) -> Array:
    """Add each element to the given position of its window.

    Raises:
        ArgumentError: A position is outside of its window.
    """
    _check_positions(index, window.size)
    extents, window = window.reversed(input.shape, output_shape)
    output = np.zeros(extents, input.dtype)
    flat = np.zeros(index.shape, np.int64)
    inside = np.ones(index.shape, bool)
    for place, X, (p, _) in zip(_places(index, window), extents, window.padding, strict=True):
        target = place - p
        inside &= (target >= 0) & (target < X)
        flat = flat * X + target
    np.add.at(output.reshape(-1), flat[inside], input[inside])
    return output


@flops("max_pool", "argmax_pool", "max_pool_with_index")
def max_pool_flops(_inputs: Sequence[Any], outputs: Sequence[Any], attribs: dict[str, Any]) -> int:
    """The size of the window for each result: the comparison."""
    return window_size(attribs) * elements(outputs[0])


flops("sample")(no_flops)
flops("desample")(for_each_input(1, "add"))


@reads("sample")
def sample_reads(
    inputs: Sequence[Any], outputs: Sequence[Any], _attribs: dict[str, Any]
) -> list[int]:
    """One element of the input for each result, but none of them twice."""
    return [min(elements(inputs[0]), elements(outputs[0])), elements(inputs[1])]
