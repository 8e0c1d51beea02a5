"""Reshaping, transposing and casting (4.5.1, 4.5.2, 4.5.8)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from nnefkit.arrays import Array, Shape
from nnefkit.display.numbers import plural
from nnefkit.errors import ExecutionError
from nnefkit.operations.axis_rules import check_axes
from nnefkit.operations.flop_rules import no_flops
from nnefkit.operations.precision import quiet
from nnefkit.operations.registry import Problems, flops, kernel, shape_rule

_SINGLE = np.dtype(np.float32)

# -- reshape --------------------------------------------------------------------------------------


@shape_rule("reshape")
def reshape_shape(input: Shape, *, shape: Sequence[int], axis_start: int, axis_count: int) -> Shape:
    """Check the rules of `reshape` and return its shape (4.5.1).

    An element 0 at position i of `shape` means the extent of axis ``axis_start + i`` of the
    input, an element -1 the remaining extent.
    """
    problems = Problems("4.5.1")
    axis_end = _axis_end(problems, len(input), axis_start, axis_count)
    wrong = [item for item in shape if item < -1]
    if wrong:
        problems.add(
            "shape",
            f"the elements of 'shape' must be positive, 0 or -1, not {wrong[0]}",
            "0 retains an extent of the input, -1 means the remaining extent.",
        )
    if list(shape).count(-1) > 1:
        problems.add(
            "shape",
            f"'shape' {[*shape]} has more than one -1",
            "Only one extent can be inferred from the others.",
        )
    problems.done()
    taken = input[axis_start:axis_end]
    extents = _inherited(problems, taken, shape)
    _infer(problems, taken, extents)
    problems.done()
    return (*input[:axis_start], *extents, *input[axis_end:])


def _axis_end(problems: Problems, rank: int, axis_start: int, axis_count: int) -> int:
    if not 0 <= axis_start <= rank:
        problems.add(
            "axis_start",
            f"'axis_start' is {axis_start}, but the rank is {rank}",
            f"It must be from 0 to {rank}.",
        )
    elif axis_count < -1 or axis_start + axis_count > rank:
        problems.add(
            "axis_count",
            f"'axis_count' is {axis_count}, but the rank is {rank} and 'axis_start' {axis_start}",
            f"It must be from 0 to {rank - axis_start}, or -1 for all the axes that follow.",
        )
    return rank if axis_count == -1 else axis_start + axis_count


def _inherited(problems: Problems, taken: Shape, shape: Sequence[int]) -> list[int]:
    extents = list(shape)
    for position, item in enumerate(shape):
        if item:
            continue
        if position < len(taken):
            extents[position] = taken[position]
        else:
            problems.add(
                "shape",
                f"element {position} of 'shape' is 0, but the reshaped part of the input has rank "
                f"{len(taken)}",
                "0 retains the extent of the input's axis at the same position; "
                "write the extent, or -1.",
            )
    problems.done()
    return extents


def _infer(problems: Problems, taken: Shape, extents: list[int]) -> None:
    """Replace -1 in `extents`, and check the volume."""
    volume = math.prod(taken)
    if -1 not in extents:
        if math.prod(extents) != volume:
            problems.add(
                "shape",
                f"shape {extents} has a volume of {math.prod(extents)}, "
                f"but {[*taken]} has {volume}",
                "Reshaping preserves the number of elements; a single -1 infers an extent.",
                code="shape-mismatch",
            )
        return
    known = math.prod(extent for extent in extents if extent != -1)
    if not known or volume % known:
        problems.add(
            "shape",
            f"-1 in shape {extents} cannot be inferred: {known} does not divide the volume "
            f"{volume} of {[*taken]}",
            "Reshaping preserves the number of elements.",
            code="shape-mismatch",
        )
        return
    extents[extents.index(-1)] = volume // known


@kernel("reshape")
def reshape(input: Array, *, shape: Sequence[int], axis_start: int, axis_count: int) -> Array:
    """Return the same elements in row-major order (4.5.1); a view where the layout allows."""
    return input.reshape(
        reshape_shape(input.shape, shape=shape, axis_start=axis_start, axis_count=axis_count)
    )


# -- squeeze, unsqueeze ---------------------------------------------------------------------------


@shape_rule("squeeze")
def squeeze_shape(input: Shape, *, axes: Sequence[int]) -> Shape:
    """Check the rules of `squeeze`, which only removes extents of 1; return the shape (4.5.1)."""
    problems = Problems("4.5.1")
    if check_axes(problems, axes, len(input)):
        wide = [axis for axis in axes if input[axis] != 1]
        if wide:
            problems.add(
                "axes",
                f"axis {wide[0]} of shape {[*input]} has an extent of {input[wide[0]]}",
                "Only axes with an extent of 1 can be squeezed.",
                code="shape-mismatch",
            )
    problems.done()
    return tuple(extent for axis, extent in enumerate(input) if axis not in axes)


@kernel("squeeze")
def squeeze(input: Array, *, axes: Sequence[int]) -> Array:
    """Return a view without the singular dimensions `axes` (4.5.1)."""
    return input.reshape([extent for axis, extent in enumerate(input.shape) if axis not in axes])


@shape_rule("unsqueeze")
def unsqueeze_shape(input: Shape, *, axes: Sequence[int]) -> Shape:
    """Check the rules of `unsqueeze`, whose axes count in the output; return its shape (4.5.1)."""
    rank = len(input) + len(axes)
    problems = Problems("4.5.1")
    check_axes(problems, axes, rank)
    problems.done()
    return _unsqueezed(input, axes)


def _unsqueezed(input: Shape, axes: Sequence[int]) -> Shape:
    extents = iter(input)
    return tuple(1 if axis in axes else next(extents) for axis in range(len(input) + len(axes)))


@kernel("unsqueeze")
def unsqueeze(input: Array, *, axes: Sequence[int]) -> Array:
    """Return a view with singular dimensions at `axes` of the output (4.5.1)."""
    return input.reshape(_unsqueezed(input.shape, axes))


# -- transpose ------------------------------------------------------------------------------------


@shape_rule("transpose")
def transpose_shape(input: Shape, *, axes: Sequence[int]) -> Shape:
    """Check the rules of `transpose`, which permutes leading axes; return the shape (4.5.2)."""
    count = len(axes)
    problems = Problems("4.5.2")
    if count > len(input):
        problems.add(
            "axes",
            f"'axes' has {plural(count, 'element')}, but the rank is {len(input)}",
            "Each axis of the input occurs at most once; trailing ones may be left out.",
        )
    if sorted(axes) != list(range(count)):
        problems.add(
            "axes",
            f"'axes' {[*axes]} is not a permutation of the first {count} axes",
            f"It must contain each of 0 to {count - 1} once.",
        )
    problems.done()
    return (*[input[axis] for axis in axes], *input[count:])


@kernel("transpose")
def transpose(input: Array, *, axes: Sequence[int]) -> Array:
    """Return a view with its leading axes in the order of `axes` (4.5.2)."""
    return input.transpose([*axes, *range(len(axes), input.ndim)])


# -- cast -----------------------------------------------------------------------------------------


@shape_rule("cast")
def cast_shape(input: Shape) -> Shape:
    """Return the shape of the argument (4.5.8)."""
    return input


@kernel("cast")
@quiet
def cast(input: Array, *, dtype: str, scalar: np.dtype[Any] = _SINGLE) -> Array:
    """Return the elements in another data type (4.5.8): integers rounded down, logical ``!= 0``.

    Scalars keep their width; integers and logicals become as wide as `scalar`. Values beyond the
    64-bit integers become the nearest one, and NaN becomes 0.

    Raises:
        ExecutionError: The cast is to or from strings, which have no arrays.
    """
    if dtype == "string" or input.dtype.kind not in "fiub":
        raise ExecutionError(
            "tensors of strings cannot be computed", hint="Cast to a number.", section="4.5.8"
        )
    if dtype == "logical":
        return np.asarray(input != 0)
    if dtype == "scalar":
        return input if input.dtype.kind == "f" else input.astype(scalar)
    if input.dtype.kind != "f":
        return input.astype(np.int64)
    limit = 2.0**63
    unsafe = ~(np.abs(input) < limit)
    result = np.where(unsafe, input.dtype.type(0), np.floor(input)).astype(np.int64)
    if unsafe.any():
        result[input >= limit] = np.iinfo(np.int64).max
        result[input <= -limit] = np.iinfo(np.int64).min
    return result


flops("reshape", "squeeze", "unsqueeze", "transpose", "cast")(no_flops)
