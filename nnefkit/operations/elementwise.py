"""Element-wise operations (4.2).

The kernels follow the formulas to the letter for NaN, too: `max` is ``select(x > y, x, y)``, so
that a NaN in `x` is dropped and one in `y` is returned.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nnefkit.arrays import Array, Shape
from nnefkit.errors import ExecutionError
from nnefkit.operations.broadcasting import align, broadcast_shape, warn_of_broadcast
from nnefkit.operations.flop_rules import for_each_result, no_flops
from nnefkit.operations.precision import blockwise, quiet
from nnefkit.operations.registry import Problems, advice, flops, kernel, shape_rule

_SMALL = 512
"""Number of elements up to which evaluating the plain formula is fastest."""

# -- unary operations (4.2.1) and simplifiers of one argument (4.2.4) -----------------------------

UNARY: dict[str, Callable[..., Any]] = {
    "neg": np.negative,
    "rcp": np.reciprocal,
    "exp": np.exp,
    "log": np.log,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "tanh": np.tanh,
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "asinh": np.arcsinh,
    "acosh": np.arccosh,
    "atanh": np.arctanh,
    "abs": np.abs,
    "sign": np.sign,
    "not": np.logical_not,
    "floor": np.floor,
    "ceil": np.ceil,
    "sqr": np.square,
    "sqrt": np.sqrt,
    "log2": np.log2,
}
"""Operations that are a single NumPy function."""


@shape_rule("copy", "round", "rsqr", "rsqrt", *UNARY)
def unary_shape(x: Shape) -> Shape:
    """Return the shape of the argument (4.2.1)."""
    return x


flops("round", "rsqr", "rsqrt", *UNARY)(for_each_result(1, "the function"))
flops("copy")(no_flops)


def _unary(function: Callable[..., Any]) -> Callable[[Array], Array]:
    @quiet
    def compute(x: Array) -> Array:
        return np.asarray(function(x))

    return compute


for _name, _function in UNARY.items():
    kernel(_name)(_unary(_function))


@kernel("copy")
def copy(x: Array) -> Array:
    """Return the argument itself, since tensors do not change (4.2.1)."""
    return x


@quiet
def round_half_up(x: Array) -> Array:
    """``floor(x + 0.5)``, as if computed with real numbers (4.2.1).

    The addition must not round: the largest number below 0.5 becomes 0, and odd integers stay
    unchanged where the spacing of floating-point numbers is 1.
    """
    lower = np.floor(x)
    return np.asarray(lower + (x - lower >= 0.5))


kernel("round")(round_half_up)


@kernel("rsqr")
@quiet
def rsqr(x: Array) -> Array:
    """``x ^ -2`` (4.2.4); the reciprocal comes first, since the square overflows earlier."""
    return np.asarray(np.square(np.reciprocal(x)))


@kernel("rsqrt")
@quiet
def rsqrt(x: Array) -> Array:
    """``x ^ -0.5`` (4.2.4), which is infinite for both zeros: adding 0 clears the sign of -0."""
    return np.asarray(np.reciprocal(np.sqrt(x + x.dtype.type(0))))


# -- binary operations (4.2.2) --------------------------------------------------------------------


def _power(x: Array, y: Array) -> Any:
    """``x ^ y``, with shortcuts for an exponent that is a single whole number.

    NumPy leaves its fast path for negative bases, where it is 50 times slower.
    """
    exponent = float(y) if y.ndim == 0 and x.dtype == y.dtype else 0.5
    if not exponent.is_integer() or x.dtype.kind != "f":
        return np.power(x, y)
    if exponent == 2:
        return np.square(x)
    if exponent == -1:
        return np.reciprocal(x)
    result = np.power(np.abs(x), y)
    return np.copysign(result, x) if exponent % 2 else result


def _quotient(x: Array, y: Array) -> Any:
    """``x / y``; of integers, which engines compute with beyond the standard, rounded down.

    Raises:
        ExecutionError: An integer is divided by zero.
    """
    if x.dtype.kind == "f" or y.dtype.kind == "f":
        return np.true_divide(x, y)
    if not np.all(y):
        raise ExecutionError("an integer is divided by zero", hint="Integers have no infinity.")
    return np.floor_divide(x, y)


BINARY: dict[str, Callable[..., Any]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": _quotient,
    "pow": _power,
    "lt": np.less,
    "gt": np.greater,
    "le": np.less_equal,
    "ge": np.greater_equal,
    "eq": np.equal,
    "ne": np.not_equal,
    "and": np.logical_and,
    "or": np.logical_or,
}
"""Operations that are a single function, which broadcasts arrays of equal rank."""

_XY = ("x", "y")
_NOTHING = Problems("4.2.2")


@shape_rule("min", "max", *BINARY)
def binary_shape(x: Shape, y: Shape) -> Shape:
    """Return the broadcast shape of both arguments (4.2.2)."""
    return x if x == y else broadcast_shape(x, y, names=_XY)


flops("min", "max", *BINARY)(for_each_result(1, "the function"))


@advice("min", "max", *BINARY)
def binary_advice(x: Shape, y: Shape) -> Problems:
    """Warn about shapes that look as if meant to be aligned from the right (4.2.2)."""
    if len(x) == len(y):
        return _NOTHING
    problems = Problems("4.2.2")
    warn_of_broadcast(problems, x, y, _XY)
    return problems


def _binary(function: Callable[..., Any]) -> Callable[[Array, Array], Array]:
    @quiet
    def compute(x: Array, y: Array) -> Array:
        if x.ndim != y.ndim and x.ndim and y.ndim:
            x, y = align(x, y)
        return np.asarray(function(x, y))

    return compute


for _name, _function in BINARY.items():
    kernel(_name)(_binary(_function))


# -- select (4.2.3) -------------------------------------------------------------------------------


@shape_rule("select")
def select_shape(condition: Shape, true_value: Shape, false_value: Shape) -> Shape:
    """Return the broadcast shape of all arguments (4.2.3)."""
    names = ("condition", "true_value", "false_value")
    return broadcast_shape(condition, true_value, false_value, names=names, section="4.2.3")


flops("select")(for_each_result(1, "the selection"))


@kernel("select")
def select(condition: Array, true_value: Array, false_value: Array) -> Array:
    """Choose one of two values for each element (4.2.3)."""
    condition, x, y = align(condition, true_value, false_value)
    if condition.size <= _SMALL or x.dtype != y.dtype or x.dtype.kind not in "fiu":
        return np.where(condition, x, y)
    # Mispredicted branches make choosing several times slower than masking.
    bits = f"i{x.dtype.itemsize}"
    mask = np.negative(condition.astype(bits))
    differing = np.bitwise_and(np.bitwise_xor(x.view(bits), y.view(bits)), mask)
    return np.asarray(np.bitwise_xor(differing, y.view(bits)).view(x.dtype))


# -- minimum, maximum, clamp (4.2.4) --------------------------------------------------------------


def _is_bound(y: Array, x: Array) -> bool:
    """Return whether `y` is not NaN: NumPy clips several times faster than it compares."""
    return y.ndim == 0 and y.dtype == x.dtype and y.dtype.kind == "f" and bool(y == y)


@blockwise
def _at_least(x: Array, out: Array, *, bound: Array) -> None:
    """``select(x > bound, x, bound)``."""
    x.clip(bound, np.inf, out=out)
    _finish(out, nan=bound, low=bound)


@blockwise
def _at_most(x: Array, out: Array, *, bound: Array) -> None:
    """``select(x < bound, x, bound)``."""
    x.clip(-np.inf, bound, out=out)
    _finish(out, nan=bound, low=bound)


@blockwise
def _between(x: Array, out: Array, *, low: Array, high: Array) -> None:
    """``max(min(x, high), low)``."""
    x.clip(low, high, out=out)
    _finish(out, nan=high, low=low)


def _finish(clipped: Array, nan: Array, low: Array) -> None:
    """Correct in place the NaNs, and each -0 at a bound of 0, to what the formulas yield."""
    if np.isnan(clipped.max()):
        clipped[np.isnan(clipped)] = nan
    if not low:
        clipped += low


@kernel("max")
@quiet
def maximum(x: Array, y: Array) -> Array:
    """``select(x > y, x, y)`` (4.2.4)."""
    if x.size > _SMALL and _is_bound(y, x):
        return _at_least(x, bound=y)
    if x.ndim != y.ndim:
        x, y = align(x, y)
    if x.size <= _SMALL or x.dtype.kind != "f":
        return np.where(x > y, x, y)
    return _with_nan_of(y, np.fmax(x, y))


@kernel("min")
@quiet
def minimum(x: Array, y: Array) -> Array:
    """``select(x < y, x, y)`` (4.2.4)."""
    if x.size > _SMALL and _is_bound(y, x):
        return _at_most(x, bound=y)
    if x.ndim != y.ndim:
        x, y = align(x, y)
    if x.size <= _SMALL or x.dtype.kind != "f":
        return np.where(x < y, x, y)
    return _with_nan_of(y, np.fmin(x, y))


def _with_nan_of(y: Array, result: Any) -> Array:
    """Restore the NaNs of `y`, which NumPy's `fmax` drops, unlike the formula."""
    if y.size and np.isnan(y.max()):
        result = np.where(np.isnan(y), y, result)
    return np.asarray(result)


@shape_rule("clamp")
def clamp_shape(x: Shape, a: Shape, b: Shape) -> Shape:
    """Return the broadcast shape of all arguments (4.2.4)."""
    return (
        x if not a and not b else broadcast_shape(x, a, b, names=("x", "a", "b"), section="4.2.4")
    )


flops("clamp")(for_each_result(2, "min, max"))


@kernel("clamp")
@quiet
def clamp(x: Array, a: Array, b: Array) -> Array:
    """``max(min(x, b), a)`` (4.2.4)."""
    if x.size > _SMALL and _is_bound(a, x) and _is_bound(b, x) and a <= b:
        return _between(x, low=a, high=b)
    if x.size <= _SMALL and not a.ndim and not b.ndim:
        below = np.where(x < b, x, b)
        return np.where(below > a, below, a)
    return maximum(minimum(x, b), a)
