"""Activation functions (4.9.1)."""

from __future__ import annotations

from math import sqrt

import numpy as np

from nnefkit.exchange.compositions import activation
from nnefkit.exchange.compositions.activation import prelu as with_slope
from nnefkit.exchange.mxnet.call import Call, operator
from nnefkit.exchange.reshaping import reshaped, to_scalar
from nnefkit.exchange.source_value import Value


@operator("relu", "_npx_relu")
def relu(c: Call) -> Value:
    """Read `relu`."""
    return c.op("relu", to_scalar(c, c[0]))


@operator("sigmoid", "_npx_sigmoid")
def sigmoid(c: Call) -> Value:
    """Read `sigmoid`."""
    return c.op("sigmoid", to_scalar(c, c[0]))


@operator("softsign")
def softsign(c: Call) -> Value:
    """Read ``x / (1 + |x|)``."""
    return activation.softsign(c, to_scalar(c, c[0]))


@operator("log_sigmoid")
def log_sigmoid(c: Call) -> Value:
    """Read the logarithm of the sigmoid, ``-softplus(-x)``."""
    return c.op("neg", activation.softplus(c, c.op("neg", to_scalar(c, c[0]))))


@operator("mish")
def mish(c: Call) -> Value:
    """Read ``x tanh(softplus(x))``."""
    return activation.mish(c, to_scalar(c, c[0]))


@operator("hard_sigmoid")
def hard_sigmoid(c: Call) -> Value:
    """Read ``clamp(alpha x + beta, 0, 1)``."""
    x, alpha, beta = to_scalar(c, c[0]), c.real("alpha", 0.2), c.real("beta", 0.5)
    return activation.hard_sigmoid(c, x, alpha, beta)


@operator("Activation", "_npx_activation")
def activated(c: Call) -> Value:
    """Read the activation that `act_type` names."""
    kinds = {
        "relu": relu,
        "sigmoid": sigmoid,
        "softsign": softsign,
        "log_sigmoid": log_sigmoid,
        "mish": mish,
    }
    kind = c.text("act_type", "", ("softrelu", "tanh", *kinds))
    if kind == "softrelu":
        return activation.softplus(c, to_scalar(c, c[0]))
    return c.op("tanh", to_scalar(c, c[0])) if kind == "tanh" else kinds[kind](c)


@operator("LeakyReLU", "_npx_leaky_relu")
def leaky_relu(c: Call) -> Value:
    """Read `leaky_relu`, `prelu`, `elu`, `selu` or `gelu`; the slope of `rrelu` is its mean."""
    x = to_scalar(c, c[0])
    kind = c.text("act_type", "leaky", ("leaky", "prelu", "rrelu", "elu", "selu", "gelu"))
    slope = c.real("slope", 0.25)
    low, high = c.real("lower_bound", 0.125), c.real("upper_bound", 0.334)
    if kind == "gelu":
        return activation.gelu(c, x)
    if kind == "selu":
        return c.op("selu", x)
    if kind == "elu":
        return c.op("elu", x) if slope == 1 else c.op("elu", x, alpha=c.decimal(slope))
    if kind == "prelu":
        return _prelu(c, x, c[1])
    if kind == "rrelu":
        slope = float(np.float32(low + high) / np.float32(2))
    return c.op("leaky_relu", x, alpha=c.decimal(slope))


def _prelu(c: Call, x: Value, slope: Value) -> Value:
    """Return `prelu`, with one slope, one for each channel, or slopes that broadcast."""
    if slope.shape in ((1,), ()):
        return with_slope(c, x, reshaped(c, slope, ()))
    if slope.rank == 1:
        if x.rank < 2 or slope.shape[0] != x.shape[1]:
            c.invalid(f"it has {slope.shape[0]} slopes for an input of shape {[*x.shape]}")
        return c.op("prelu", x, reshaped(c, slope, (1, slope.shape[0])))
    return with_slope(c, x, slope)


# -- softmax ---------------------------------------------------------------------------------------


def _scaled(c: Call) -> tuple[Value, int]:
    """Return the input divided by the temperature, and the axis."""
    x = to_scalar(c, c[0])
    axis = c.axis(c.integer("axis", -1), x.rank)
    temperature = c.real("temperature", 1.0)
    c.text("dtype", "")
    if temperature == 0:
        c.invalid("its temperature is 0")
    return x if temperature == 1 else c.op("div", x, c.decimal(temperature)), axis


@operator("softmax", "_npx_softmax")
def softmax(c: Call) -> Value:
    """Read `softmax` over one axis, of all elements or as many as a second input has."""
    x, axis = _scaled(c)
    if not c.flag("use_length"):
        return c.op("softmax", x, axes=[axis])
    with c.graph.scope("softmax_of_length"):
        shape = [n for place, n in enumerate(x.shape) if place != axis]
        length = to_scalar(c, c.shaped(1, shape, "length"))
        length = reshaped(c, length, (*x.shape[:axis], 1, *x.shape[axis + 1 :]))
        line = [1] * x.rank
        line[axis] = x.shape[axis]
        c.allowance.take(line, 4)
        positions = c.graph.constant(np.arange(x.shape[axis], dtype=np.float32).reshape(line))
        is_inside = c.op("lt", positions, length)
        lowest = float(np.finfo(np.float32).min)
        masked = c.op("select", is_inside, x, lowest)
        return c.op("select", is_inside, c.op("softmax", masked, axes=[axis]), 0.0)


@operator("softmin")
def softmin(c: Call) -> Value:
    """Read the `softmax` of negative elements."""
    x, axis = _scaled(c)
    return c.op("softmax", c.op("neg", x), axes=[axis])


@operator("log_softmax", "_npx_log_softmax")
def log_softmax(c: Call) -> Value:
    """Read the logarithm of the softmax over one axis."""
    x, axis = _scaled(c)
    if c.flag("use_length"):
        c.refuse("it has a length", "Use softmax and a logarithm.")
    return activation.log_softmax(c, x, [axis])


@operator("SoftmaxActivation")
def softmax_activation(c: Call) -> Value:
    """Read `softmax` over the channels, or over the last axis."""
    x = to_scalar(c, c[0])
    mode = c.text("mode", "instance", ("instance", "channel"))
    if x.rank < 2:
        c.invalid(f"its input has rank {x.rank}, not 2 or more")
    return c.op("softmax", x, axes=[1 if mode == "channel" else x.rank - 1])


@operator("_contrib_div_sqrt_dim")
def div_sqrt_dim(c: Call) -> Value:
    """Read a division by the root of the last extent."""
    x = to_scalar(c, c[0])
    if not x.rank:
        c.invalid("its input has rank 0")
    return c.op("div", x, c.decimal(sqrt(x.shape[-1])))
