"""Activation functions (4.9.1)."""

from __future__ import annotations

from nnefkit.exchange.compositions import activation as shared
from nnefkit.exchange.reshaping import reshaped
from nnefkit.exchange.source_value import Value
from nnefkit.exchange.torch7.call import Call, module


@module("ReLU", cudnn=True)
def relu(c: Call) -> Value:
    """Read `relu`."""
    return c.op("relu", c.one())


@module("Threshold")
def threshold(c: Call) -> Value:
    """Read elements above a threshold, and a number elsewhere; `relu` if both are 0."""
    x, limit, value = c.one(), c.number("threshold", 1e-6), c.number("val", 0.0)
    if limit == 0 and value == 0:
        return c.op("relu", x)
    return c.op("select", c.op("gt", x, c.decimal(limit)), x, c.decimal(value))


@module("HardTanh", "Clamp")
def clamp(c: Call) -> Value:
    """Read `clamp`; -1 and 1 are the bounds of old files."""
    low, high = c.number("min_val", -1.0), c.number("max_val", 1.0)
    if low > high:
        c.invalid(f"its bounds are {low:g} and {high:g}")
    return c.op("clamp", c.one(), c.decimal(low), c.decimal(high))


@module("Clip")
def clip(c: Call) -> Value:
    """Read `clamp`."""
    low, high = c.number("minval"), c.number("maxval")
    if low > high:
        c.invalid(f"its bounds are {low:g} and {high:g}")
    return c.op("clamp", c.one(), c.decimal(low), c.decimal(high))


@module("ReLU6")
def relu6(c: Call) -> Value:
    """Read `clamp` between 0 and 6."""
    return c.op("clamp", c.one(), 0.0, 6.0)


@module("cudnn.ClippedReLU")
def clipped_relu(c: Call) -> Value:
    """Read `clamp` from 0 on."""
    ceiling = c.number("ceiling")
    if ceiling < 0:
        c.invalid(f"its ceiling is {ceiling:g}")
    return c.op("clamp", c.one(), 0.0, c.decimal(ceiling))


@module("LeakyReLU")
def leaky_relu(c: Call) -> Value:
    """Read `leaky_relu`."""
    return c.op("leaky_relu", c.one(), alpha=c.decimal(c.number("negval", 0.01)))


@module("RReLU")
def randomized_relu(c: Call) -> Value:
    """Read `leaky_relu` with the mean of the slopes, as it is after training."""
    lower, upper = c.number("lower", 1 / 8), c.number("upper", 1 / 3)
    return c.op("leaky_relu", c.one(), alpha=c.decimal((lower + upper) / 2))


@module("PReLU")
def prelu(c: Call) -> Value:
    """Read `prelu`, with one slope or one for each channel."""
    x, planes = c.one(), c.integer("nOutputPlane", 0)
    if planes == 0:
        return shared.prelu(c, x, c.weight("weight", ()))
    axis = _channels(c, x)
    if x.shape[axis] != planes:
        c.invalid(f"it has {planes} slopes for {x.shape[axis]} channels")
    slope = c.weight("weight", (planes,))
    if axis == 0:
        batched = reshaped(c, x, (1, *x.shape))
        return reshaped(c, c.op("prelu", batched, reshaped(c, slope, (1, planes))), x.shape)
    return c.op("prelu", x, reshaped(c, slope, (1, planes)))


@module("CReLU")
def concatenated_relu(c: Call) -> Value:
    """Read `relu` of the input and of its negative, side by side in the channels."""
    x, rank = c.one(), c.integer("nInputDims", least=1)
    if x.rank not in (rank, rank + 1):
        c.invalid(f"its input has {x.rank} dimensions, not {rank} or {rank + 1}")
    joined = c.op("concat", [x, c.op("neg", x)], axis=x.rank - rank)
    return c.op("relu", joined)


@module("ELU")
def elu(c: Call) -> Value:
    """Read `elu`."""
    alpha = c.decimal(c.number("alpha", 1.0))
    return c.op("elu", c.one()) if alpha == 1 else c.op("elu", c.one(), alpha=alpha)


