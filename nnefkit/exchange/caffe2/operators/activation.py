"""Activation functions (4.9.1)."""

from __future__ import annotations

from nnefkit.exchange.caffe2.call import Call, operator
from nnefkit.exchange.compositions import activation
from nnefkit.exchange.reshaping import reshaped, sliced
from nnefkit.exchange.source_value import Value

_SELU_ALPHA, _SELU_SCALE = 1.6732632423543772, 1.0507009873554805


@operator("Relu")
def relu(c: Call) -> Value:
    """Read `relu`."""
    return c.op("relu", c[0])


@operator("ReluN")
def relu_n(c: Call) -> Value:
    """Read `clamp` between 0 and `n`."""
    highest = c.arguments.number("n", 6.0)
    if highest <= 0:
        c.invalid(f"its bound is {highest:g}")
    return c.op("clamp", c[0], 0.0, c.decimal(highest))


@operator("LeakyRelu")
def leaky_relu(c: Call) -> Value:
    """Read `leaky_relu`."""
    return c.op("leaky_relu", c[0], alpha=c.decimal(c.arguments.number("alpha", 0.01)))


@operator("PRelu")
def prelu(c: Call) -> Value:
    """Read `prelu`, with one slope or one for each channel."""
    x, slope = c[0], c[1]
    if slope.shape in ((), (1,)):
        return activation.prelu(c, x, slope)
    x = c.image(x)
    if x.rank < 2 or slope.shape != (x.shape[1],):
        c.invalid(f"its slope has the shape {[*slope.shape]} for an input of {[*x.shape]}")
    return c.in_order(c.op("prelu", x, reshaped(c, slope, (1, *slope.shape))))


@operator("Elu")
def elu(c: Call) -> Value:
    """Read `elu`."""
    alpha = c.decimal(c.arguments.number("alpha", 1.0))
    return c.op("elu", c[0]) if alpha == 1 else c.op("elu", c[0], alpha=alpha)


@operator("Selu")
def selu(c: Call) -> Value:
    """Read `selu`."""
    a = c.arguments
    alpha, scale = a.number("alpha", _SELU_ALPHA), a.number("scale", _SELU_SCALE)
    return activation.selu(c, c[0], alpha, scale)


@operator("Gelu")
def gelu(c: Call) -> Value:
    """Read `gelu`, or its approximation by `tanh`."""
    is_fast = c.arguments.flag("fast_gelu")
    return activation.gelu(c, c[0], "tanh" if is_fast else "none")


@operator("Swish")
def swish(c: Call) -> Value:
    """Read `silu`."""
    return activation.swish(c, c[0])


@operator("Mish")
def mish(c: Call) -> Value:
    """Read ``x tanh(softplus(x))``."""
    return activation.mish(c, c[0])


@operator("HardSigmoid")
def hard_sigmoid(c: Call) -> Value:
    """Read ``clamp(alpha x + beta, 0, 1)``."""
    a = c.arguments
    return activation.hard_sigmoid(c, c[0], a.number("alpha", 0.2), a.number("beta", 0.5))


@operator("ThresholdedRelu")
def thresholded_relu(c: Call) -> Value:
    """Read `x` where it is above a threshold, and 0 elsewhere."""
    threshold = c.decimal(c.arguments.number("alpha", 1.0))
    return c.op("select", c.op("gt", c[0], threshold), c[0], 0.0)


@operator("Softplus")
def softplus(c: Call) -> Value:
    """Read `softplus`."""
    return activation.softplus(c, c[0])


@operator("Softsign")
def softsign(c: Call) -> Value:
    """Read ``x / (1 + |x|)``."""
    return activation.softsign(c, c[0])


@operator("Sigmoid")
def sigmoid(c: Call) -> Value:
    """Read `sigmoid`."""
    return c.op("sigmoid", c[0])


@operator("Tanh")
def tanh(c: Call) -> Value:
    """Read `tanh`."""
    return c.op("tanh", c[0])


@operator("Softmax")
def softmax(c: Call) -> Value:
    """Read `softmax` over all axes from one on."""
    x = c.ranked(1)
    axis = c.axis(c.arguments.integer("axis", 1), x.rank, ends=True)
    if axis == x.rank:
        c.invalid(f"its axis is {axis}, but its input has rank {x.rank}")
    return c.op("softmax", x, axes=[*range(axis, x.rank)])


@operator("Glu")
def gated_linear_unit(c: Call) -> Value:
    """Read the first half of an axis times the `sigmoid` of the second half."""
    x = c.ranked(1)
    axis = c.axis(c.arguments.integer("dim", -1), x.rank)
    extent = x.shape[axis]
    if extent % 2:
        c.invalid(f"its axis has {extent} elements, which are not two halves")
    first, second = (sliced(c, x, axis, begin, begin + extent // 2) for begin in (0, extent // 2))
    return c.op("mul", first, c.op("sigmoid", second))
