"""Element-wise operations (4.2).

The formulas also hold for NaN: PyTorch's maximum is NaN if either argument is, whereas NNEF's is
``select(x > y, x, y)``, which ignores NaN in `x`.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import torch

from nnefkit.execution.engines.torch.broadcasting import align, as_tensor, is_zero
from nnefkit.execution.engines.torch.lowerings import Argument, Number, Tensor, lowering

_INF = math.inf

UNARY: dict[str, Callable[[Tensor], Tensor]] = {
    "neg": torch.neg,
    "rcp": torch.reciprocal,
    "exp": torch.exp,
    "log": torch.log,
    "sin": torch.sin,
    "cos": torch.cos,
    "tan": torch.tan,
    "sinh": torch.sinh,
    "cosh": torch.cosh,
    "tanh": torch.tanh,
    "asin": torch.asin,
    "acos": torch.acos,
    "atan": torch.atan,
    "asinh": torch.asinh,
    "acosh": torch.acosh,
    "atanh": torch.atanh,
    "abs": torch.abs,
    "not": torch.logical_not,
    "floor": torch.floor,
    "ceil": torch.ceil,
    "sqr": torch.square,
    "sqrt": torch.sqrt,
    "log2": torch.log2,
}
"""Operations that are one function of PyTorch."""

for _name, _function in UNARY.items():
    lowering(_name)(_function)


@lowering("copy")
def copy(x: Tensor) -> Tensor:
    """Return the argument itself: no operation changes its inputs."""
    return x


@lowering("sign")
def sign(x: Tensor) -> Tensor:
    """Return -1, 0 or 1; NaN stays NaN."""
    result = torch.sign(x)
    return result.masked_fill(torch.isnan(x), math.nan) if x.is_floating_point() else result


@lowering("round")
def round_half_up(x: Tensor) -> Tensor:
    """Return ``floor(x + 0.5)``, where the addition does not round (4.2.1)."""
    lower = torch.floor(x)
    return lower + (x - lower >= 0.5)


@lowering("rsqr")
def rsqr(x: Tensor) -> Tensor:
    """Return ``x ^ -2``; the reciprocal comes first, since the square overflows earlier."""
    return torch.square(torch.reciprocal(x))


@lowering("rsqrt")
def rsqrt(x: Tensor) -> Tensor:
    """Return ``x ^ -0.5``, infinite for both zeros: the addition removes the sign."""
    return torch.rsqrt(x + 0.0)


# -- binary operations (4.2.2) --------------------------------------------------------------------


def _quotient(x: Argument, y: Argument) -> Any:
    """Return ``x / y``; of integers rounded down."""
    if any(isinstance(a, float) or a.is_floating_point() for a in (x, y) if not isinstance(a, int)):
        return operator.truediv(x, y)
    if isinstance(y, torch.Tensor):
        # The quotient of the least integer and -1 overflows, which ends the process.
        x, y = torch.where(y == -1, -x, x), torch.where(y == -1, 1, y)
    elif y == -1:
        return -x
    return torch.div(torch.as_tensor(x), y, rounding_mode="floor")


BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": _quotient,
    "lt": operator.lt,
    "gt": operator.gt,
    "le": operator.le,
    "ge": operator.ge,
    "eq": operator.eq,
    "ne": operator.ne,
}
"""Operations that are one function, which broadcasts tensors of equal rank."""


def _binary(function: Callable[[Any, Any], Any]) -> Callable[[Argument, Argument], Any]:
    def compute(x: Argument, y: Argument) -> Any:
        if isinstance(x, torch.Tensor) and isinstance(y, torch.Tensor) and x.ndim != y.ndim:
            x, y = align(x, y)
        return function(x, y)

    return compute


for _name, _operator in BINARY.items():
    lowering(_name)(_binary(_operator))


@lowering("pow")
def power(x: Argument, y: Argument) -> Any:
    """Return ``x ^ y``."""
    x, y = align(x, y)
    if isinstance(x, torch.Tensor) and not isinstance(y, torch.Tensor) and abs(y) == 0.5:
        # PyTorch would compute the root, which differs for -0 and negative infinity.
        return torch.pow(x, as_tensor(y, x).expand((1,) * max(x.ndim, 1))).reshape(x.shape)
    return x**y


@lowering("and")
def logical_and(x: Argument, y: Argument) -> Tensor:
    """Return whether both are true."""
    return torch.logical_and(*_logical(x, y))


@lowering("or")
def logical_or(x: Argument, y: Argument) -> Tensor:
    """Return whether at least one is true."""
    return torch.logical_or(*_logical(x, y))


def _logical(x: Argument, y: Argument) -> tuple[Any, ...]:
    return align(*(a if isinstance(a, torch.Tensor) else torch.tensor(a) for a in (x, y)))


@lowering("select")
def select(condition: Argument, true_value: Argument, false_value: Argument) -> Tensor:
    """Return one of two values for each element (4.2.3)."""
    condition, x, y = align(condition, true_value, false_value)
    if not isinstance(condition, torch.Tensor):
        condition = torch.tensor(condition)
    return torch.where(condition, x, y)


# -- minimum, maximum, clamp (4.2.4) --------------------------------------------------------------


@lowering("max")
def maximum(x: Argument, y: Argument) -> Tensor:
    """Return ``select(x > y, x, y)``."""
    if isinstance(x, torch.Tensor) and not isinstance(y, torch.Tensor):
        return at_least(x, y)
    first, second = _both(x, y)
    return torch.maximum(without_nan(first, -_INF), second)


@lowering("min")
def minimum(x: Argument, y: Argument) -> Tensor:
    """Return ``select(x < y, x, y)``."""
    first, second = _both(x, y)
    least = torch.minimum(without_nan(first, _INF), second)
    # Of two zeros, the formula takes the second.
    return least + 0.0 if is_zero(y) else least


def _both(x: Argument, y: Argument) -> tuple[Tensor, Tensor]:
    x, y = align(x, y)
    if isinstance(x, torch.Tensor):
        return x, as_tensor(y, x)
    assert isinstance(y, torch.Tensor)  # noqa: S101  # one of them is
    return as_tensor(x, y), y


def at_least(x: Tensor, bound: Number) -> Tensor:
    """Return ``select(x > bound, x, bound)``."""
    return _with_nan(torch.threshold(x, bound, bound), bound)


def without_nan(x: Tensor, value: Number) -> Tensor:
    """Return `x` with `value` instead of each NaN."""
    return torch.nan_to_num(x, value, _INF, -_INF) if x.is_floating_point() else x


def _with_nan(fresh: Tensor, value: Number) -> Tensor:
    """Replace each NaN in place, if no gradient is needed."""
    if torch.is_grad_enabled() or not fresh.is_floating_point():
        return without_nan(fresh, value)
    return torch.nan_to_num_(fresh, value, _INF, -_INF)


@lowering("clamp")
def clamp(x: Argument, a: Argument, b: Argument) -> Tensor:
    """Return ``max(min(x, b), a)``."""
    if (
        isinstance(x, torch.Tensor)
        and not isinstance(a, torch.Tensor)
        and not isinstance(b, torch.Tensor)
        and a <= b
    ):
        return _with_nan(torch.threshold(x, a, a).clamp_max(b), b)
    return maximum(minimum(x, b), a)
