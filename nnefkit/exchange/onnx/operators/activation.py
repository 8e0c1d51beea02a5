"""Activation functions."""

from __future__ import annotations

from typing import Any

import numpy as np

from nnefkit.exchange.onnx.call import Call, operator
from nnefkit.exchange.reshaping import aligned, reshaped, to_dtype, to_dtype_truncated, to_scalar
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
    return c.op("leaky_relu", c[0], alpha=_float(c, "alpha", 0.01))


@operator("PRelu")
def prelu(c: Call) -> Value:
    """A slope for negative items that is a tensor."""
    given = c[1]
    if c.opset < 7 and given.rank == 1 and given.shape[0] > 1:
        given = reshaped(c, given, given.shape + (1,) * (c[0].rank - 2))
    x, slope = aligned(c, to_scalar(c, c[0]), to_scalar(c, given))
    if not slope.rank and slope.data is not None:
        return to_dtype(c, c.op("leaky_relu", x, alpha=float(str(slope.data))), c[0].dtype)
    return to_dtype(c, c.op("prelu", x, slope), c[0].dtype)


@operator("Elu")
def elu(c: Call) -> Value:
    """Exponential for negative items."""
    return c.op("elu", c[0], alpha=_float(c, "alpha", 1.0))


@operator("Selu")
def selu(c: Call) -> Value:
    """Scaled `elu`."""
    alpha, gamma = _float(c, "alpha", 1.67326319), _float(c, "gamma", 1.05070102)
    scale: dict[str, Any] = {"lambda": gamma}
    return c.op("selu", c[0], alpha=alpha, **scale)


@operator("Celu")
def celu(c: Call) -> Value:
    """``max(0, x) + min(0, alpha (exp(x / alpha) - 1))``: `elu` of another scale."""
    alpha = _float(c, "alpha", 1.0)
    if alpha == 1.0:
        result: Value = c.op("elu", c[0])
    else:
        result = c.op("mul", c.op("elu", c.op("div", c[0], alpha)), alpha)
    return result


@operator("ThresholdedRelu")
def thresholded_relu(c: Call) -> Value:
    """Items above a threshold, else 0."""
    alpha = _float(c, "alpha", 1.0)
    return c.op("select", c.op("gt", c[0], alpha), c[0], 0.0)


@operator("HardSigmoid")
def hard_sigmoid(c: Call) -> Value:
    """``clamp(alpha x + beta, 0, 1)``."""
    return _hard_sigmoid(c, c[0], _float(c, "alpha", 0.2), _float(c, "beta", 0.5))


def _hard_sigmoid(c: Call, x: Value, alpha: float, beta: float) -> Value:
    with c.graph.scope("hard_sigmoid"):
        return c.op("clamp", c.op("add", c.op("mul", x, alpha), beta), 0.0, 1.0)


@operator("HardSwish")
def hard_swish(c: Call) -> Value:
    """``x clamp(x / 6 + 0.5, 0, 1)``."""
    with c.graph.scope("hard_swish"):
        gate = c.op("clamp", c.op("add", c.op("div", c[0], 6.0), 0.5), 0.0, 1.0)
        result: Value = c.op("mul", c[0], gate)
    return result


@operator("Gelu")
def gelu(c: Call) -> Value:
    """``x Phi(x)``, or its approximation by tanh."""
    x = c[0]
    if c.attribute("approximate", "none") == "none":
        return c.op("gelu", x)
    with c.graph.scope("gelu_tanh"):
        cube = c.op("mul", c.op("pow", x, 3.0), 0.044715)
        inner = c.op("mul", c.op("add", x, cube), float(np.sqrt(2 / np.pi)))
        doubled = c.op("mul", x, c.op("add", c.op("tanh", inner), 1.0))
        scaled: Value = c.op("mul", doubled, 0.5)
    return scaled


@operator("Mish")
def mish(c: Call) -> Value:
    """``x tanh(softplus(x))``."""
    with c.graph.scope("mish"):
        result: Value = c.op("mul", c[0], c.op("tanh", c.op("softplus", c[0])))
    return result


@operator("Swish")
def swish(c: Call) -> Value:
    """``x sigmoid(alpha x)``."""
    alpha = _float(c, "alpha", 1.0)
    if alpha == 1.0:
        return c.op("silu", c[0])
    with c.graph.scope("swish"):
        gated: Value = c.op("mul", c[0], c.op("sigmoid", c.op("mul", c[0], alpha)))
    return gated


@operator("Softsign")
def softsign(c: Call) -> Value:
    """``x / (1 + |x|)``."""
    with c.graph.scope("softsign"):
        result: Value = c.op("div", c[0], c.op("add", c.op("abs", c[0]), 1.0))
    return result


@operator("Shrink")
def shrink(c: Call) -> Value:
    """Items nearer to 0 than `lambd` become 0, the others move towards it."""
    bias, edge = _float(c, "bias", 0.0), _float(c, "lambd", 0.5)
    x = to_scalar(c, c[0])
    with c.graph.scope("shrink"):
        upper = c.op("select", c.op("gt", x, edge), c.op("sub", x, bias), 0.0)
        result = c.op("select", c.op("lt", x, -edge), c.op("add", x, bias), upper)
    return to_dtype_truncated(c, result, c[0].dtype)


@operator("Softmax", "LogSoftmax", "Hardmax")
def softmax(c: Call) -> Value:
    """Along one axis; before opset 13, over all the axes from one on."""
    x = c[0]
    old = c.opset < 13
    axis = c.axis("axis", 1 if old else -1, x.rank)
    axes = [*range(axis, x.rank)] if old else [axis]
    if c.operator == "Hardmax":
        return _hardmax(c, x, axes)
    if c.operator == "Softmax":
        return c.op("softmax", x, axes=axes)
    with c.graph.scope("log_softmax"):
        shifted = c.op("sub", x, c.op("max_reduce", x, axes=axes))
        total = c.op("sum_reduce", c.op("exp", shifted), axes=axes)
        logarithm: Value = c.op("sub", shifted, c.op("log", total))
    return logarithm


def _hardmax(c: Call, x: Value, axes: list[int]) -> Value:
    """1 for the first of the greatest items, else 0."""
    if len(axes) > 1:
        flat = reshaped(c, x, (*x.shape[: axes[0]], int(np.prod(x.shape[axes[0] :]))))
        return reshaped(c, _hardmax(c, flat, [axes[0]]), x.shape)
    axis = axes[0]
    best = c.op("cast", c.op("argmax_reduce", x, axes=[axis]), data_type="scalar")
    shape = [1] * x.rank
    shape[axis] = x.shape[axis]
    positions = c.graph.constant(np.arange(x.shape[axis], dtype=np.float32).reshape(shape))
    return c.op("cast", c.op("eq", positions, best), data_type="scalar")


def _float(c: Call, name: str, default: float) -> float:
    # Attributes are float32: the shortest decimal that means the same.
    return float(str(np.float32(c.attribute(name, default))))
