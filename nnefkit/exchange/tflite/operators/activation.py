"""Activation functions (4.9.1)."""

from __future__ import annotations

from nnefkit.exchange.compositions import activation
from nnefkit.exchange.refusal import refuse
from nnefkit.exchange.reshaping import to_scalar
from nnefkit.exchange.source_value import Value
from nnefkit.exchange.tflite.call import INVALID, Call, operator

_CLAMPS = {
    "RELU6": (0.0, 6.0),
    "RELU_N1_TO_1": (-1.0, 1.0),
    "RELU_0_TO_1": (0.0, 1.0),
}


@operator("RELU")
def relu(c: Call) -> Value:
    """Read `relu`."""
    return c.to_result(c.op("relu", to_scalar(c, c[0])))


@operator(*_CLAMPS)
def clamped_relu(c: Call) -> Value:
    """Read `clamp`."""
    return c.to_result(c.op("clamp", to_scalar(c, c[0]), *_CLAMPS[c.operator]))


@operator("LEAKY_RELU")
def leaky_relu(c: Call) -> Value:
    """Read `leaky_relu`."""
    return c.op("leaky_relu", c[0], alpha=c.decimal(c.option("alpha", 0.0)))


@operator("PRELU")
def prelu(c: Call) -> Value:
    """Read `prelu`; its slopes broadcast to the input."""
    return activation.prelu(c, c[0], c[1])


@operator("ELU")
def elu(c: Call) -> Value:
    """Read `elu`."""
    return c.op("elu", c[0])


@operator("GELU")
def gelu(c: Call) -> Value:
    """Read `gelu`, or its approximation by tanh."""
    return activation.gelu(c, c[0], "tanh" if c.option("approximate") else "none")


@operator("HARD_SWISH")
def hard_swish(c: Call) -> Value:
    """Read ``hard_swish``."""
    return activation.hard_swish(c, c[0])


@operator("LOGISTIC", "TANH")
def sigmoid(c: Call) -> Value:
    """Read `sigmoid` or `tanh`."""
    return c.op("sigmoid" if c.operator == "LOGISTIC" else "tanh", c[0])


@operator("SOFTMAX")
def softmax(c: Call) -> Value:
    """Read `softmax` over the last axis, of multiples of the input."""
    x, beta = c[0], float(c.option("beta", 0.0))
    if x.rank < 1:
        refuse("its input has rank 0", INVALID)
    if beta != 1:
        x = c.op("mul", x, c.decimal(beta))
    return c.op("softmax", x, axes=[x.rank - 1])


@operator("LOG_SOFTMAX")
def log_softmax(c: Call) -> Value:
    """Read ``log_softmax`` over the last axis."""
    return activation.log_softmax(c, c[0], [c.front_axis(-1, c[0].rank)])
