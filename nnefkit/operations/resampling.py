"""Up- and down-sampling of the spatial dimensions by integer factors (4.3.4)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from nnefkit.arrays import Array, Ints, Shape
from nnefkit.display.numbers import plural
from nnefkit.errors import did_you_mean
from nnefkit.operations.axis_rules import check_positive
from nnefkit.operations.borders import pad
from nnefkit.operations.flop_rules import elements, for_each_input, no_flops
from nnefkit.operations.precision import quiet, widened
from nnefkit.operations.registry import Problems, flops, kernel, reads, shape_rule
from nnefkit.operations.window import Window
from nnefkit.operations.window_reduction import reduce_windows
from nnefkit.operations.window_rules import FILTER_BORDERS, check_border

METHODS = ("asymmetric", "symmetric", "aligned")
"""The ways in which positions in the output of an interpolation map to those in its input."""


@shape_rule("nearest_downsample", "area_downsample")
def downsample_shape(input: Shape, *, factor: Ints) -> Shape:
    """Return the shape with each spatial extent divided by its factor.

    Raises:
        ArgumentError: One diagnostic for each violated rule of section 4.3.4.
    """
    problems = Problems("4.3.4")
    if _check_factor(problems, input, factor):
        for dimension, (extent, f) in enumerate(zip(input[2:], factor, strict=True), 2):
            if extent % f:
                problems.add(
                    "factor",
                    f"factor {f} does not divide the extent {extent} of dimension {dimension}",
                    "Pad or slice the input to a multiple of the factor.",
                    code="shape-mismatch",
                )
    problems.done()
    return (*input[:2], *(extent // f for extent, f in zip(input[2:], factor, strict=True)))


@shape_rule("nearest_upsample")
def upsample_shape(input: Shape, *, factor: Ints) -> Shape:
    """Return the shape with each spatial extent multiplied by its factor.

    Raises:
        ArgumentError: One diagnostic for each violated rule of section 4.3.4.
    """
    problems = Problems("4.3.4")
    _check_factor(problems, input, factor)
    problems.done()
    return (*input[:2], *(extent * f for extent, f in zip(input[2:], factor, strict=True)))


@shape_rule("multilinear_upsample")
def multilinear_upsample_shape(input: Shape, *, factor: Ints, method: str, border: str) -> Shape:
    """Return the shape with each spatial extent multiplied by its factor.

    Raises:
        ArgumentError: One diagnostic for each violated rule of section 4.3.4.
    """
    problems = Problems("4.3.4")
    _check_factor(problems, input, factor)
    check_method(problems, "method", method)
    check_border(problems, border, FILTER_BORDERS)
    problems.done()
    return (*input[:2], *(extent * f for extent, f in zip(input[2:], factor, strict=True)))


def check_method(problems: Problems, argument: str, method: str) -> None:
    """Check that an interpolation method exists."""
    if method not in METHODS:
        listed = ", ".join(f"'{name}'" for name in METHODS)
        hint = f"{did_you_mean(method, METHODS)} The methods are {listed}.".strip()
        problems.add(argument, f"'{argument}' is '{method}', which is unknown", hint)


def _check_factor(problems: Problems, input: Shape, factor: Ints) -> bool:
    if len(input) < 2:
        problems.add(
            "input",
            f"the input has rank {len(input)}, but it needs batch and channel dimensions",
            "unsqueeze adds dimensions.",
        )
        return False
    if len(factor) != len(input) - 2:
        problems.add(
            "factor",
            f"'factor' has {plural(len(factor), 'element')}, "
            f"but the input has {len(input) - 2} spatial dimensions",
            "Batch and channels are not sampled.",
            code="shape-mismatch",
        )
        return False
    return check_positive(problems, factor, "factor")


@kernel("nearest_downsample")
def nearest_downsample(input: Array, *, factor: Ints) -> Array:
    """Return the first element of each cell."""
    taken = tuple(slice(None, None, f) for f in (1, 1, *factor))
    return input[taken].copy()


@kernel("area_downsample")
@quiet
@widened
def area_downsample(input: Array, *, factor: Ints) -> Array:
    """Return the average of each cell."""
    output = reduce_windows(input, Window.of_cells((1, 1, *factor)), np.add)
    output /= np.asarray(math.prod(factor), output.dtype)
    return output


@kernel("nearest_upsample")
def nearest_upsample(input: Array, *, factor: Ints) -> Array:
    """Return each element repeated over a cell."""
    if not factor:
        return input.copy()
    batch, channels, *extents = input.shape
    repeated = [n for pair in zip(extents, factor, strict=True) for n in pair]
    single = [n for extent in extents for n in (extent, 1)]
    output = np.empty((batch, channels, *repeated), input.dtype)
    elements = input.reshape(batch, channels, *single)
    # Inner loops are far longer this way than over the columns of `elements`.
    for column in range(output.shape[-1]):
        output[..., column] = elements[..., 0]
    return output.reshape(batch, channels, *(x * f for x, f in zip(extents, factor, strict=True)))


@kernel("multilinear_upsample")
@quiet
@widened
def multilinear_upsample(input: Array, *, factor: Ints, method: str, border: str) -> Array:
    """Interpolate linearly, one dimension after the other.

    With the method 'aligned', an input with an extent of 1 is repeated.
    """
    output = input
    # The last dimension comes first, so that the others work on contiguous rows.
    for axis in reversed(range(2, input.ndim)):
        f = factor[axis - 2]
        if f > 1:
            upsample = _aligned if method == "aligned" else _shifted
            output = upsample(output, axis, f, method, border)
    return output.copy() if output is input else output


def _shifted(array: Array, axis: int, factor: int, method: str, border: str) -> Array:
    """Interpolate 'symmetric' or 'asymmetric': the weights repeat after `factor` outputs."""
    extent = array.shape[axis]
    before = (slice(None),) * axis
    padded = pad(array, (*((0, 0),) * axis, (1, 1)), border)
    shape = (*array.shape[:axis], extent, factor, *array.shape[axis + 1 :])
    output = np.empty(shape, array.dtype)
    for phase in range(factor):
        # The position in the input, times twice the factor.
        position = 2 * phase - (factor - 1 if method == "symmetric" else 0)
        first, rest = divmod(position, 2 * factor)
        left = padded[(*before, slice(first + 1, first + 1 + extent))]
        target: Any = (*before, slice(None), phase)
        if rest:
            right = padded[(*before, slice(first + 2, first + 2 + extent))]
            weight = np.asarray(rest / (2 * factor), array.dtype)
            np.multiply(right, weight, out=output[target])
            output[target] += left * np.asarray(1 - rest / (2 * factor), array.dtype)
        else:
            output[target] = left
    return output.reshape(*array.shape[:axis], extent * factor, *array.shape[axis + 1 :])


def _aligned(array: Array, axis: int, factor: int, method: str, border: str) -> Array:  # noqa: ARG001
    """Interpolate 'aligned': first and last output are first and last input, without a border."""
    extent = array.shape[axis]
    count = extent * factor
    # The position in the input is i * (x - 1) / (x * f - 1), whose parts are exact.
    first, rest = np.divmod(np.arange(count) * (extent - 1), count - 1)
    return interpolate(array, axis, first, rest / (count - 1))


def interpolate(array: Array, axis: int, first: Array, fraction: Array) -> Array:
    """Interpolate linearly along one axis.

    Args:
        array: An array of any rank.
        axis: The axis along which to interpolate.
        first: The indices of the elements before the requested positions.
        fraction: The distances from these elements, in [0, 1). At 0 the next element is ignored,
            even if it is infinite or does not exist.
    """
    between = fraction > 0
    second = np.where(between, first + 1, first)
    along = [1] * array.ndim
    along[axis] = -1
    weight = fraction.astype(array.dtype).reshape(along)
    left = array.take(first, axis)
    output = left * (1 - weight)
    output += np.where(between.reshape(along), array.take(second, axis) * weight, 0)
    return np.asarray(output)


flops("nearest_downsample", "nearest_upsample")(no_flops)


@reads("nearest_downsample")
def nearest_downsample_reads(
    _inputs: Sequence[Any], outputs: Sequence[Any], _attribs: dict[str, Any]
) -> list[int]:
    """One element for each result."""
    return [elements(outputs[0])]


flops("area_downsample")(for_each_input(1, "add, div", each_result=1))


@flops("multilinear_upsample")
def multilinear_upsample_flops(
    _inputs: Sequence[Any], outputs: Sequence[Any], attribs: dict[str, Any]
) -> int:
    """2 * 2^d for each result: mul, add; d is the number of factors that are not 1."""
    moved = sum(factor != 1 for factor in attribs["factor"])
    return (2 << moved) * elements(outputs[0]) if moved else 0
