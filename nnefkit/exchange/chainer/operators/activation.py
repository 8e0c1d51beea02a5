"""Activation functions (4.9.1)."""

from __future__ import annotations

from nnefkit.exchange.chainer.call import Call, function
from nnefkit.exchange.compositions import activation
from nnefkit.exchange.compositions.shaping import concat
from nnefkit.exchange.reshaping import aligned, reshaped
from nnefkit.exchange.source_value import Value


@function("ReLU", "Sigmoid", "Tanh")
def same_name(c: Call) -> Value:
    """Read the operation of the same name."""
    return c.op(c.operator.lower(), c.one())


@function("LeakyReLU")
def leaky_relu(c: Call) -> Value:
    """Read `leaky_relu`."""
    return c.op("leaky_relu", c.one(), alpha=c.decimal(c.number("slope", 0.2)))


@function("RReLU")
def randomized_relu(c: Call) -> Value:
    """Read `leaky_relu` with the mean of both slopes, as at inference."""
    slope = (c.number("lower") + c.number("upper")) / 2
    return c.op("leaky_relu", c.one(), alpha=c.decimal(slope))


@function("PReLUFunction")
def prelu(c: Call) -> Value:
    """Read `prelu` with slopes for some axes after the batch."""
    x, slope = c.two()
    if slope.shape != x.shape[1 : 1 + slope.rank]:
        c.invalid(f"its slopes have the shape {[*slope.shape]} for an input of {[*x.shape]}")
    return c.op("prelu", x, reshaped(c, slope, (1, *slope.shape)) if slope.rank else slope)


@function("ELU")
def elu(c: Call) -> Value:
    """Read `elu`."""
    alpha = c.decimal(c.number("alpha", 1.0))
    return c.op("elu", c.one()) if alpha == 1 else c.op("elu", c.one(), alpha=alpha)


@function("ClippedReLU")
def clipped_relu(c: Call) -> Value:
    """Read `clamp` from 0 on."""
    return c.op("clamp", c.one(), 0.0, c.decimal(c.number("cap", 20.0)))


@function("CReLU")
def concatenated_relu(c: Call) -> Value:
    """Read `relu` of the input and of its negative, joined."""
    x = c.one()
    axis = c.front_axis(c.integer("axis", 1), x.rank)
    return concat(c, [c.op("relu", x), c.op("relu", c.op("neg", x))], axis)


@function("HardSigmoid")
def hard_sigmoid(c: Call) -> Value:
    """Read ``clamp(0.2 x + 0.5, 0, 1)``."""
    return activation.hard_sigmoid(c, c.one(), 0.2)


@function("Softplus")
def softplus(c: Call) -> Value:
    """Read `softplus`, perhaps scaled."""
    beta = c.number("beta", 1.0)
    if not beta:
        c.invalid("its beta is 0")
    return activation.softplus(c, c.one(), beta)


@function("Swish")
def swish(c: Call) -> Value:
    """Read ``x sigmoid(beta x)``, with beta for some axes after the batch."""
    x, beta = c.two()
    if beta.shape != x.shape[1 : 1 + beta.rank]:
        c.invalid(f"its beta has the shape {[*beta.shape]} for an input of {[*x.shape]}")
    if beta.rank:
        wide = reshaped(c, beta, (1, *beta.shape, *(1,) * (x.rank - 1 - beta.rank)))
        _, beta = aligned(c, x, wide)
    if beta.is_number and beta.data is not None:
        return activation.swish(c, x, float(beta.data.reshape(-1)[0]))
    return c.op("mul", x, c.op("sigmoid", c.op("mul", beta, x)))


@function("Softmax")
def softmax(c: Call) -> Value:
    """Read `softmax` over one axis."""
    x = c.one()
    return c.op("softmax", x, axes=[c.front_axis(c.integer("axis", 1), x.rank)])


@function("LogSoftmax")
def log_softmax(c: Call) -> Value:
    """Read the logarithm of a softmax over one axis."""
    x = c.one()
    return activation.log_softmax(c, x, [c.front_axis(c.integer("axis", 1), x.rank)])
