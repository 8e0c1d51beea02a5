"""Elementwise functions (4.2)."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce

import numpy as np

from nnefkit.exchange.caffe2.arguments import data_type
from nnefkit.exchange.caffe2.call import Call, operator
from nnefkit.exchange.compositions import elementwise
from nnefkit.exchange.compositions.casting import cast as cast_to
from nnefkit.exchange.compositions.integer_range import narrowed
from nnefkit.exchange.reshaping import aligned, reshaped, to_dtype, to_scalar, truncated
from nnefkit.exchange.source_value import LOGICAL, SCALAR, Value

_UNARY = {
    "Abs": "abs",
    "Acos": "acos",
    "Asin": "asin",
    "Atan": "atan",
    "Ceil": "ceil",
    "Cos": "cos",
    "Cosh": "cosh",
    "Exp": "exp",
    "Floor": "floor",
    "Log": "log",
    "Reciprocal": "rcp",
    "Rsqrt": "rsqrt",
    "Sin": "sin",
    "Sinh": "sinh",
    "Sqrt": "sqrt",
    "Tan": "tan",
}


@operator(*_UNARY)
def unary(c: Call) -> Value:
    """Read a function of one argument."""
    return c.op(_UNARY[c.operator], c[0])


_INTEGER_UNARY = {"Negative": "neg", "Sign": "sign", "Sqr": "sqr"}


@operator(*_INTEGER_UNARY)
def integer_unary(c: Call) -> Value:
    """Read a function of one argument, of integers, too."""
    return _typed(c, c.op(_INTEGER_UNARY[c.operator], to_scalar(c, c[0])), c[0])


@operator("Cube")
def cube(c: Call) -> Value:
    """Read ``x x x``."""
    x = to_scalar(c, c[0])
    return _typed(c, c.op("mul", c.op("sqr", x), x), c[0])


@operator("Cbrt")
def cube_root(c: Call) -> Value:
    """Read the cube root, which has the sign of `x`."""
    x = c[0]
    root = c.op("pow", c.op("abs", x), c.decimal(1 / 3))
    return c.op("mul", c.op("sign", x), root)


@operator("Erf")
def erf(c: Call) -> Value:
    """Read the error function."""
    return elementwise.erf(c, c[0])


@operator("Log1p")
def log1p(c: Call) -> Value:
    """Read the logarithm of ``x + 1``."""
    return elementwise.log1p(c, c[0])


@operator("Logit")
def logit(c: Call) -> Value:
    """Read ``log(x / (1 - x))`` of elements clamped to a distance from 0 and 1."""
    epsilon = c.arguments.number("eps", 1e-6)
    x = c.op("clamp", c[0], c.decimal(epsilon), float(np.float32(1) - np.float32(epsilon)))
    return c.op("log", c.op("div", x, c.op("sub", 1.0, x)))


@operator("Scale")
def scale(c: Call) -> Value:
    """Read `mul` by a number."""
    return c.op("mul", c[0], c.decimal(c.arguments.number("scale", 1.0)))


@operator("Clip")
def clip(c: Call) -> Value:
    """Read `clamp`, or `max` or `min` if one bound is missing."""
    x, a = c[0], c.arguments
    low = c.decimal(a.number("min", 0.0)) if "min" in a else None
    high = c.decimal(a.number("max", 0.0)) if "max" in a else None
    if low is not None and high is not None:
        if low > high:
            c.invalid(f"its bounds are {low:g} and {high:g}")
        return c.op("clamp", x, low, high)
    if low is not None:
        return c.op("max", x, low)
    return x if high is None else c.op("min", x, high)


@operator("Pow")
def power(c: Call) -> Value:
    """Read `pow`, by a number or elementwise."""
    if len(c.inputs) == 1:
        if "exponent" not in c.arguments:
            c.invalid("it has neither an exponent nor a second input")
        return elementwise.power(c, c[0], c.arguments.number("exponent", 1.0))
    if c[0].dtype.kind != "f":
        c.refuse("it computes powers of integers", "Cast them to float before.")
    return c.op("pow", *_broadcast(c))


@operator("ReplaceNaN")
def replace_nan(c: Call) -> Value:
    """Read another number where elements are NaN."""
    number = c.decimal(c.arguments.number("value", 0.0))
    return c.op("select", elementwise.is_nan(c, c[0]), number, c[0])


@operator("IsNaN")
def is_nan(c: Call) -> Value:
    """Read 1 where elements are NaN, and 0 elsewhere."""
    result = c.op("cast", elementwise.is_nan(c, c[0]), data_type="integer")
    result.dtype = np.dtype(np.uint8)
    return result


@operator("Mod")
def modulo(c: Call) -> Value:
    """Read the remainder of integers by a number, with the sign of the dividend or the divisor."""
    divisor = c.arguments.integer("divisor", 0)
    if divisor == 0:
        c.invalid("its divisor is 0")
    x = to_scalar(c, c[0])
    follows = c.arguments.flag("sign_follow_divisor")
    by = c.graph.constant(np.float32(divisor))
    rest = elementwise.remainder(c, x, by, truncating=not follows, is_integer=True)
    return to_dtype(c, rest, c[0].dtype)


# -- two or more tensors ---------------------------------------------------------------------------


def _broadcast(c: Call) -> list[Value]:
    """Return the two inputs with shapes that broadcast as in NNEF.

    By default shapes broadcast from the right. In the older form, with ``broadcast: 1``, the axes
    of the second input are those of the first from an axis on, by default the last ones.
    """
    x, y, a = c[0], c[1], c.arguments
    if not a.flag("broadcast"):
        return aligned(c, x, y)
    if y.data is not None and y.data.size == 1:
        return [x, reshaped(c, y, ())]
    if all(extent == 1 for extent in y.shape):
        return [x, reshaped(c, y, (1,) * x.rank)]
    axis = a.integer("axis", -1)
    letter = a.text("axis_str", "")
    if axis == -1 and letter:
        order = a.text("order", "NCHW")
        if len(letter) != 1 or letter not in order:
            c.invalid(f"its axis is '{letter}', which the order {order} does not have")
        axis = order.index(letter)
    axis = x.rank - y.rank if axis == -1 else axis
    if not 0 <= axis <= x.rank - y.rank:
        c.invalid(f"its inputs have the shapes {[*x.shape]} and {[*y.shape]}, its axis is {axis}")
    # Extents of 1 at the ends of the second shape do not matter, others must be equal.
    rest = x.rank - y.rank - axis
    shape = (*(1,) * axis, *y.shape, *(1,) * rest)
    inner = [place for place, extent in enumerate(shape) if extent != 1]
    between = range(inner[0], inner[-1] + 1)
    if any(shape[place] != x.shape[place] for place in between):
        c.invalid(f"its inputs have the shapes {[*x.shape]} and {[*y.shape]}, its axis is {axis}")
    return [x, reshaped(c, y, (*(1,) * axis, *y.shape))]


def _typed(c: Call, result: Value, like: Value) -> Value:
    """Return scalars as elements of the dtype of an input; integers wrap around."""
    if result.data_type != SCALAR:
        return result
    return to_dtype(c, narrowed(c, result, like.dtype), like.dtype)


_ARITHMETIC = {"Add": "add", "Sub": "sub", "Mul": "mul", "Div": "div"}


@operator(*_ARITHMETIC)
def arithmetic(c: Call) -> Value:
    """Read a sum, difference, product or quotient; the quotient of integers is truncated."""
    x, y = _broadcast(c)
    result = c.op(_ARITHMETIC[c.operator], to_scalar(c, x), to_scalar(c, y))
    if c.operator == "Div" and c[0].dtype.kind in "iu":
        result = truncated(c, result)
    return _typed(c, result, c[0])


_COMPARISONS = {"EQ": "eq", "NE": "ne", "LT": "lt", "LE": "le", "GT": "gt", "GE": "ge"}


@operator(*_COMPARISONS)
def compare(c: Call) -> Value:
    """Read a comparison."""
    x, y = _broadcast(c)
    return c.op(_COMPARISONS[c.operator], to_scalar(c, x), to_scalar(c, y))


_LOGIC = {"And": "and", "Or": "or"}


@operator(*_LOGIC)
def logic(c: Call) -> Value:
    """Read a conjunction or a disjunction."""
    return c.op(_LOGIC[c.operator], *_broadcast(c))


@operator("Xor")
def exclusive_or(c: Call) -> Value:
    """Read whether two logicals differ."""
    x, y = _broadcast(c)
    if x.data_type != LOGICAL or y.data_type != LOGICAL:
        c.invalid("its inputs are not logical")
    return c.op("ne", to_scalar(c, x), to_scalar(c, y))


@operator("Not")
def negation(c: Call) -> Value:
    """Read a negation."""
    return c.op("not", c[0])


@operator("Where")
def where(c: Call) -> Value:
    """Read a choice between two tensors; a condition may choose rows."""
    condition, x, y = c[0], c[1], c[2]
    if x.shape != y.shape:
        c.invalid(f"it chooses between the shapes {[*x.shape]} and {[*y.shape]}")
    if c.arguments.flag("broadcast_on_rows"):
        if condition.rank != 1 or not x.rank or condition.shape[0] != x.shape[0]:
            c.invalid(f"its condition has the shape {[*condition.shape]}")
        condition = reshaped(c, condition, (*condition.shape, *(1,) * (x.rank - 1)))
    elif condition.shape != x.shape:
        c.invalid(f"its condition has the shape {[*condition.shape]}")
    return c.op("select", condition, x, y, data_type=x.data_type)


def _combined(c: Call, combine: Callable[[Value, Value], Value]) -> Value:
    """Return all inputs, which have one shape, combined."""
    values = [to_scalar(c, value) for value in c.alike()]
    return reduce(combine, values)


@operator("Sum")
def total(c: Call) -> Value:
    """Read a sum of any number of tensors."""
    return _typed(c, _combined(c, lambda x, y: c.op("add", x, y)), c[0])


@operator("SumRelu")
def total_relu(c: Call) -> Value:
    """Read `relu` of a sum of any number of tensors."""
    return c.op("relu", _combined(c, lambda x, y: c.op("add", x, y)))


@operator("Mean")
def mean(c: Call) -> Value:
    """Read the mean of any number of tensors."""
    result = _combined(c, lambda x, y: c.op("add", x, y))
    count = len(c.inputs)
    return result if count == 1 else c.op("mul", result, c.decimal(1 / count))


@operator("Max", "Min")
def extreme(c: Call) -> Value:
    """Read the maximum or minimum of any number of tensors."""
    name = c.operator.lower()
    return _typed(c, _combined(c, lambda x, y: c.op(name, x, y)), c[0])


@operator("WeightedSum")
def weighted_sum(c: Call) -> Value:
    """Read a sum of tensors, each times a number."""
    if len(c.inputs) < 2 or len(c.inputs) % 2:
        c.invalid(f"it has {len(c.inputs)} inputs, which are not pairs")
    values, weights = c.inputs[::2], c.inputs[1::2]
    if any(value.shape != values[0].shape for value in values):
        c.invalid(f"its inputs have the shapes {[[*value.shape] for value in values]}")
    terms = []
    for value, weight in zip(values, weights, strict=True):
        if any(extent != 1 for extent in weight.shape):
            c.invalid(f"a weight has the shape {[*weight.shape]}, and is not one number")
        terms.append(c.op("mul", value, reshaped(c, weight, ())))
    return reduce(lambda x, y: c.op("add", x, y), terms)


# -- what changes nothing --------------------------------------------------------------------------


@operator(
    *("Alias", "AliasWithName", "Copy", "CopyFromCPUInput", "CopyOnDeviceLike", "EnsureCPUOutput"),
    *("EnsureDense", "StopGradient", "NanCheck", "EnforceFinite", "CopyCPUToGPU", "CopyGPUToCPU"),
)
def identity(c: Call) -> Value:
    """Read what changes nothing."""
    return c[0]


@operator("Dropout")
def dropout(c: Call) -> list[Value]:
    """Read what changes nothing; its mask is not data."""
    if not c.arguments.flag("is_test"):
        c.refuse("it drops elements at random", "Set is_test: 1, as for inference.")
    return [c[0]]


@operator("Cast")
def cast(c: Call) -> Value:
    """Read a conversion to another type."""
    name = data_type(c.arguments, "to", "")
    if name in ("", "str"):
        c.invalid(f"it casts to '{name}'")
    return cast_to(c, c[0], np.dtype(name))


@operator("HalfToFloat", "FloatToHalf")
def half(c: Call) -> Value:
    """Read what changes nothing but the width of elements, which NNEF leaves open."""
    return to_scalar(c, c[0])
