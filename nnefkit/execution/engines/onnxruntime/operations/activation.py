"""Activation functions (4.9.1)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nnefkit.execution.engines.onnxruntime.builder import Builder, OnnxValue
from nnefkit.execution.engines.onnxruntime.lowerings import lowering
from nnefkit.execution.engines.onnxruntime.primitives import (
    add,
    align,
    compare,
    div,
    maximum,
    mul,
    reduce,
    sub,
    unary,
    where,
)


@lowering("relu")
def relu(b: Builder, x: OnnxValue) -> OnnxValue:
    """Return ``max(x, 0)``."""
    return unary(b, "Relu", x)


@lowering("sigmoid")
def sigmoid(b: Builder, x: OnnxValue) -> OnnxValue:
    """Return ``1 / (1 + exp(-x))``."""
    return unary(b, "Sigmoid", x)


@lowering("silu")
def silu(b: Builder, x: OnnxValue) -> OnnxValue:
    """Return ``x * sigmoid(x)``."""
    return mul(b, x, unary(b, "Sigmoid", x))


@lowering("gelu")
def gelu(b: Builder, x: OnnxValue) -> OnnxValue:
    """Return ``x * Phi(x)``."""
    if b.opset >= 20:
        return unary(b, "Gelu", x)
    error = unary(b, "Erf", div(b, x, float(np.sqrt(2.0))))
    return mul(b, mul(b, x, add(b, error, 1.0)), 0.5)


@lowering("softplus")
def softplus(b: Builder, x: OnnxValue) -> OnnxValue:
    """Return ``log(exp(x) + 1)``."""
    if b.has("Softplus", x):
        return unary(b, "Softplus", x)
    tail = unary(b, "Exp", unary(b, "Neg", unary(b, "Abs", x)))
    return add(b, maximum(b, x, 0.0), unary(b, "Log", add(b, tail, 1.0)))


@lowering("elu")
def elu(b: Builder, x: OnnxValue, *, alpha: float) -> OnnxValue:
    """Return ``x < 0 ? alpha * (exp(x) - 1) : x``."""
    if b.has("Elu", x):
        return unary(b, "Elu", x, alpha=alpha)
    return _below_zero(b, x, mul(b, sub(b, unary(b, "Exp", x), 1.0), alpha))


@lowering("selu")
def selu(b: Builder, x: OnnxValue, *, alpha: float, **attribs: float) -> OnnxValue:
    """Return ``lambda * elu(x, alpha)``."""
    if b.has("Selu", x):
        return unary(b, "Selu", x, alpha=alpha, gamma=attribs["lambda"])
    return mul(b, elu(b, x, alpha=alpha), attribs["lambda"])


@lowering("leaky_relu")
def leaky_relu(b: Builder, x: OnnxValue, *, alpha: float) -> OnnxValue:
    """Return ``x < 0 ? alpha * x : x``."""
    if b.has("LeakyRelu", x):
        return unary(b, "LeakyRelu", x, alpha=alpha)
    return _below_zero(b, x, mul(b, x, alpha))


@lowering("prelu")
def prelu(b: Builder, x: OnnxValue, alpha: OnnxValue) -> OnnxValue:
    """Return ``x < 0 ? alpha * x : x``, one node where `alpha` does not enlarge `x`."""
    x, slope = align(b, x, alpha)
    if b.has("PRelu", x) and np.broadcast_shapes(x.shape, slope.shape) == x.shape and slope.rank:
        return b.node("PRelu", [x, slope], x.shape)
    return _below_zero(b, x, mul(b, x, slope))


def _below_zero(b: Builder, x: OnnxValue, value: OnnxValue) -> OnnxValue:
    return where(b, compare(b, "Less", x, 0.0), value, x)


@lowering("softmax")
def softmax(b: Builder, x: OnnxValue, *, axes: Sequence[int]) -> OnnxValue:
    """Return exponentials that sum to 1 over all of `axes` together."""
    if len(axes) == 1:
        return unary(b, "Softmax", x, axis=axes[0])
    weights = unary(b, "Exp", sub(b, x, reduce(b, "ReduceMax", x, axes)))
    return div(b, weights, reduce(b, "ReduceSum", weights, axes))
