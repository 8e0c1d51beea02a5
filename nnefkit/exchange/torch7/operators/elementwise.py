"""Elementwise functions (4.2), and what does nothing after training."""

from __future__ import annotations

from math import prod
from typing import Any

from nnefkit.exchange.compositions import elementwise
from nnefkit.exchange.reshaping import expanded, reshaped, sliced, truncated
from nnefkit.exchange.source_value import Value
from nnefkit.exchange.torch7.call import Call, module
from nnefkit.exchange.torch7.objects import TorchTensor

_UNARY = {"Abs": "abs", "Exp": "exp", "Log": "log", "Sqrt": "sqrt", "Square": "sqr"}


@module(*_UNARY)
def unary(c: Call) -> Value:
    """Read `abs`, `exp`, `log`, `sqrt` or `sqr`."""
    return c.op(_UNARY[c.module.short_name], c.one())


@module("Power")
def power(c: Call) -> Value:
    """Read ``x ^ pow``."""
    x, exponent = c.one(), c.number("pow")
    return x if exponent == 1 else elementwise.power(c, x, exponent)


@module("MulConstant")
def times_constant(c: Call) -> Value:
    """Read `mul` with a number."""
    return c.op("mul", c.one(), c.decimal(c.number("constant_scalar")))


@module("AddConstant")
def plus_constant(c: Call) -> Value:
    """Read `add` of a number, or of one number for each element of the last dimension."""
    x = c.one()
    if isinstance(c.module.get("constant_scalar"), float):
        return c.op("add", x, c.decimal(c.number("constant_scalar")))
    if x.rank not in (1, 2):
        c.invalid(f"its input has {x.rank} dimensions, not 1 or 2")
    return c.op("add", x, c.weight("constant_scalar", (*(1,) * (x.rank - 1), x.shape[-1])))


@module("Mul")
def times_one_weight(c: Call) -> Value:
    """Read `mul` with a weight of one element."""
    return c.op("mul", c.one(), c.weight("weight", (1,) * c.one().rank))


@module("Add")
def plus_weights(c: Call) -> Value:
    """Read `add` of weights, one for each element of a batch entry."""
    x = c.one()
    bias = c.weight("bias")
    if c.flag("scalar") or prod(bias.shape) == 1:
        return c.op("add", x, c.weight("bias", (1,) * x.rank))
    return c.op("add", x, _for_each_element(c, x, bias))


@module("CAdd")
def plus_tensor(c: Call) -> Value:
    """Read `add` of weights, which broadcast or are one for each element of a batch entry."""
    return c.op("add", c.one(), _weights_for(c, "bias"))


@module("CMul")
def times_tensor(c: Call) -> Value:
    """Read `mul` with weights, which broadcast or are one for each element of a batch entry."""
    return c.op("mul", c.one(), _weights_for(c, "weight"))


def _weights_for(c: Call, name: str) -> Value:
    x, weights = c.one(), c.weight(name)
    if prod(weights.shape) == prod(x.shape):
        return reshaped(c, weights, x.shape)
    if weights.rank != x.rank:
        return _for_each_element(c, x, weights)
    if any(w not in (1, n) for w, n in zip(weights.shape, x.shape, strict=True)):
        c.invalid(f"its weights are {[*weights.shape]} for an input of {[*x.shape]}")
    return weights


def _for_each_element(c: Call, x: Value, weights: Value) -> Value:
    """Return weights in the shape of a batch entry; one that is for a whole batch has its shape."""
    if weights.shape == x.shape:
        return weights
    count = prod(weights.shape)
    if x.rank < 2 or count != prod(x.shape[1:]):
        c.invalid(f"it has {count} weights for an input of {[*x.shape]}")
    return reshaped(c, weights, (1, *x.shape[1:]))


@module("inn.ConstAffine")
def affine(c: Call) -> Value:
    """Read `mul` and `add`, with one factor and one offset for each channel."""
    x = c.ranked(2, 4)
    shape = (1, x.shape[1])
    return c.op("add", c.op("mul", x, c.weight("a", shape)), c.weight("b", shape))


@module("inn.MeanSubtraction")
def minus_mean(c: Call) -> Value:
    """Read `sub` of an image."""
    x = c.ranked(3, 4)
    image = x.shape if x.rank == 3 else (1, *x.shape[1:])
    mean = c.weight("mean")
    if mean.rank == 4:
        # It may have been repeated for a batch.
        mean = sliced(c, mean, 0, 0, 1)
    if prod(mean.shape) != prod(image):
        c.invalid(f"its mean is {[*mean.shape]} for an input of {[*x.shape]}")
    return c.op("sub", x, reshaped(c, mean, image))


# -- what does nothing, or little, after training --------------------------------------------------


@module("Dropout")
def dropout(c: Call) -> Value:
    """Read what changes nothing; in old networks (without `v2`) it is a factor."""
    _check_not_stochastic(c)
    return c.one() if c.flag("v2") else _kept_share(c)


@module("SpatialDropout", "VolumetricDropout")
def dropout_of_channels(c: Call) -> Value:
    """Read a factor."""
    _check_not_stochastic(c)
    return _kept_share(c)


def _check_not_stochastic(c: Call) -> None:
    if c.flag("stochastic_inference"):
        c.refuse("it drops elements at random after training, too", "Set stochastic_inference.")


def _kept_share(c: Call) -> Value:
    share = 1 - c.number("p", 0.5)
    return c.one() if share == 1 else c.op("mul", c.one(), c.decimal(share))


@module("WhiteNoise")
def white_noise(c: Call) -> Value:
    """Read `add` of the mean of the noise."""
    mean = c.number("mean", 0.0)
    return c.op("add", c.one(), c.decimal(mean)) if mean else c.one()


@module("Contiguous")
def contiguous(c: Call) -> Value:
    """Read what changes nothing."""
    return c.one()


@module("Copy")
def copied(c: Call) -> Value:
    """Read what changes nothing, or cuts off the fractions where it copies to integers."""
    x, output = c.one(), c.module.get("output")
    kind = output.class_name if isinstance(output, TorchTensor) else ""
    if any(name in kind for name in ("Byte", "Char", "Short")):
        c.refuse(f"it copies to a {kind}, whose integers wrap around", "Copy to a LongTensor.")
    return truncated(c, x) if any(name in kind for name in ("Long", "Int")) else x


@module("Identity", "GradientReversal", "L1Penalty", "PrintSize", "ZeroGrad")
@module("TotalVariation", "ContentLoss", "StyleLoss", "DeepDreamLoss")
def identity(c: Call) -> Any:
    """Read what changes nothing, tables included."""
    return c.given


@module("Constant")
def constant(c: Call) -> Value:
    """Read a `variable`, repeated for each entry of a batch."""
    rank, value = c.integer("nInputDim", 0), c.weight("value")
    if not rank or c.one().rank <= rank:
        return value
    shape = (c.one().shape[0], *value.shape)
    c.allowance.take(shape, 4)
    return expanded(c, reshaped(c, value, (1, *value.shape)), shape)
