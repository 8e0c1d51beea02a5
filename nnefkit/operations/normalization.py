"""Normalization over axes and over batches (4.9.4); see `local_normalization` for windows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from nnefkit.arrays import Array, Shape
from nnefkit.operations.axis_rules import check_axes
from nnefkit.operations.broadcasting import align, broadcast_shape, reusable
from nnefkit.operations.flop_rules import elements
from nnefkit.operations.precision import quiet, widened
from nnefkit.operations.reduction import precise_sum
from nnefkit.operations.registry import Problems, flops, kernel, shape_rule


@shape_rule("l1_normalization", "l2_normalization")
def axes_normalization_shape(input: Shape, *, axes: Sequence[int], **_attribs: Any) -> Shape:
    """Check the rules of `l1_normalization` and `l2_normalization`; return the shape (4.9.4)."""
    problems = Problems("4.9.4")
    check_axes(problems, axes, len(input))
    problems.done()
    return input


@kernel("l1_normalization")
@quiet
@widened
def l1_normalization(input: Array, *, axes: Sequence[int], bias: float, epsilon: float) -> Array:
    """``input / max(sum(abs(input)) + bias, epsilon)`` (4.9.4)."""
    sigma = precise_sum(np.abs(input), axes)
    return _divided(input, sigma, bias, epsilon)


@kernel("l2_normalization")
@quiet
@widened
def l2_normalization(input: Array, *, axes: Sequence[int], bias: float, epsilon: float) -> Array:
    """``input / max(sqrt(sum(input ^ 2)) + bias, epsilon)`` (4.9.4)."""
    sigma = np.sqrt(precise_sum(np.square(input), axes))
    return _divided(input, sigma, bias, epsilon)


def _divided(input: Array, sigma: Any, bias: float, epsilon: float) -> Array:
    divisor = np.asarray(sigma + bias)
    # `max` takes its second argument where the first is NaN (4.2.4).
    divisor = np.where(divisor > epsilon, divisor, divisor.dtype.type(epsilon))
    return np.asarray(input / divisor)


_BATCH = ("input", "mean", "variance", "offset", "scale")


@shape_rule("batch_normalization")
def batch_normalization_shape(
    input: Shape, mean: Shape, variance: Shape, offset: Shape, scale: Shape, **_attribs: Any
) -> Shape:
    """Return the broadcast shape of all inputs (4.9.4)."""
    shapes = (input, mean, variance, offset, scale)
    return broadcast_shape(*shapes, names=_BATCH, section="4.9.4")


@kernel("batch_normalization")
@quiet
@widened
def batch_normalization(
    input: Array, mean: Array, variance: Array, offset: Array, scale: Array, *, epsilon: float
) -> Array:
    """``offset + scale * (input - mean) / sqrt(variance + epsilon)`` (4.9.4).

    The factor is computed first, since it is a small array. The mean is subtracted before scaling,
    which rounds the least.
    """
    x, shift, var, offset, scale = align(input, mean, variance, offset, scale)
    factor = scale / np.sqrt(var + epsilon)
    result = np.asarray(x - shift)
    out = reusable(result, factor, offset)
    return np.asarray(np.add(np.multiply(result, factor, out=out), offset, out=out))


@flops("l1_normalization")
def l1_normalization_flops(
    inputs: Sequence[Any], _outputs: Sequence[Any], attribs: dict[str, Any]
) -> int:
    """3 for each input: abs, add, div; + 2 for each norm: add, max."""
    return 3 * elements(inputs[0]) + 2 * _norms(inputs[0], attribs["axes"])


@flops("l2_normalization")
def l2_normalization_flops(
    inputs: Sequence[Any], _outputs: Sequence[Any], attribs: dict[str, Any]
) -> int:
    """3 for each input: sqr, add, div; + 3 for each norm: sqrt, add, max."""
    return 3 * elements(inputs[0]) + 3 * _norms(inputs[0], attribs["axes"])


def _norms(shape: Shape, axes: Sequence[int]) -> int:
    return math.prod(extent for axis, extent in enumerate(shape) if axis not in axes)


@flops("batch_normalization")
def batch_normalization_flops(
    inputs: Sequence[Any], outputs: Sequence[Any], _attribs: dict[str, Any]
) -> int:
    """4 for each result: sub, mul, div, add; + 2 for each variance: add, sqrt."""
    return 4 * elements(outputs[0]) + 2 * elements(inputs[2])
