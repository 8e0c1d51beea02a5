"""Activation functions (4.9.1)."""

from __future__ import annotations

from nnefkit.exchange.compositions import activation
from nnefkit.exchange.reshaping import to_scalar
from nnefkit.exchange.source_value import Value
from nnefkit.exchange.tensorflow.call import Call, operator

_PLAIN = {"Elu": "elu", "Sigmoid": "sigmoid", "Tanh": "tanh"}


@operator(*_PLAIN)
def plain(c: Call) -> Value:
    """Read `elu`, `sigmoid` or `tanh`."""
    return c.op(_PLAIN[c.operator], to_scalar(c, c[0]))


@operator("Relu")
def relu(c: Call) -> Value:
    """Read `relu`."""
    return c.to_result(c.op("relu", to_scalar(c, c[0])))


@operator("Relu6")
def relu6(c: Call) -> Value:
    """Read `clamp`."""
    return c.to_result(c.op("clamp", to_scalar(c, c[0]), 0.0, 6.0))


@operator("LeakyRelu")
def leaky_relu(c: Call) -> Value:
    """Read `leaky_relu`."""
    return c.op("leaky_relu", to_scalar(c, c[0]), alpha=c.decimal(c.option("alpha", 0.2)))


@operator("Selu")
def selu(c: Call) -> Value:
    """Read `selu`."""
    return activation.selu(c, c[0])


@operator("Softplus")
def softplus(c: Call) -> Value:
    """Read `softplus`."""
    return activation.softplus(c, c[0])


@operator("Softsign")
def softsign(c: Call) -> Value:
    """Read ``x / (1 + |x|)``."""
    return activation.softsign(c, c[0])


@operator("Softmax", "LogSoftmax")
def softmax(c: Call) -> Value:
    """Read `softmax` or its logarithm over the last axis."""
    x = c[0]
    axis = c.front_axis(-1, x.rank)
    if c.operator == "LogSoftmax":
        return activation.log_softmax(c, x, [axis])
    return c.op("softmax", x, axes=[axis])
