"""Activation functions (4.9.1)."""

from __future__ import annotations

from math import prod

from nnefkit.exchange.compositions import activation
from nnefkit.exchange.onnx.call import INVALID, Call, operator
from nnefkit.exchange.reshaping import reshaped, to_dtype, to_dtype_truncated, to_scalar
from nnefkit.exchange.source_value import Value


@operator("Sigmoid")
def sigmoid(c: Call) -> Value:
    """Read `sigmoid`."""
    return c.op("sigmoid", c[0])


@operator("Softplus")
def softplus(c: Call) -> Value:
    """Read `softplus`."""
    return activation.softplus(c, c[0])


@operator("Relu")
def relu(c: Call) -> Value:
    """Read `relu`, which ONNX allows for integers."""
    return to_dtype(c, c.op("relu", to_scalar(c, c[0])), c[0].dtype)


@operator("LeakyRelu")
def leaky_relu(c: Call) -> Value:
    """Read `leaky_relu`."""
    return c.op("leaky_relu", c[0], alpha=c.number("alpha", 0.01))


@operator("PRelu")
def prelu(c: Call) -> Value:
    """Read `prelu`; before opset 7, the slopes belong to the channels."""
    slope = c[1]
    if c.opset < 7 and slope.rank == 1 and slope.shape[0] > 1:
        slope = reshaped(c, slope, slope.shape + (1,) * (c[0].rank - 2))
    result = activation.prelu(c, to_scalar(c, c[0]), to_scalar(c, slope))
    return to_dtype(c, result, c[0].dtype)


@operator("Elu")
def elu(c: Call) -> Value:
    """Read `elu`."""
    return c.op("elu", c[0], alpha=c.number("alpha", 1.0))


@operator("Selu")
def selu(c: Call) -> Value:
    """Read `selu`."""
    return activation.selu(c, c[0], **c.attributes)


@operator("Celu")
def celu(c: Call) -> Value:
    """Read ``max(0, x) + min(0, alpha (exp(x / alpha) - 1))``."""
    alpha = c.number("alpha", 1.0)
    if alpha == 0:
        c.refuse("its alpha is 0", INVALID)
    return activation.celu(c, c[0], alpha)


@operator("ThresholdedRelu")
def thresholded_relu(c: Call) -> Value:
    """Read ``x`` above a threshold, else 0."""
    return c.op("select", c.op("gt", c[0], c.number("alpha", 1.0)), c[0], 0.0)


@operator("HardSigmoid")
def hard_sigmoid(c: Call) -> Value:
    """Read ``clamp(alpha x + beta, 0, 1)``."""
    return activation.hard_sigmoid(c, c[0], c.number("alpha", 0.2), c.number("beta", 0.5))


@operator("HardSwish")
def hard_swish(c: Call) -> Value:
    """Read ``x clamp(x / 6 + 0.5, 0, 1)``."""
    return activation.hard_swish(c, c[0])


@operator("Gelu")
def gelu(c: Call) -> Value:
    """Read `gelu`, or its approximation by tanh."""
    return activation.gelu(c, c[0], c.attribute("approximate", "none"))


@operator("Mish")
def mish(c: Call) -> Value:
    """Read ``x tanh(softplus(x))``."""
    return activation.mish(c, c[0])


@operator("Swish")
def swish(c: Call) -> Value:
    """Read ``x sigmoid(alpha x)``."""
    return activation.swish(c, c[0], c.number("alpha", 1.0))


@operator("Softsign")
def softsign(c: Call) -> Value:
    """Read ``x / (1 + |x|)``."""
    return activation.softsign(c, c[0])


@operator("Shrink")
def shrink(c: Call) -> Value:
    """Read a shrinkage: elements up to a threshold become 0, others move toward 0 by a bias.

    Unlike in PyTorch, NaN becomes 0, and a negative threshold has a meaning.
    """
    threshold, bias = c.number("lambd", 0.5), c.number("bias", 0.0)
    x = to_scalar(c, c[0])
    with c.graph.scope("shrink"):
        upper = c.op("select", c.op("gt", x, threshold), c.op("sub", x, bias), 0.0)
        result = c.op("select", c.op("lt", x, -threshold), c.op("add", x, bias), upper)
    return to_dtype_truncated(c, result, c[0].dtype)


@operator("Softmax", "LogSoftmax", "Hardmax")
def softmax(c: Call) -> Value:
    """Read a function of one axis; before opset 13, over all axes starting at a given one."""
    x = c[0]
    old = c.opset < 13
    axis = c.axis("axis", 1 if old else -1, x.rank)
    axes = [*range(axis, x.rank)] if old else [axis]
    if c.operator == "Softmax":
        return c.op("softmax", x, axes=axes)
    if c.operator == "LogSoftmax":
        return activation.log_softmax(c, x, axes)
    flat = reshaped(c, x, (*x.shape[:axis], prod(x.shape[axis:]))) if old else x
    return reshaped(c, activation.hardmax(c, flat, axis), x.shape)
