"""Slicing, padding, tiling and gathering (4.5.4 to 4.5.7)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nnefkit.arrays import Array, Shape
from nnefkit.display.numbers import plural
from nnefkit.errors import ExecutionError
from nnefkit.operations import borders
from nnefkit.operations.axis_rules import check_axes, check_axis, check_positive
from nnefkit.operations.flop_rules import elements, no_flops
from nnefkit.operations.registry import Problems, advice, flops, kernel, reads, shape_rule

# -- slice ----------------------------------------------------------------------------------------


def slice_bounds(
    extents: Sequence[int], begin: Sequence[int], end: Sequence[int], stride: Sequence[int]
) -> list[tuple[int, int, int]]:
    """Return the first index, the index past the last one, and the step of each axis (4.5.4).

    Negative elements count from the end of their axis; those above the extent mean the extent,
    and those before its beginning mean -1. An `end` of 0 means the end of the axis if `stride`
    is empty or all ones.
    """
    to_end = all(step == 1 for step in stride)
    steps = stride or [1] * len(extents)
    return [
        (
            min(max(first + extent if first < 0 else first, -1), extent),
            extent
            if last == 0 and to_end
            else min(max(last + extent if last < 0 else last, -1), extent),
            step,
        )
        for extent, first, last, step in zip(extents, begin, end, steps, strict=True)
    ]


@shape_rule("slice")
def slice_shape(
    input: Shape,
    *,
    axes: Sequence[int],
    begin: Sequence[int],
    end: Sequence[int],
    stride: Sequence[int],
) -> Shape:
    """Return the shape of the result of `slice` (4.5.4)."""
    problems = Problems("4.5.4")
    check_axes(problems, axes, len(input))
    for argument, items in (("begin", begin), ("end", end), ("stride", stride)):
        if len(items) != len(axes) and (items or argument != "stride"):
            problems.add(
                argument,
                f"'{argument}' has {plural(len(items), 'element')}, but 'axes' has {len(axes)}",
                "It may be empty." if argument == "stride" else "Write one element for each axis.",
            )
    if 0 in stride:
        problems.add(
            "stride", "the elements of 'stride' must not be 0", "Negative ones reverse an axis."
        )
    problems.done()

    shape = list(input)
    bounds = slice_bounds([input[axis] for axis in axes], begin, end, stride)
    for number, (axis, (first, last, step)) in enumerate(zip(axes, bounds, strict=True)):
        extent = input[axis]
        _check_range(problems, number, extent, (first, last, step), begin[number])
        shape[axis] = -((first - last) // step)
    problems.done()
    return tuple(shape)


def _check_range(
    problems: Problems, number: int, extent: int, bounds: tuple[int, int, int], begin: int
) -> None:
    first, last, step = bounds
    if (step > 0 and first < 0) or (step < 0 and first >= extent > 0):
        problems.add(
            "begin",
            f"element {number} of 'begin' is {begin}, "
            f"outside of an axis of {plural(extent, 'element')}",
            f"Slices {'start' if step > 0 else 'go back'} from "
            f"{0 if step > 0 else extent - 1} {'or more' if step > 0 else 'or less'}.",
        )
    elif (last - first) * step < 0:
        relation = "greater than or equal to" if step > 0 else "less than or equal to"
        problems.add(
            "end",
            f"element {number} of 'end' means index {last}, which is "
            f"{'before' if step > 0 else 'after'} 'begin', {first}",
            f"With a stride of {step}, 'end' must be {relation} 'begin'."
            + (
                f" To go back to the first element, write {-extent - 1}."
                if step < 0 and last == extent - 1
                else ""
            ),
        )


@advice("slice")
def slice_advice(
    input: Shape,
    *,
    axes: Sequence[int],
    end: Sequence[int],
    stride: Sequence[int],
    **_attribs: Any,
) -> Problems:
    """Warn about an `end` of 0 that means the end of its axis, deprecated in version 1.0.4."""
    problems = Problems("4.5.4")
    if 0 in end and all(step == 1 for step in stride):
        number = list(end).index(0)
        problems.add(
            "end",
            f"element {number} of 'end' is 0, which means the end of the axis",
            f"This has been deprecated since 1.0.4: write {input[axes[number]]}.",
            code="deprecated-argument",
            severity="warning",
        )
    return problems


@kernel("slice")
def slice_(
    input: Array,
    *,
    axes: Sequence[int],
    begin: Sequence[int],
    end: Sequence[int],
    stride: Sequence[int],
) -> Array:
    """Return a view of the elements from `begin` (inclusive) to `end` (exclusive) (4.5.4)."""
    index: list[Any] = [slice(None)] * input.ndim
    bounds = slice_bounds([input.shape[axis] for axis in axes], begin, end, stride)
    for axis, (first, last, step) in zip(axes, bounds, strict=True):
        index[axis] = slice(first, last if last >= 0 else None, step)
        if first == last:
            index[axis] = slice(0, 0)
    return np.asarray(input[(*index, ...)])


# -- pad ------------------------------------------------------------------------------------------


@shape_rule("pad")
def pad_shape(
    input: Shape, *, padding: Sequence[tuple[int, int]], border: str, **_attribs: Any
) -> Shape:
    """Return the shape of the result of `pad` (4.5.5)."""
    problems = Problems("4.5.5")
    if border not in borders.BORDERS:
        problems.add("border", f"there is no border mode '{border}'", borders.border_hint(border))
    if len(padding) != len(input):
        problems.add(
            "padding",
            f"'padding' has {plural(len(padding), 'element')}, but the rank is {len(input)}",
            "Give one pair (before, after) for each dimension, batch and channel included.",
        )
        problems.done()
    shape = tuple(x + before + after for x, (before, after) in zip(input, padding, strict=True))
    if any(extent < 0 for extent in shape):
        problems.add(
            "padding",
            f"'padding' {[*map(tuple, padding)]} crops more elements than shape {[*input]} has",
            "Negative padding removes elements; an extent must not become negative.",
            code="shape-mismatch",
        )
    elif 0 in input and border not in ("constant", "ignore") and shape != input:
        problems.add(
            "border",
            f"border '{border}' has no elements to repeat in a shape of {[*input]}",
            "Use border 'constant'.",
            code="shape-mismatch",
        )
    problems.done()
    return shape


@kernel("pad")
def pad(input: Array, *, padding: Sequence[tuple[int, int]], border: str, value: float) -> Array:
    """Return the input with its borders extended or cropped (4.5.5).

    The specification defines no formula for 'ignore' here: like 'constant', it fills with `value`.
    """
    return borders.pad(input, padding, border, value)


# -- tile -----------------------------------------------------------------------------------------


@shape_rule("tile")
def tile_shape(input: Shape, *, repeats: Sequence[int]) -> Shape:
    """Return the shape of the result of `tile` (4.5.6)."""
    problems = Problems("4.5.6")
    if len(repeats) != len(input):
        problems.add(
            "repeats",
            f"'repeats' has {plural(len(repeats), 'element')}, but the rank is {len(input)}",
            "Give one for each dimension; 1 leaves it unchanged.",
        )
    check_positive(problems, repeats, "repeats", "1 leaves a dimension unchanged.")
    problems.done()
    return tuple(extent * times for extent, times in zip(input, repeats, strict=True))


@kernel("tile")
def tile(input: Array, *, repeats: Sequence[int]) -> Array:
    """Return the input repeated (4.5.6)."""
    return np.tile(input, tuple(repeats))


# -- gather ---------------------------------------------------------------------------------------


@shape_rule("gather")
def gather_shape(input: Shape, indices: Shape, *, axis: int) -> Shape:
    """Return the shape of the result of `gather` (4.5.7)."""
    problems = Problems("4.5.7")
    check_axis(problems, axis, len(input))
    problems.done()
    return (*input[:axis], *indices, *input[axis + 1 :])


@kernel("gather")
def gather(input: Array, indices: Array, *, axis: int) -> Array:
    """Return the elements at `indices` along `axis` (4.5.7).

    Raises:
        ExecutionError: An index is negative or not less than the extent.
    """
    extent = input.shape[axis]
    wrong = indices[(indices < 0) | (indices >= extent)]
    if wrong.size:
        raise ExecutionError(
            f"'indices' has {wrong.flat[0]}, "
            f"but axis {axis} of the input has {plural(extent, 'element')}",
            hint=f"Indices count from 0 to {extent - 1}.",
            section="4.5.7",
        )
    return np.asarray(input.take(indices.astype(np.intp, copy=False), axis))


flops("slice", "pad", "tile", "gather")(no_flops)


@reads("slice")
def slice_reads(
    _inputs: Sequence[Any], outputs: Sequence[Any], _attribs: dict[str, Any]
) -> list[int]:
    """One element for each result."""
    return [elements(outputs[0])]


@reads("gather")
def gather_reads(
    inputs: Sequence[Any], outputs: Sequence[Any], _attribs: dict[str, Any]
) -> list[int]:
    """One element of the input for each result, but none of them twice."""
    return [min(elements(inputs[0]), elements(outputs[0])), elements(inputs[1])]
