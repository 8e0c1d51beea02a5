"""Activation functions (4.9.1)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nnefkit.execution.engines.litert.builder import TfliteBuilder, TfliteValue
from nnefkit.execution.engines.litert.lowerings import lowering
from nnefkit.execution.engines.litert.primitives import (
    add,
    aligned,
    compare,
    div,
    log_of_one_plus,
    maximum,
    mul,
    reduce,
    sub,
    unary,
    where,
)


@lowering("relu")
def relu(b: TfliteBuilder, x: TfliteValue) -> TfliteValue:
    """Return ``max(x, 0)``."""
    return unary(b, "RELU", x)


@lowering("sigmoid")
def sigmoid(b: TfliteBuilder, x: TfliteValue) -> TfliteValue:
    """Return ``1 / (1 + exp(-x))``."""
    return unary(b, "LOGISTIC", x)


@lowering("silu")
def silu(b: TfliteBuilder, x: TfliteValue) -> TfliteValue:
    """Return ``x * sigmoid(x)``."""
    return mul(b, x, unary(b, "LOGISTIC", x))


@lowering("gelu")
def gelu(b: TfliteBuilder, x: TfliteValue) -> TfliteValue:
    """Return ``x * Phi(x)``."""
    return unary(b, "GELU", x, Approximate=False)


@lowering("softplus")
def softplus(b: TfliteBuilder, x: TfliteValue) -> TfliteValue:
    """Return ``log(exp(x) + 1)``."""
    tail = unary(b, "EXP", unary(b, "NEG", unary(b, "ABS", x)))
    return add(b, maximum(b, x, 0.0), log_of_one_plus(b, tail))


@lowering("elu")
def elu(b: TfliteBuilder, x: TfliteValue, *, alpha: float) -> TfliteValue:
    """Return ``x < 0 ? alpha * (exp(x) - 1) : x``."""
    plain = unary(b, "ELU", x)
    if alpha == 1.0:
        return plain
    return where(b, compare(b, "LESS", x, 0.0), mul(b, plain, alpha), x)


@lowering("selu")
def selu(b: TfliteBuilder, x: TfliteValue, *, alpha: float, **attribs: float) -> TfliteValue:
    """Return ``lambda * elu(x, alpha)``."""
    return mul(b, elu(b, x, alpha=alpha), attribs["lambda"])


@lowering("leaky_relu")
def leaky_relu(b: TfliteBuilder, x: TfliteValue, *, alpha: float) -> TfliteValue:
    """Return ``x < 0 ? alpha * x : x``."""
    return unary(b, "LEAKY_RELU", x, Alpha=float(alpha))


@lowering("prelu")
def prelu(b: TfliteBuilder, x: TfliteValue, alpha: TfliteValue) -> TfliteValue:
    """Return ``x < 0 ? alpha * x : x``."""
    x, slope = aligned(b, [x, alpha])
    fits = slope.rank and np.broadcast_shapes(x.shape, slope.shape) == x.shape
    if fits and x.rank <= 4 and all(extent == 1 for extent in slope.shape[:1]):
        # The slope has no batch.
        return b.op("PRELU", [x, b.reshape(slope, slope.shape[1:])], x.shape)
    return where(b, compare(b, "LESS", x, 0.0), mul(b, x, slope), x)


@lowering("softmax")
def softmax(b: TfliteBuilder, x: TfliteValue, *, axes: Sequence[int]) -> TfliteValue:
    """Return exponentials that sum to 1 over all of `axes` together."""
    if [*axes] == [x.rank - 1]:
        return unary(b, "SOFTMAX", x, Beta=1.0)
    weights = unary(b, "EXP", sub(b, x, reduce(b, "REDUCE_MAX", x, axes)))
    return div(b, weights, reduce(b, "SUM", weights, axes))
