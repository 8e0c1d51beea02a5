"""Normalization of axes (4.9.4)."""

from __future__ import annotations

from nnefkit.arrays import Ints
from nnefkit.execution.engines.litert.builder import TfliteBuilder, TfliteValue
from nnefkit.execution.engines.litert.lowerings import lowering
from nnefkit.execution.engines.litert.primitives import add, div, maximum, mul, reduce, unary

_EPSILON = 1e-6
"""The length by which TFLite divides vectors that are shorter."""


@lowering("l1_normalization")
def l1_normalization(
    b: TfliteBuilder, input: TfliteValue, *, axes: Ints, bias: float, epsilon: float
) -> TfliteValue:
    """Return the input divided by the sum of its magnitudes."""
    norm = reduce(b, "SUM", unary(b, "ABS", input), axes)
    return div(b, input, maximum(b, add(b, norm, bias), epsilon))


@lowering("l2_normalization")
def l2_normalization(
    b: TfliteBuilder, input: TfliteValue, *, axes: Ints, bias: float, epsilon: float
) -> TfliteValue:
    """Return the input divided by its length."""
    if [*axes] == [input.rank - 1] and bias == 0.0 and epsilon == _EPSILON:
        return unary(b, "L2_NORMALIZATION", input)
    norm = unary(b, "SQRT", reduce(b, "SUM", mul(b, input, input), axes))
    return div(b, input, maximum(b, add(b, norm, bias), epsilon))
