"""Normalization of axes (4.9.4)."""

from __future__ import annotations

import numpy as np

from nnefkit.arrays import Ints
from nnefkit.execution.engines.litert.builder import TfliteBuilder, TfliteValue
from nnefkit.execution.engines.litert.lowerings import lowering
from nnefkit.execution.engines.litert.primitives import (
    add,
    aligned,
    div,
    maximum,
    mul,
    reduce,
    sub,
    unary,
)

_EPSILON = 1e-6
"""The length by which TFLite divides vectors that are shorter."""


@lowering("batch_normalization")
def batch_normalization(
    b: TfliteBuilder,
    input: TfliteValue,
    mean: TfliteValue,
    variance: TfliteValue,
    offset: TfliteValue,
    scale: TfliteValue,
    *,
    epsilon: float,
) -> TfliteValue:
    """Return ``offset + scale * (input - mean) / sqrt(variance + epsilon)``."""
    given = [value.data for value in aligned(b, [mean, variance, offset, scale])]
    data = [np.asarray(each, np.float64) for each in given if each is not None]
    if len(data) < len(given):
        deviation = unary(b, "SQRT", add(b, variance, epsilon))
        centered = sub(b, input, mean)
        return add(b, offset, div(b, mul(b, scale, centered), deviation))
    # Constants become one factor and one summand, and perhaps a part of the layer before.
    factor = data[3] / np.sqrt(data[1] + epsilon)
    summand = data[2] - data[0] * factor
    row, shift = (b.constant(each, input.dtype) for each in (factor, summand))
    row.is_weight = shift.is_weight = True
    return add(b, mul(b, input, row), shift)


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
