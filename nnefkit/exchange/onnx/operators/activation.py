"""Activation functions."""

from __future__ import annotations

import numpy as np

from nnefkit.exchange.compositions import activation
from nnefkit.exchange.onnx.call import Call, operator
from nnefkit.exchange.reshaping import reshaped, to_dtype, to_dtype_truncated, to_scalar
from nnefkit.exchange.source_graph import Value

_SIMPLE = {
    "Sigmoid": "sigmoid",
    "Softplus": "softplus",
}


@operator(*_SIMPLE)
def simple(c: Call) -> Value:
    """Those that NNEF has under nearly the same name."""
    return c.op(_SIMPLE[c.operator], c[0])


@operator("Relu")
def relu(c: Call) -> Value:
    """``max(x, 0)``."""
    return to_dtype(c, c.op("relu", to_scalar(c, c[0])), c[0].dtype)


@operator("LeakyRelu")
def leaky_relu(c: Call) -> Value:
    """A slope for negative items."""
    return c.op("leaky_relu", c[0], alpha=c.decimal(c.attribute("alpha", 0.01)))


@operator("PRelu")
def prelu(c: Call) -> Value:
    """Return `x` where it is positive, else `x` times a slope that is a tensor."""
    slope = c[1]
    if c.opset < 7 and slope.rank == 1 and slope.shape[0] > 1:
        slope = reshaped(c, slope, slope.shape + (1,) * (c[0].rank - 2))
    result = activation.prelu(c, to_scalar(c, c[0]), to_scalar(c, slope))
    return to_dtype(c, result, c[0].dtype)


@operator("Elu")
def elu(c: Call) -> Value:
    """Exponential for negative items."""
    return c.op("elu", c[0], alpha=c.decimal(c.attribute("alpha", 1.0)))


@operator("Selu")
def selu(c: Call) -> Value:
    """Return `elu`, scaled."""
    return activation.selu(c, c[0], **c.attributes)


@operator("Celu")
def celu(c: Call) -> Value:
    """Return ``max(0, x) + min(0, alpha (exp(x / alpha) - 1))``."""
    return activation.celu(c, c[0], c.attribute("alpha", 1.0))


@operator("ThresholdedRelu")
def thresholded_relu(c: Call) -> Value:
    """Return `x` where it is above a threshold, else 0."""
    return activation.threshold(c, c[0], c.attribute("alpha", 1.0))


@operator("HardSigmoid")
def hard_sigmoid(c: Call) -> Value:
    """Return ``clamp(alpha x + beta, 0, 1)``."""
    alpha, beta = c.attribute("alpha", 0.2), c.attribute("beta", 0.5)
    return activation.hard_sigmoid(c, c[0], alpha, beta)


@operator("HardSwish")
def hard_swish(c: Call) -> Value:
    """Return ``x clamp(x / 6 + 0.5, 0, 1)``."""
    return activation.hard_swish(c, c[0])


@operator("Gelu")
def gelu(c: Call) -> Value:
    """Return ``x Phi(x)``, or its approximation by tanh."""
    return activation.gelu(c, c[0], c.attribute("approximate", "none"))


@operator("Mish")
def mish(c: Call) -> Value:
    """Return ``x tanh(softplus(x))``."""
    return activation.mish(c, c[0])


@operator("Swish")
def swish(c: Call) -> Value:
    """Return ``x sigmoid(alpha x)``."""
    return activation.swish(c, c[0], c.attribute("alpha", 1.0))


@operator("Softsign")
def softsign(c: Call) -> Value:
    """Return ``x / (1 + |x|)``."""
    return activation.softsign(c, c[0])


@operator("Shrink")
def shrink(c: Call) -> Value:
    """Return 0 where ``|x| <= lambd``, and else `x` closer to 0 by `bias`."""
    edge, bias = c.attribute("lambd", 0.5), c.attribute("bias", 0.0)
    result = activation.shrink(c, to_scalar(c, c[0]), edge, bias)
    return to_dtype_truncated(c, result, c[0].dtype)


@operator("Softmax", "LogSoftmax", "Hardmax")
def softmax(c: Call) -> Value:
    """Return the softmax along one axis; before opset 13, over all axes from one on."""
    x = c[0]
    old = c.opset < 13
    axis = c.axis("axis", 1 if old else -1, x.rank)
    axes = [*range(axis, x.rank)] if old else [axis]
    if c.operator == "Hardmax":
        return _hardmax(c, x, axes)
    if c.operator == "Softmax":
        return c.op("softmax", x, axes=axes)
    return activation.log_softmax(c, x, axes)


def _hardmax(c: Call, x: Value, axes: list[int]) -> Value:
    axis = axes[0]
    if len(axes) == 1:
        return activation.hardmax(c, x, axis)
    flat = reshaped(c, x, (*x.shape[:axis], int(np.prod(x.shape[axis:]))))
    return reshaped(c, activation.hardmax(c, flat, axis), x.shape)