@module("Sigmoid", cudnn=True)
def sigmoid(c: Call) -> Value:
    """Read `sigmoid`."""
    return c.op("sigmoid", c.one())


@module("Tanh", cudnn=True)
def tanh(c: Call) -> Value:
    """Read `tanh`."""
    return c.op("tanh", c.one())


@module("LogSigmoid")
def log_sigmoid(c: Call) -> Value:
    """Read ``-softplus(-x)``."""
    return c.op("neg", c.op("softplus", c.op("neg", c.one())))


@module("SoftPlus")
def softplus(c: Call) -> Value:
    """Read ``log(1 + exp(beta x)) / beta``, and the input where ``beta x`` is above 20."""
    beta = c.number("beta", 1.0)
    if beta == 0:
        c.invalid("its beta is 0")
    return shared.softplus(c, c.one(), beta, c.number("threshold", 20.0))


@module("SoftSign")
def softsign(c: Call) -> Value:
    """Read ``x / (1 + |x|)``."""
    return shared.softsign(c, c.one())


@module("HardShrink")
def hard_shrink(c: Call) -> Value:
    """Read 0 for small elements, and the others as they are."""
    return shared.shrink(c, c.one(), c.number("lambda", 0.5), 0.0)


@module("SoftShrink")
def soft_shrink(c: Call) -> Value:
    """Read 0 for small elements, and the others moved toward 0."""
    size = c.number("lambda", 0.5)
    return shared.shrink(c, c.one(), size, size)


@module("TanhShrink")
def tanh_shrink(c: Call) -> Value:
    """Read ``x - tanh(x)``."""
    return c.op("sub", c.one(), c.op("tanh", c.one()))


@module("SoftMax", "SpatialSoftMax", "VolumetricSoftMax", cudnn=True)
def softmax(c: Call) -> Value:
    """Read `softmax` over the channels: the first dimension of 1 or 3, the second of 2 or 4."""
    x = c.one()
    return c.op("softmax", x, axes=[_softmax_axis(c, x)])


@module("SoftMin")
def softmin(c: Call) -> Value:
    """Read `softmax` of the negative."""
    x = c.one()
    return c.op("softmax", c.op("neg", x), axes=[_softmax_axis(c, x)])


@module("LogSoftMax", "SpatialLogSoftMax", "VolumetricLogSoftMax", cudnn=True)
def log_softmax(c: Call) -> Value:
    """Read the logarithm of the softmax over the channels."""
    x = c.one()
    return shared.log_softmax(c, x, [_softmax_axis(c, x)])


@module("GatedLinearUnit")
def gated_linear_unit(c: Call) -> Value:
    """Read one half of a dimension times the sigmoid of the other one."""
    x = c.one()
    axis = c.dimension(c.integer("dim", x.rank), x.rank)
    if x.shape[axis] % 2:
        c.invalid(f"its dimension {axis + 1} has {x.shape[axis]} elements, which cannot be halved")
    first, gate = c.ops("split", x, axis=axis, ratios=[1, 1])
    return c.op("mul", first, c.op("sigmoid", gate))


def _softmax_axis(c: Call, x: Value) -> int:
    if "Volumetric" in c.operator:
        if x.rank not in (4, 5):
            c.invalid(f"its input has {x.rank} dimensions, not 4 or 5")
        return x.rank - 4
    if c.operator == "nn.SpatialSoftMax" and x.rank < 3:
        c.invalid(f"its input has {x.rank} dimensions, not 3 or 4")
    if x.rank not in (1, 2, 3, 4):
        c.invalid(f"its input has {x.rank} dimensions, not 1 to 4")
    if x.rank == 3 and x.shape[0] == 1 < x.shape[1]:
        # Torch7 itself computes 1 everywhere.
        c.graph.notes.setdefault("batches_of_one", []).append(c.name)
        return 1
    if x.rank == 3:
        c.graph.notes.setdefault("classes_first", []).append(c.name)
    return 0 if x.rank in (1, 3) else 1


def _channels(c: Call, x: Value) -> int:
    """Return the axis of the channels: the second one, if there are two."""
    if not x.rank:
        c.invalid("its input has no dimensions")
    return int(x.rank > 1)
