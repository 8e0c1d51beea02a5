"""Normalization by the neighborhood of each element (4.9.4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nnefkit.arrays import Array, Ints, Shape
from nnefkit.operations.box import box
from nnefkit.operations.elementwise import maximum
from nnefkit.operations.flop_rules import elements, window_size
from nnefkit.operations.precision import quiet, widened
from nnefkit.operations.registry import CostRule, Problems, flops, kernel, shape_rule
from nnefkit.operations.window import Window
from nnefkit.operations.window_rules import check_window


@shape_rule(
    "local_response_normalization",
    "local_mean_normalization",
    "local_variance_normalization",
    "local_contrast_normalization",
)
def local_normalization_shape(input: Shape, *, size: Ints, **_: float) -> Shape:
    """Return the shape of the input; `size` has an element for each of its dimensions.

    Raises:
        ArgumentError: One diagnostic for each violated rule of section 4.3.2 for `size`.
    """
    problems = Problems("4.9.4")
    check_window(problems, Window.of(size), len(input))
    problems.done()
    return tuple(input)


def _average(items: Array, size: Ints) -> Array:
    """Return the average around each element, with zeros in the border."""
    return box(items, window=Window.of(size), normalize=True)


@kernel("local_response_normalization")
@quiet
@widened
def local_response_normalization(
    input: Array, *, size: Ints, alpha: float, beta: float, bias: float
) -> Array:
    """``input / (bias + alpha * mean square) ^ beta``."""
    sigma = _average(input * input, size)
    sigma *= sigma.dtype.type(alpha)
    sigma += sigma.dtype.type(bias)
    return np.asarray(input / np.power(sigma, sigma.dtype.type(beta)))


@kernel("local_mean_normalization")
@quiet
@widened
def local_mean_normalization(input: Array, *, size: Ints) -> Array:
    """``input - average``."""
    return np.asarray(input - _average(input, size))


@kernel("local_variance_normalization")
@quiet
@widened
def local_variance_normalization(input: Array, *, size: Ints, bias: float, epsilon: float) -> Array:
    """``input / max(root mean square + bias, epsilon)``."""
    sigma = np.sqrt(_average(input * input, size))
    sigma += sigma.dtype.type(bias)
    return np.asarray(input / maximum(sigma, np.asarray(epsilon, sigma.dtype)))


@kernel("local_contrast_normalization")
@quiet
@widened
def local_contrast_normalization(input: Array, *, size: Ints, bias: float, epsilon: float) -> Array:
    """Apply `local_mean_normalization`, then `local_variance_normalization`."""
    centered = local_mean_normalization(input, size=size)
    normalized: Array = local_variance_normalization(
        centered, size=size, bias=bias, epsilon=epsilon
    )
    return normalized


def _windowed(windows: int, others: int, functions: str) -> CostRule:
    def rule(inputs: Sequence[Any], _outputs: Sequence[Any], attribs: dict[str, Any]) -> int:
        return (windows * window_size(attribs) + others) * elements(inputs[0])

    times = f"{windows} * " if windows > 1 else ""
    rule.__doc__ = f"{times}the size of the window + {others} for each input: {functions}."
    return rule


flops("local_response_normalization")(_windowed(1, 6, "add; sqr, div, mul, add, pow, div"))
flops("local_mean_normalization")(_windowed(1, 2, "add; div, sub"))
flops("local_variance_normalization")(_windowed(1, 6, "add; sqr, div, sqrt, add, max, div"))
flops("local_contrast_normalization")(
    _windowed(2, 8, "local_mean_normalization, local_variance_normalization")
)
