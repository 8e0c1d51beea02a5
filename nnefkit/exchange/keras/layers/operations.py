"""Operations of `keras.ops` on elements: arithmetic, comparison, logic (4.2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from nnefkit.exchange.compositions import activation, casting, elementwise
from nnefkit.exchange.compositions.integer_power import integer_power
from nnefkit.exchange.keras.call import Call, layer
from nnefkit.exchange.keras.layers.activation import FUNCTIONS, glu, squareplus
from nnefkit.exchange.keras.options import INVALID
from nnefkit.exchange.refusal import refuse
from nnefkit.exchange.reshaping import aligned, to_dtype, to_logical, to_scalar
from nnefkit.exchange.source_value import DTYPES, SCALAR, DType, Value

_UNARY = {
    "Absolute": "abs",
    "Abs": "abs",
    "Fabs": "abs",
    "Negative": "neg",
    "Sign": "sign",
    "Exp": "exp",
    "Log": "log",
    "Log2": "log2",
    "Sqrt": "sqrt",
    "Rsqrt": "rsqrt",
    "Square": "sqr",
    "Reciprocal": "rcp",
    "Floor": "floor",
    "Ceil": "ceil",
    "Sin": "sin",
    "Cos": "cos",
    "Tan": "tan",
    "Sinh": "sinh",
    "Cosh": "cosh",
    "Arcsin": "asin",
    "Arccos": "acos",
    "Arctan": "atan",
    "Arcsinh": "asinh",
    "Arccosh": "acosh",
    "Arctanh": "atanh",
}
_INTEGER = frozenset(("Absolute", "Abs", "Negative", "Sign", "Square"))
"""Functions whose results of integers are integers."""


@layer(*(f"ops.{name}" for name in _UNARY))
def unary(c: Call) -> Value:
    """Read a function of one argument."""
    x = c.tensor(0, "x")
    result = c.op(_UNARY[c.operator], to_scalar(c, x))
    if x.data_type != SCALAR and c.operator in _INTEGER:
        return to_dtype(c, result, x.dtype)
    return result


def both(c: Call) -> tuple[Value, Value]:
    """Return the two operands, of which one may be a number."""
    return c.as_tensor(c.argument(0, "x1")), c.as_tensor(c.argument(1, "x2"))


def common_dtype(x: Value, y: Value) -> DType:
    """Return the dtype of the result of two tensors or numbers; float32 for all scalars."""
    for value, other in ((x, y), (y, x)):
        # A Python number takes the dtype of the tensor.
        if value.data is not None and not value.rank and value.data_type == other.data_type:
            return other.dtype
    if SCALAR in (x.data_type, y.data_type):
        return np.dtype(np.float32)
    return np.promote_types(x.dtype, y.dtype)


_ARITHMETIC = {
    "Add": "add",
    "Subtract": "sub",
    "Multiply": "mul",
    "Maximum": "max",
    "Minimum": "min",
}


@layer(*(f"ops.{name}" for name in _ARITHMETIC))
def arithmetic(c: Call) -> Value:
    """Read a sum, difference, product, maximum or minimum."""
    x, y = both(c)
    dtype, name = common_dtype(x, y), _ARITHMETIC[c.operator]
    if name in ("max", "min"):
        first, second = to_scalar(c, x), to_scalar(c, y)
        result = elementwise.extreme(c, name, first, second, is_integer=dtype.kind in "iu")
    else:
        result = elementwise.scalar_operation(c, name, x, y)
    return to_dtype(c, result, dtype)


@layer("ops.Divide", "ops.TrueDivide")
def divide(c: Call) -> Value:
    """Read `div`."""
    return elementwise.scalar_operation(c, "div", *both(c))


@layer("ops.FloorDivide", "ops.Mod")
def floor_divide(c: Call) -> Value:
    """Read a quotient rounded down, or the remainder of it."""
    x, y = both(c)
    dtype = common_dtype(x, y)
    is_integer = dtype.kind in "iu"
    first, second = to_scalar(c, x), to_scalar(c, y)
    if c.operator == "Mod":
        rest = elementwise.remainder(c, first, second, truncating=False, is_integer=is_integer)
        return to_dtype(c, rest, dtype)
    if is_integer:
        return to_dtype(c, c.op("floor", c.op("div", *aligned(c, first, second))), dtype)
    return elementwise.floor_divide(c, first, second)


@layer("ops.Power")
def power(c: Call) -> Value:
    """Read `pow`, or a simpler operation for a known exponent."""
    x, y = both(c)
    if common_dtype(x, y).kind in "iu":
        return to_dtype(c, integer_power(c, x, y), common_dtype(x, y))
    if y.is_number and y.data is not None and y.rank <= x.rank:
        return elementwise.power(c, to_scalar(c, x), float(y.data.reshape(-1)[0]))
    return elementwise.scalar_operation(c, "pow", x, y)


@layer("ops.Arctan2", "ops.Hypot")
def planar(c: Call) -> Value:
    """Read the angle or the length of a point."""
    return (elementwise.atan2 if c.operator == "Arctan2" else elementwise.hypot)(c, *both(c))


@layer("ops.Expm1", "ops.Log1p", "ops.Erf", "ops.Log10")
def shifted(c: Call) -> Value:
    """Read a function near 0, the error function, or a decimal logarithm."""
    x = to_scalar(c, c.tensor(0, "x"))
    if c.operator == "Erf":
        return elementwise.erf(c, x)
    if c.operator == "Expm1":
        return c.op("sub", c.op("exp", x), 1.0)
    if c.operator == "Log1p":
        return c.op("log", c.op("add", x, 1.0))
    return c.op("div", c.op("log", x), float(np.log(10.0)))


@layer("ops.Round")
def rounded(c: Call) -> Value:
    """Read rounding to the nearest integer, ties to even."""
    if c.options.integer("decimals", 0):
        refuse("it rounds to decimals", "Round to integers.")
    return elementwise.rounded(c, to_scalar(c, c.tensor(0, "x")))


@layer("ops.Clip")
def clip(c: Call) -> Value:
    """Read `clamp`."""
    x = c.tensor(0, "x")
    low, high = (
        to_scalar(c, c.as_tensor(c.options.get(name))) if c.options.get(name) is not None else None
        for name in ("x_min", "x_max")
    )
    return to_dtype(c, elementwise.clamped(c, to_scalar(c, x), low, high), x.dtype)


# -- comparison and logic --------------------------------------------------------------------------

_COMPARISONS = {
    "Equal": "eq",
    "NotEqual": "ne",
    "Less": "lt",
    "LessEqual": "le",
    "Greater": "gt",
    "GreaterEqual": "ge",
}


@layer(*(f"ops.{name}" for name in _COMPARISONS))
def compare(c: Call) -> Value:
    """Read a comparison."""
    return elementwise.scalar_operation(c, _COMPARISONS[c.operator], *both(c))


@layer("ops.LogicalAnd", "ops.LogicalOr", "ops.LogicalXor")
def logic(c: Call) -> Value:
    """Read a conjunction or a disjunction."""
    x, y = aligned(c, *(to_logical(c, value) for value in both(c)))
    if c.operator == "LogicalXor":
        return elementwise.exclusive_or(c, x, y)
    return c.op("and" if c.operator == "LogicalAnd" else "or", x, y)


@layer("ops.LogicalNot")
def negation(c: Call) -> Value:
    """Read a negation."""
    return c.op("not", to_logical(c, c.tensor(0, "x")))


@layer("ops.Isnan", "ops.Isfinite")
def is_special(c: Call) -> Value:
    """Read whether elements are NaN, or finite."""
    x = to_scalar(c, c.tensor(0, "x"))
    if c.operator == "Isnan":
        return elementwise.is_nan(c, x)
    return c.op("le", c.op("abs", x), elementwise.LARGEST)


@layer("ops.Where")
def where(c: Call) -> Value:
    """Read `select`."""
    condition = c.as_tensor(c.argument(0, "condition"))
    x, y = c.as_tensor(c.argument(1, "x1")), c.as_tensor(c.argument(2, "x2"))
    dtype = common_dtype(x, y)
    if dtype.kind == "f":
        x, y = to_scalar(c, x), to_scalar(c, y)
    return elementwise.where(c, condition, x, y)


@layer("ops.Cast")
def cast(c: Call) -> Value:
    """Read a conversion to another type; integers are truncated."""
    name = c.options.get("dtype")
    text = {"bfloat16": "float32", "bool": "bool"}.get(str(name), str(name))
    if text not in DTYPES:
        refuse(f"it casts to {text:.40}", "NNEF has scalars, integers and logicals (3.3.1).")
    return casting.cast(c, c.tensor(0, "x"), np.dtype(text))


@layer("ops.ZerosLike", "ops.OnesLike", "ops.FullLike")
def filled(c: Call) -> Value:
    """Read a constant of the shape of the input."""
    x = c.tensor(0, "x")
    name = c.options.get("dtype") or c.kwargs.get("dtype") or x.dtype.name
    c.argument(9, "dtype")
    number = {"ZerosLike": 0, "OnesLike": 1}.get(c.operator)
    number = c.argument(1, "fill_value") if number is None else number
    if str(name) not in DTYPES or not isinstance(number, (bool, int, float)):
        refuse(f"it fills a tensor of {name!r:.40} with {number!r:.40}", INVALID)
    c.allowance.take(x.shape, 8)
    value = c.graph.constant(np.full(x.shape, number, str(name)), name=f"{c.path}.constant")
    value.filler = True
    return value


@layer("ops.Copy", "ops.StopGradient", "ops.ConvertToTensor")
def same(c: Call) -> Value:
    """Read the input itself."""
    c.options.get("dtype")
    return c.tensor(0, "variable" if c.operator == "StopGradient" else "x")


# -- activations -----------------------------------------------------------------------------------

_PLAIN = {
    "Relu": "relu",
    "Relu6": "relu6",
    "Sigmoid": "sigmoid",
    "Tanh": "tanh",
    "Silu": "silu",
    "Softplus": "softplus",
    "Softsign": "softsign",
    "Selu": "selu",
    "HardTanh": "hard_tanh",
    "HardSigmoid": "hard_sigmoid",
    "HardSilu": "hard_silu",
    "LogSigmoid": "log_sigmoid",
    "TanhShrink": "tanh_shrink",
    "SparsePlus": "sparse_plus",
    "SparseSigmoid": "sparse_sigmoid",
}


@layer(*(f"ops.{name}" for name in _PLAIN))
def plain_activation(c: Call) -> Value:
    """Read an activation function without options."""
    return FUNCTIONS[_PLAIN[c.operator]](c, to_scalar(c, c.tensor(0, "x")))


def _number(c: Call, name: str, default: float) -> float:
    return c.options.number(name, default)


_WITH_OPTIONS: Mapping[str, Callable[[Call, Value], Value]] = {
    "LeakyRelu": lambda c, x: c.op(
        "leaky_relu", x, alpha=c.decimal(_number(c, "negative_slope", 0.2))
    ),
    "Elu": lambda c, x: c.op("elu", x, **_unless_one(c, "alpha")),
    "Celu": lambda c, x: activation.celu(c, x, _number(c, "alpha", 1.0)),
    "Gelu": lambda c, x: activation.gelu(
        c, x, "tanh" if c.options.flag("approximate", True) else "none"
    ),
    "Glu": lambda c, x: glu(c, x, c.options.integer("axis", -1)),
    "HardShrink": lambda c, x: activation.shrink(c, x, _number(c, "threshold", 0.5), 0.0),
    "SoftShrink": lambda c, x: activation.shrink(
        c, x, _number(c, "threshold", 0.5), _number(c, "threshold", 0.5)
    ),
    "Squareplus": lambda c, x: squareplus(c, x, _number(c, "b", 4.0)),
    "Softmax": lambda c, x: c.op("softmax", x, axes=c.options.axes("axis", -1, x.rank)),
    "LogSoftmax": lambda c, x: activation.log_softmax(c, x, c.options.axes("axis", -1, x.rank)),
}


def _unless_one(c: Call, name: str) -> dict[str, Any]:
    number = c.decimal(_number(c, name, 1.0))
    return {} if number == 1 else {name: number}


@layer(*(f"ops.{name}" for name in _WITH_OPTIONS))
def activation_with_options(c: Call) -> Value:
    """Read an activation function with its options."""
    return _WITH_OPTIONS[c.operator](c, to_scalar(c, c.tensor(0, "x")))


@layer("ops.Normalize")
def normalize(c: Call) -> Value:
    """Read `l2_normalization` or `l1_normalization`."""
    x = to_scalar(c, c.tensor(0, "x"))
    order = c.options.get("order", 2)
    if order not in (1, 2):
        refuse(f"its order is {order!r:.20}", INVALID)
    axes = c.options.axes("axis", -1, x.rank)
    epsilon = c.options.get("epsilon")
    least = 1e-7 if epsilon is None else float(epsilon)
    return c.op(f"l{order}_normalization", x, axes=axes, epsilon=least)
