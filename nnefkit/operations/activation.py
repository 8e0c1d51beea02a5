"""Activation functions (4.9.1).

Each formula is computed in an equivalent form that neither overflows nor loses small results.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nnefkit.arrays import Array, Shape
from nnefkit.operations.axis_rules import check_axes
from nnefkit.operations.broadcasting import align, broadcast_shape
from nnefkit.operations.elementwise import maximum, select
from nnefkit.operations.flop_rules import for_each_input, for_each_result
from nnefkit.operations.normal_distribution import normal_cdf
from nnefkit.operations.precision import blockwise, quiet, widened
from nnefkit.operations.reduction import precise_sum
from nnefkit.operations.registry import Problems, flops, kernel, shape_rule


@shape_rule("sigmoid", "relu", "gelu", "silu", "softplus")
def activation_shape(x: Shape) -> Shape:
    """Return the shape of the argument (4.9.1)."""
    return x


@shape_rule("leaky_relu", "elu", "selu")
def parametric_shape(x: Shape, **_attribs: Any) -> Shape:
    """Return the shape of the argument (4.9.1)."""
    return x


flops("sigmoid")(for_each_result(4, "neg, exp, add, div"))
flops("relu")(for_each_result(1, "max"))
flops("gelu")(for_each_result(2, "the distribution function, mul"))
flops("silu")(for_each_result(5, "sigmoid, mul"))
flops("softplus")(for_each_result(3, "exp, add, log"))
flops("elu")(for_each_result(5, "lt, exp, sub, mul, select"))
flops("selu")(for_each_result(6, "elu, mul"))
flops("prelu", "leaky_relu")(for_each_input(1, "lt; mul, select", each_result=2))
flops("softmax")(for_each_input(5, "max_reduce, sub, exp, sum_reduce, div"))


@kernel("relu")
def relu(x: Array) -> Array:
    """``max(x, 0)`` (4.9.1), which is 0 where `x` is NaN."""
    return maximum(x, np.zeros((), x.dtype))


@kernel("sigmoid")
@quiet
@widened
@blockwise
def sigmoid(x: Array, out: Array) -> None:
    """``1 / (1 + exp(-x))`` (4.9.1)."""
    np.negative(x, out=out)
    np.exp(out, out=out)
    out += 1
    np.reciprocal(out, out=out)


@kernel("silu")
@quiet
@widened
@blockwise
def silu(x: Array, out: Array) -> None:
    """``x * sigmoid(x)`` (4.9.1)."""
    np.negative(x, out=out)
    np.exp(out, out=out)
    out += 1
    np.divide(x, out, out=out)


@kernel("gelu")
@quiet
@widened
@blockwise
def gelu(x: Array, out: Array) -> None:
    """``x * Phi(x)`` with the exact distribution function (4.9.1), not an approximation."""
    np.multiply(x, normal_cdf(x), out=out)


@kernel("softplus")
@quiet
@widened
@blockwise
def softplus(x: Array, out: Array) -> None:
    """``log(exp(x) + 1)`` (4.9.1), which is `x` itself where the exponential would overflow."""
    np.abs(x, out=out)
    np.negative(out, out=out)
    np.exp(out, out=out)
    np.log1p(out, out=out)
    out += x.clip(0, np.inf)


@kernel("elu")
@quiet
@widened
def elu(x: Array, *, alpha: float) -> Array:
    """``x < 0 ? alpha * (exp(x) - 1) : x`` (4.9.1)."""
    return _scaled_elu(x, alpha=alpha, scale=1.0)


@kernel("selu")
@quiet
@widened
def selu(x: Array, *, alpha: float, **attribs: float) -> Array:
    """``lambda * (x < 0 ? alpha * (exp(x) - 1) : x)`` (4.9.1)."""
    return _scaled_elu(x, alpha=alpha, scale=attribs["lambda"])


@blockwise
def _scaled_elu(x: Array, out: Array, *, alpha: float, scale: float) -> None:
    # Add both halves, one of which is 0: several times faster than choosing element by element.
    x.clip(-np.inf, 0, out=out)
    np.expm1(out, out=out)
    out *= alpha
    out += x.clip(0, np.inf)
    if scale != 1.0:
        out *= scale


@shape_rule("prelu")
def prelu_shape(x: Shape, alpha: Shape) -> Shape:
    """Return the broadcast shape of both arguments (4.9.1)."""
    return broadcast_shape(x, alpha, names=("x", "alpha"), section="4.9.1")


@kernel("prelu")
@quiet
def prelu(x: Array, alpha: Array) -> Array:
    """``x < 0 ? alpha * x : x`` (4.9.1)."""
    x, alpha = align(x, alpha)
    if x.dtype != alpha.dtype or not np.isfinite(alpha).all():
        return select(x < 0, alpha * x, x)
    result = np.asarray(x.clip(-np.inf, 0) * alpha)
    result += x.clip(0, np.inf)
    return result


@kernel("leaky_relu")
@quiet
def leaky_relu(x: Array, *, alpha: float) -> Array:
    """``x < 0 ? alpha * x : x`` (4.9.1)."""
    return _leaky(x, alpha=alpha)


@blockwise
def _leaky(x: Array, out: Array, *, alpha: float) -> None:
    x.clip(-np.inf, 0, out=out)
    out *= alpha
    out += x.clip(0, np.inf)


@shape_rule("softmax")
def softmax_shape(x: Shape, *, axes: Sequence[int]) -> Shape:
    """Check the rules of `softmax` and return its shape (4.9.1)."""
    problems = Problems("4.9.1")
    check_axes(problems, axes, len(x))
    problems.done()
    return x


@kernel("softmax")
@quiet
@widened
def softmax(x: Array, *, axes: Sequence[int]) -> Array:
    """Return exponentials normalized to sum to 1 over all of `axes` together (4.9.1)."""
    along = tuple(axes)
    if not x.size:
        return x
    result = np.asarray(x - x.max(along, keepdims=True))
    np.exp(result, out=result)
    result /= precise_sum(result, axes)
    return result
