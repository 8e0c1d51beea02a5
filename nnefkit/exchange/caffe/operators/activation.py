"""Activation functions (4.9.1)."""

from __future__ import annotations

from nnefkit.exchange.caffe.call import Call, layer
from nnefkit.exchange.compositions.activation import prelu as with_slope
from nnefkit.exchange.compositions.activation import softplus, swish
from nnefkit.exchange.source_value import Value


@layer("ReLU")
def relu(c: Call) -> Value:
    """Read `relu` or, with a slope for negative elements, `leaky_relu`."""
    x, slope = c.one(), c.parameter("relu_param").negative_slope
    return c.op("leaky_relu", x, alpha=c.decimal(slope)) if slope else c.op("relu", x)


@layer("ReLU6")
def relu6(c: Call) -> Value:
    """Read `clamp` between 0 and 6."""
    return c.op("clamp", c.one(), 0.0, 6.0)


@layer("Clip")
def clip(c: Call) -> Value:
    """Read `clamp`."""
    p = c.parameter("clip_param")
    if not p.min <= p.max:
        c.invalid(f"its bounds are {p.min} and {p.max}")
    return c.op("clamp", c.one(), c.decimal(p.min), c.decimal(p.max))


@layer("PReLU")
def prelu(c: Call) -> Value:
    """Read `prelu`, with one slope or one for each channel."""
    x = c.one()
    if x.rank < 2:
        c.invalid(f"its bottom has rank {x.rank}, not 2 or more")
    if c.parameter("prelu_param").channel_shared:
        return with_slope(c, x, c.weight(0, "slope", ()))
    return c.op("prelu", x, c.weight(0, "slope", (1, x.shape[1])))


@layer("ELU")
def elu(c: Call) -> Value:
    """Read `elu`."""
    alpha = c.decimal(c.parameter("elu_param").alpha)
    return c.op("elu", c.one()) if alpha == 1 else c.op("elu", c.one(), alpha=alpha)


@layer("Swish")
def swish_layer(c: Call) -> Value:
    """Read ``x sigmoid(beta x)``."""
    return swish(c, c.one(), c.parameter("swish_param").beta)


@layer("BNLL")
def binomial_log_likelihood(c: Call) -> Value:
    """Read `softplus`."""
    return softplus(c, c.one())


@layer("Sigmoid")
def sigmoid(c: Call) -> Value:
    """Read `sigmoid`."""
    return c.op("sigmoid", c.one())


@layer("TanH")
def tanh(c: Call) -> Value:
    """Read `tanh`."""
    return c.op("tanh", c.one())


@layer("Softmax")
def softmax(c: Call) -> Value:
    """Read `softmax` over one axis."""
    x = c.one()
    return c.op("softmax", x, axes=[c.axis(c.parameter("softmax_param").axis, x.rank)])


@layer("Threshold")
def threshold(c: Call) -> Value:
    """Read 1 where elements are above a threshold, and 0 elsewhere."""
    above = c.op("gt", c.one(), c.decimal(c.parameter("threshold_param").threshold))
    return c.op("cast", above, data_type="scalar")
