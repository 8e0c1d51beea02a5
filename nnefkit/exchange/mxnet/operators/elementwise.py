"""Functions of one tensor (4.2.2), and conversions."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from nnefkit.exchange.compositions import elementwise
from nnefkit.exchange.compositions.casting import cast as cast_to
from nnefkit.exchange.mxnet.call import Call, operator
from nnefkit.exchange.reshaping import to_dtype, to_logical, to_scalar, truncated
from nnefkit.exchange.source_value import SCALAR, DType, Value

_STANDARD = {
    **{
        name: name
        for name in (
            *("abs", "sign", "exp", "log", "log2", "sin", "cos", "tan", "sinh", "cosh", "tanh"),
            *("floor", "ceil", "sqrt", "rsqrt"),
        )
    },
    **{f"arc{name}": f"a{name}" for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh")},
    "negative": "neg",
    "reciprocal": "rcp",
    "square": "sqr",
}
"""Function of MXNet -> operation."""
_NUMPY = {f"_npi_{name}": operation for name, operation in _STANDARD.items() if name != "rsqrt"}
_WHOLE = frozenset(("abs", "sign", "neg", "sqr", "floor", "ceil"))
"""Operations whose results are integers if their arguments are."""


@operator(*_STANDARD, *_NUMPY, "_npi_absolute")
def standard(c: Call) -> Value:
    """Read the operation of the same function."""
    operation = {**_STANDARD, **_NUMPY, "_npi_absolute": "abs"}[c.operator]
    result = c.op(operation, to_scalar(c, c[0]))
    return to_dtype(c, result, c[0].dtype) if operation in _WHOLE else result


def _round(c: Call, x: Value) -> Value:
    """Round to the nearest integer, halves away from 0."""
    whole = truncated(c, x)
    is_half = c.op("ge", c.op("abs", c.op("sub", x, whole)), 0.5)
    return c.op("select", is_half, c.op("add", whole, c.op("sign", x)), whole)


def _rint(c: Call, x: Value) -> Value:
    """Round to the nearest integer, halves down."""
    below, above = c.op("floor", x), c.op("ceil", x)
    is_below = c.op("le", c.op("sub", x, below), c.op("sub", above, x))
    return c.op("select", is_below, below, above)


def _cbrt(c: Call, x: Value) -> Value:
    root = c.op("pow", c.op("abs", x), c.decimal(1 / 3))
    return c.op("mul", c.op("sign", x), root)


_COMPOSED: dict[str, Callable[[Call, Value], Value]] = {
    "round": _round,
    "rint": _rint,
    "fix": truncated,
    "trunc": truncated,
    "cbrt": _cbrt,
    "rcbrt": lambda c, x: c.op("rcp", _cbrt(c, x)),
    "log10": lambda c, x: c.op("div", c.op("log", x), c.decimal(math.log(10))),
    "log1p": elementwise.log1p,
    "expm1": elementwise.expm1,
    "degrees": lambda c, x: c.op("mul", x, c.decimal(180 / math.pi)),
    "radians": lambda c, x: c.op("mul", x, c.decimal(math.pi / 180)),
    "erf": elementwise.erf,
}


_ONLY_OLD = frozenset(("round", "rcbrt", "erf"))


@operator(*_COMPOSED, *(f"_npi_{name}" for name in _COMPOSED if name not in _ONLY_OLD), "_npx_erf")
def composed(c: Call) -> Value:
    """Read a function by other ones; `round` rounds halves away from 0, and `rint` down."""
    name = c.operator.removeprefix("_npi_").removeprefix("_npx_")
    return _COMPOSED[name](c, to_scalar(c, c[0]))


@operator("logical_not", "_npi_logical_not")
def logical_not(c: Call) -> Value:
    """Read `not`; before MXNet 2, its result is a number."""
    result = c.op("not", to_logical(c, c[0]))
    return result if c.operator.startswith("_npi") else c.op("cast", result, data_type=SCALAR)


@operator("_npi_arctan2")
def arctan2(c: Call) -> Value:
    """Read the angle of a point."""
    return elementwise.atan2(c, c[0], c[1])


@operator("_npi_isnan")
def is_nan(c: Call) -> Value:
    """Read whether elements are NaN."""
    return elementwise.is_nan(c, to_scalar(c, c[0]))


@operator("clip", "_npi_clip")
def clip(c: Call) -> Value:
    """Read `clamp`."""
    low, high = c.real("a_min", -math.inf), c.real("a_max", math.inf)
    if math.isnan(low) or math.isnan(high) or low > high:
        c.invalid(f"its bounds are {low} and {high}")
    x = to_scalar(c, c[0])
    bounds = [None if math.isinf(b) else c.graph.constant(b, np.float32) for b in (low, high)]
    return to_dtype(c, elementwise.clamped(c, x, *bounds), c[0].dtype)


@operator("smooth_l1", "_npx_smooth_l1")
def smooth_l1(c: Call) -> Value:
    """Read a parabola near 0, and straight lines beyond."""
    x, square = to_scalar(c, c[0]), c.real("scalar", 1.0) ** 2
    if square == 0:
        c.invalid("its scalar is 0")
    with c.graph.scope("smooth_l1"):
        size = c.op("abs", x)
        inner = c.op("mul", c.op("sqr", x), c.decimal(0.5 * square))
        outer = c.op("sub", size, c.decimal(0.5 / square))
        return c.op("select", c.op("gt", size, c.decimal(1 / square)), outer, inner)


# -- conversions -----------------------------------------------------------------------------------

_TYPES = {
    **dict.fromkeys(("float16", "bfloat16", "float32", "float64"), np.dtype(np.float32)),
    **{
        name: np.dtype(name)
        for name in ("uint8", "int8", "int16", "uint16", "int32", "int64", "uint32", "bool")
    },
    "double": np.dtype(np.float32),
    "float": np.dtype(np.float32),
}


def dtype_named(c: Call, name: str = "dtype", default: str = "float32") -> DType:
    """Return the dtype that an attribute names; scalars have no width in NNEF."""
    word = c.text(name, default)
    if word not in _TYPES:
        c.refuse(f"its '{name}' is '{word[:60]}'", "It may be " + ", ".join(_TYPES) + ".")
    return _TYPES[word]


@operator("Cast", "cast", "_npx_cast", "_npi_cast", "amp_cast")
def cast(c: Call) -> Value:
    """Read `cast`, unless both are scalars, whose width NNEF does not state."""
    return cast_to(c, c[0], dtype_named(c))


@operator("amp_multicast")
def multicast(c: Call) -> list[Value]:
    """Read nothing: scalars have no width in NNEF."""
    c.read.update(("num_outputs", "cast_narrow"))
    return [to_scalar(c, value) for value in c.inputs]


@operator("zeros_like", "ones_like", "_npi_full_like")
def like(c: Call) -> Value:
    """Read a constant of the shape of the input."""
    number = {"zeros_like": 0.0, "ones_like": 1.0}.get(c.operator)
    if number is None:
        number = c.real("fill_value")
    c.text("dtype", "")
    c.allowance.take(c[0].shape, 8)
    made = c.graph.constant(np.full(c[0].shape, number, c[0].dtype))
    made.filler = True
    return made
