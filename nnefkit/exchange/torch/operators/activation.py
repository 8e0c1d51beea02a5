"""Activation functions (4.9.1)."""

from __future__ import annotations

from typing import Any

from nnefkit.exchange.refusal import refuse
from nnefkit.exchange.reshaping import per_channel, to_scalar
from nnefkit.exchange.source_graph import Value
from nnefkit.exchange.torch.call import Call, operator
from nnefkit.exchange.torch.values import arithmetic, axis_of

_SAME = 16
"""From where on ``softplus(x)`` is ``x`` to float32."""


@operator("relu6")
def relu6(c: Call, x: Value) -> Value:
    """`clamp`."""
    return c.op("clamp", x, 0.0, 6.0)


@operator("hardsigmoid")
def hard_sigmoid(c: Call, x: Value) -> Value:
    """``hard_sigmoid``."""
    return c.fragment("hard_sigmoid", c.shape, x)


@operator("hardswish")
def hard_swish(c: Call, x: Value) -> Value:
    """``hard_swish``."""
    return c.fragment("hard_swish", c.shape, x)


@operator("mish")
def mish(c: Call, x: Value) -> Value:
    """``mish``."""
    return c.fragment("mish", c.shape, x)


@operator("silu")
def silu(c: Call, x: Value) -> Value:
    """`silu`."""
    return c.op("silu", x)


@operator("gelu")
def gelu(c: Call, x: Value, approximate: str = "none") -> Value:
    """`gelu`, or its form with tanh."""
    if approximate == "tanh":
        return c.fragment("gelu_tanh", c.shape, x)
    return c.op("gelu", x)


@operator("leaky_relu")
def leaky_relu(c: Call, x: Value, negative_slope: float = 0.01) -> Value:
    """`leaky_relu`."""
    return c.op("leaky_relu", x, alpha=float(negative_slope))


@operator("prelu")
def prelu(c: Call, x: Value, weight: Value) -> Value:
    """`prelu`."""
    alpha = (
        c.graph.derived(weight, "number", lambda data: data.reshape(()))
        if (weight.is_number)
        else per_channel(c, weight, x.rank, 0.0)
    )
    return c.op("prelu", x, alpha)


@operator("elu")
def elu(c: Call, x: Value, alpha: float = 1, scale: float = 1, input_scale: float = 1) -> Value:
    """`elu`."""
    if input_scale != 1:
        refuse("its negative part has a scale of its own")
    result: Value = c.op("elu", x, alpha=float(alpha))
    return result if scale == 1 else arithmetic(c, "mul", result, float(scale))


@operator("selu")
def selu(c: Call, x: Value) -> Value:
    """`selu`."""
    return c.op("selu", x)


@operator("celu")
def celu(c: Call, x: Value, alpha: float = 1.0) -> Value:
    """`elu` of another width."""
    if alpha == 1:
        return elu(c, x)
    inner = c.op("elu", c.op("div", x, float(alpha)), alpha=1.0)
    positive = c.op("max", x, 0.0)
    negative = c.op("mul", c.op("min", inner, 0.0), float(alpha))
    return c.op("add", positive, negative)


@operator("softplus")
def softplus(c: Call, x: Value, beta: float = 1, threshold: float = 20) -> Value:
    """`softplus`, and the identity beyond a threshold, where both are not the same to float32."""
    scaled = x if beta == 1 else c.op("mul", x, float(beta))
    result: Value = c.op("softplus", scaled)
    if beta != 1:
        result = c.op("div", result, float(beta))
    if threshold < _SAME:
        result = c.op("select", c.op("gt", scaled, float(threshold)), x, result)
    return result


@operator("softmax", "_softmax", "_safe_softmax")
def softmax(c: Call, x: Value, dim: int, half_to_float: bool = False, dtype: Any = None) -> Value:
    """`softmax`."""
    return c.op("softmax", to_scalar(c, x), axes=[axis_of(dim, x.rank)])


@operator("log_softmax", "_log_softmax")
def log_softmax(
    c: Call, x: Value, dim: int, half_to_float: bool = False, dtype: Any = None
) -> Value:
    """``log_softmax``."""
    return c.fragment("log_softmax", c.shape, to_scalar(c, x), axes=[axis_of(dim, x.rank)])


@operator("log_sigmoid")
def log_sigmoid(c: Call, x: Value) -> Value:
    """`softplus`, turned over."""
    return c.op("neg", c.op("softplus", c.op("neg", x)))


@operator("hardshrink", "softshrink")
def shrink(c: Call, x: Value, lambd: float = 0.5) -> Value:
    """What is near zero becomes zero, and the rest comes nearer."""
    result: Value
    if c.operator == "hardshrink":
        result = c.op("select", c.op("le", c.op("abs", x), float(lambd)), 0.0, x)
    else:
        result = c.op("sub", x, c.op("clamp", x, -float(lambd), float(lambd)))
    return result


@operator("threshold")
def threshold(c: Call, x: Value, threshold: float, value: float) -> Value:
    """`select`."""
    return c.op("select", c.op("gt", x, float(threshold)), x, float(value))


@operator("glu")
def glu(c: Call, x: Value, dim: int = -1) -> Value:
    """One half gates the other."""
    value, gate = c.ops("split", x, axis=axis_of(dim, x.rank), ratios=[1, 1])
    return c.op("mul", value, c.op("sigmoid", gate))
