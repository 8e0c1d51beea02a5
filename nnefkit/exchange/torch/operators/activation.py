"""Activation functions (4.9.1)."""

from __future__ import annotations

from typing import Any

from nnefkit.exchange.compositions import activation
from nnefkit.exchange.refusal import refuse
from nnefkit.exchange.reshaping import axis_of, reshaped, to_scalar
from nnefkit.exchange.source_value import Value
from nnefkit.exchange.torch.call import Call, arithmetic, operator


@operator("relu6")
def relu6(c: Call, x: Value) -> Value:
    """Return `clamp`."""
    return c.op("clamp", x, 0.0, 6.0)


@operator("hardsigmoid")
def hard_sigmoid(c: Call, x: Value) -> Value:
    """Return ``hard_sigmoid``."""
    return activation.hard_sigmoid(c, x)


@operator("hardswish")
def hard_swish(c: Call, x: Value) -> Value:
    """Return ``hard_swish``."""
    return activation.hard_swish(c, x)


@operator("mish")
def mish(c: Call, x: Value) -> Value:
    """Return ``mish``."""
    return activation.mish(c, x)


@operator("silu")
def silu(c: Call, x: Value) -> Value:
    """Return `silu`."""
    return activation.swish(c, x)


@operator("gelu")
def gelu(c: Call, x: Value, approximate: str = "none") -> Value:
    """Return `gelu`, or its approximation by tanh."""
    return activation.gelu(c, x, approximate)


@operator("leaky_relu")
def leaky_relu(c: Call, x: Value, negative_slope: float = 0.01) -> Value:
    """Return `leaky_relu`."""
    return c.op("leaky_relu", x, alpha=c.decimal(negative_slope))


@operator("prelu")
def prelu(c: Call, x: Value, weight: Value) -> Value:
    """Return `prelu` with one slope, or one for each channel."""
    slope = reshaped(c, weight, (weight.shape[0], *(1,) * max(x.rank - 2, 0)))
    return activation.prelu(c, x, weight if weight.is_number else slope)


@operator("elu")
def elu(c: Call, x: Value, alpha: float = 1, scale: float = 1, input_scale: float = 1) -> Value:
    """Return `elu`, scaled if requested."""
    if input_scale != 1:
        refuse("its negative part is scaled separately")
    result = c.op("elu", x, alpha=c.decimal(alpha))
    return result if scale == 1 else arithmetic(c, "mul", result, float(scale))


@operator("selu")
def selu(c: Call, x: Value) -> Value:
    """Return `selu`."""
    return activation.selu(c, x)


@operator("celu")
def celu(c: Call, x: Value, alpha: float = 1.0) -> Value:
    """Return ``celu``."""
    return activation.celu(c, x, alpha)


@operator("softplus")
def softplus(c: Call, x: Value, beta: float = 1, threshold: float = 20) -> Value:
    """Return `softplus`, with `x` itself above the threshold if that makes a difference."""
    return activation.softplus(c, x, beta, threshold)


@operator("softmax", "_softmax", "_safe_softmax")
def softmax(c: Call, x: Value, dim: int, half_to_float: bool = False, dtype: Any = None) -> Value:
    """Return `softmax`."""
    return c.op("softmax", to_scalar(c, x), axes=[axis_of(dim, x.rank)])


@operator("log_softmax", "_log_softmax")
def log_softmax(
    c: Call, x: Value, dim: int, half_to_float: bool = False, dtype: Any = None
) -> Value:
    """Return ``log_softmax``."""
    return activation.log_softmax(c, to_scalar(c, x), [axis_of(dim, x.rank)])


@operator("log_sigmoid")
def log_sigmoid(c: Call, x: Value) -> Value:
    """Return the negated `softplus`."""
    return c.op("neg", activation.softplus(c, c.op("neg", x)))


@operator("hardshrink", "softshrink")
def shrink(c: Call, x: Value, lambd: float = 0.5) -> Value:
    """Return ``shrink``; a hard shrinkage leaves other elements unchanged."""
    return activation.shrink(c, x, lambd, lambd if c.operator == "softshrink" else 0.0)


@operator("threshold")
def threshold(c: Call, x: Value, threshold: float, value: float) -> Value:
    """Return `value` where `x` is at most a threshold, else `x`, which may be NaN."""
    return c.op("select", c.op("le", x, c.decimal(threshold)), c.decimal(value), x)


@operator("glu")
def glu(c: Call, x: Value, dim: int = -1) -> Value:
    """Return the first half times the `sigmoid` of the second half."""
    value, gate = c.ops("split", x, axis=axis_of(dim, x.rank), ratios=[1, 1])
    return c.op("mul", value, c.op("sigmoid", gate))
