"""Splitting and concatenation (4.5.3)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import numpy as np

from nnefkit.arrays import Array, Shape
from nnefkit.operations.axis_rules import check_axis, check_count, check_positive
from nnefkit.operations.flop_rules import no_flops
from nnefkit.operations.registry import Problems, flops, kernel, shape_rule


@shape_rule("split")
def split_shape(value: Shape, *, axis: int, ratios: Sequence[int]) -> list[Shape]:
    """Return the shapes of the results of `split` (4.5.3)."""
    problems = Problems("4.5.3")
    inside = check_axis(problems, axis, len(value))
    total = sum(ratios)
    if not ratios:
        problems.add("ratios", "'ratios' is empty", "Give one ratio for each part.")
    elif check_positive(problems, ratios, "ratios") and inside and value[axis] % total:
        problems.add(
            "ratios",
            f"the sum {total} of 'ratios' does not divide the extent {value[axis]} of axis {axis}",
            "The parts' extents have these ratios; the extents themselves can be given, too.",
            code="shape-mismatch",
        )
    problems.done()
    unit = value[axis] // total
    before, after = value[:axis], value[axis + 1 :]
    return [(*before, unit * ratio, *after) for ratio in ratios]


@kernel("split")
def split(value: Array, *, axis: int, ratios: Sequence[int]) -> list[Array]:
    """Return views of the parts, in order along `axis` (4.5.3)."""
    unit = value.shape[axis] // sum(ratios)
    whole = (slice(None),) * axis
    ends = accumulate(unit * ratio for ratio in ratios)
    return [
        value[(*whole, slice(end - unit * ratio, end))]
        for ratio, end in zip(ratios, ends, strict=True)
    ]


@shape_rule("concat")
def concat_shape(values: Sequence[Shape], *, axis: int) -> Shape:
    """Return the shape of the result of `concat` (4.5.3)."""
    problems = Problems("4.5.3")
    first = _first(problems, values)
    inside = check_axis(problems, axis, len(first))
    _check_alike(problems, values, axis if inside else None)
    problems.done()
    return (*first[:axis], sum(shape[axis] for shape in values), *first[axis + 1 :])


@kernel("concat")
def concat(values: Sequence[Array], *, axis: int) -> Array:
    """Return the values joined along `axis` (4.5.3)."""
    return np.concatenate(values, axis)


@shape_rule("stack")
def stack_shape(values: Sequence[Shape], *, axis: int) -> Shape:
    """Return the shape of the result of `stack` (4.5.3)."""
    problems = Problems("4.5.3")
    first = _first(problems, values)
    check_axis(problems, axis, len(first) + 1)
    _check_alike(problems, values, None)
    problems.done()
    return (*first[:axis], len(values), *first[axis:])


@kernel("stack")
def stack(values: Sequence[Array], *, axis: int) -> Array:
    """Return the values stacked along a new axis (4.5.3)."""
    return np.stack(values, axis)


@shape_rule("unstack")
def unstack_shape(value: Shape, *, axis: int) -> list[Shape]:
    """Return the shapes of the results of `unstack` (4.5.3)."""
    problems = Problems("4.5.3")
    if check_axis(problems, axis, len(value)):
        check_count(problems, "axis", value[axis])
    problems.done()
    return [value[:axis] + value[axis + 1 :]] * value[axis]


@kernel("unstack")
def unstack(value: Array, *, axis: int) -> list[Array]:
    """Return views of the slices along `axis`, without it (4.5.3)."""
    # A view with the axis in front; the ellipsis keeps slices of rank 0 arrays.
    front = np.moveaxis(value, axis, 0)
    return [front[index, ...] for index in range(value.shape[axis])]


def _first(problems: Problems, values: Sequence[Shape]) -> Shape:
    if not values:
        problems.add("values", "'values' is empty", "Give at least one tensor.")
        problems.done()
    return values[0]


def _check_alike(problems: Problems, values: Sequence[Shape], axis: int | None) -> None:
    """Add a problem for the first of `values` whose shape differs in anything but `axis`."""
    first = values[0]
    for number, shape in enumerate(values):
        if shape == first:
            continue
        if len(shape) != len(first):
            problems.add(
                "values",
                f"element {number} of 'values' has rank {len(shape)}, "
                f"but element 0 has {len(first)}",
                f"Their shapes are {[*shape]} and {[*first]}; all ranks must be the same.",
                code="shape-mismatch",
            )
            return
        differing = [
            k for k, (a, b) in enumerate(zip(shape, first, strict=True)) if a != b and k != axis
        ]
        if differing:
            allowed = "All shapes must be the same."
            if axis is not None:
                allowed = f"Only the extents of axis {axis}, along which they join, may differ."
            problems.add(
                "values",
                f"element {number} of 'values' has shape {[*shape]}, but element 0 has {[*first]}",
                allowed,
                code="shape-mismatch",
            )
            return


flops("split", "concat", "stack", "unstack")(no_flops)
