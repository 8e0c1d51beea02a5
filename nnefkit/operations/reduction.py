"""Reduce operations (4.4), and `moments` (4.9.6), which is composed of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from nnefkit.arrays import Array, Shape
from nnefkit.operations.axis_rules import check_axes
from nnefkit.operations.flop_rules import elements, for_each_input
from nnefkit.operations.precision import quiet, widened
from nnefkit.operations.registry import Problems, flops, kernel, shape_rule


def reduced_shape(
    input: Shape, axes: Sequence[int], *, section: str = "4.4", nonempty: bool = False
) -> Shape:
    """Return the shape `input` with extents of 1 along `axes`.

    Raises:
        ArgumentError: `axes` repeat or are outside of the rank, or (if `nonempty`) one of them
            has an extent of 0.
    """
    problems = Problems(section)
    if check_axes(problems, axes, len(input)) and nonempty and 0 in [input[a] for a in axes]:
        problems.add(
            "axes",
            f"an input of shape {[*input]} has no elements to choose from along axes {[*axes]}",
            "Its extents along 'axes' must be positive.",
            code="shape-mismatch",
        )
    problems.done()
    return tuple(1 if axis in axes else extent for axis, extent in enumerate(input))


@shape_rule("sum_reduce")
def sum_reduce_shape(input: Shape, *, axes: Sequence[int], **_attribs: Any) -> Shape:
    """Return the shape of the result of `sum_reduce` (4.4)."""
    return reduced_shape(input, axes)


@shape_rule("mean_reduce", "all_reduce", "any_reduce")
def reduce_shape(input: Shape, *, axes: Sequence[int]) -> Shape:
    """Return the shape of the result of the other reductions (4.4)."""
    return reduced_shape(input, axes)


@shape_rule("max_reduce", "min_reduce", "argmax_reduce", "argmin_reduce")
def choice_shape(input: Shape, *, axes: Sequence[int]) -> Shape:
    """Return the shape of the result of the reductions that choose an element (4.4)."""
    return reduced_shape(input, axes, nonempty=True)


@flops("sum_reduce")
def sum_reduce_flops(inputs: Sequence[Any], outputs: Sequence[Any], attribs: dict[str, Any]) -> int:
    """1 for each input: add; + 1 for each result if normalize: div."""
    return elements(inputs[0]) + bool(attribs["normalize"]) * elements(outputs[0])


flops("mean_reduce")(for_each_input(1, "add, div", each_result=1))
flops("max_reduce", "min_reduce", "argmax_reduce", "argmin_reduce")(
    for_each_input(1, "the comparison")
)
flops("all_reduce", "any_reduce")(for_each_input(1, "and, or"))


@shape_rule("moments")
def moments_shape(input: Shape, *, axes: Sequence[int]) -> tuple[Shape, Shape]:
    """Return the shapes of the results of `moments` (4.9.6)."""
    shape = reduced_shape(input, axes, section="4.9.6")
    return shape, shape


flops("moments")(for_each_input(4, "add, sub, sqr, add; div, div", each_result=2))


@kernel("sum_reduce")
@quiet
@widened
def sum_reduce(input: Array, *, axes: Sequence[int], normalize: bool) -> Array:
    """Return the sum, divided by the number of its elements if `normalize` (4.4)."""
    total = precise_sum(input, axes)
    if normalize:
        total = total / input.dtype.type(math.prod(input.shape[axis] for axis in axes))
    return np.asarray(total)


_LONG = 1024
"""Number of elements above which summing them one by one loses digits."""


def precise_sum(input: Array, axes: Sequence[int]) -> Array:
    """Return the sum along `axes`, which are retained with extents of 1.

    NumPy sums pairwise along the contiguous axis, but one by one along the others, after which a
    float32 sum of a million elements has two correct digits left: long sums use float64.
    """
    along = tuple(axes)
    if input.dtype == np.float32 and input.size:
        last = min(range(input.ndim), key=lambda axis: abs(input.strides[axis]), default=0)
        if last not in along and math.prod(input.shape[axis] for axis in along) >= _LONG:
            return np.asarray(input.sum(along, np.float64, keepdims=True), np.float32)
    return np.asarray(input.sum(along, keepdims=True))


@kernel("mean_reduce")
def mean_reduce(input: Array, *, axes: Sequence[int]) -> Array:
    """Return the mean (4.4)."""
    return sum_reduce(input, axes=axes, normalize=True)


@kernel("max_reduce")
@quiet
def max_reduce(input: Array, *, axes: Sequence[int]) -> Array:
    """Return the maximum (4.4), which is NaN if any element is."""
    return np.asarray(input.max(tuple(axes), keepdims=True))


@kernel("min_reduce")
@quiet
def min_reduce(input: Array, *, axes: Sequence[int]) -> Array:
    """Return the minimum (4.4), which is NaN if any element is."""
    return np.asarray(input.min(tuple(axes), keepdims=True))


@kernel("argmax_reduce")
def argmax_reduce(input: Array, *, axes: Sequence[int]) -> Array:
    """Return the position of the first maximum (4.4), see `_flattened` for several axes."""
    if len(axes) == 1:
        return np.asarray(input.argmax(axes[0], keepdims=True), np.int64)
    flat, shape = _flattened(input, axes)
    return np.asarray(flat.argmax(-1), np.int64).reshape(shape)


@kernel("argmin_reduce")
def argmin_reduce(input: Array, *, axes: Sequence[int]) -> Array:
    """Return the position of the first minimum (4.4), see `_flattened` for several axes."""
    if len(axes) == 1:
        return np.asarray(input.argmin(axes[0], keepdims=True), np.int64)
    flat, shape = _flattened(input, axes)
    return np.asarray(flat.argmin(-1), np.int64).reshape(shape)


def _flattened(input: Array, axes: Sequence[int]) -> tuple[Array, Shape]:
    """Return `input` with the reduced axes merged into one last axis, and the result's shape.

    The rule that reducing several axes equals reducing one after the other (4.4) is meaningless for
    positions: the second reduction would compare positions. Instead, a position is the row-major
    index into the volume of the reduced axes, in the order of the tensor's axes: one number that
    identifies the element. Without axes it is 0.
    """
    shape = tuple(1 if axis in axes else extent for axis, extent in enumerate(input.shape))
    retained = [axis for axis in range(input.ndim) if axis not in axes]
    moved = input.transpose([*retained, *sorted(axes)])
    volume = math.prod(input.shape[axis] for axis in axes)
    return moved.reshape([*(input.shape[axis] for axis in retained), volume]), shape


@kernel("all_reduce")
def all_reduce(input: Array, *, axes: Sequence[int]) -> Array:
    """Return whether all elements are true (4.4)."""
    return np.asarray(input.all(tuple(axes), keepdims=True))


@kernel("any_reduce")
def any_reduce(input: Array, *, axes: Sequence[int]) -> Array:
    """Return whether any element is true (4.4)."""
    return np.asarray(input.any(tuple(axes), keepdims=True))


@kernel("moments")
@quiet
@widened
def moments(input: Array, *, axes: Sequence[int]) -> tuple[Array, Array]:
    """Return mean and variance, the latter divided by the number of elements (4.9.6)."""
    mean = mean_reduce(input, axes=axes)
    return mean, mean_reduce(np.square(input - mean), axes=axes)
