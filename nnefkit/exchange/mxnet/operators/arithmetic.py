"""Functions of two tensors, or of a tensor and a number (4.2.4)."""

from __future__ import annotations

from functools import reduce

from nnefkit.exchange.compositions import elementwise
from nnefkit.exchange.compositions.elementwise import scalar_operation
from nnefkit.exchange.compositions.integer_range import narrowed
from nnefkit.exchange.mxnet.call import Call, operator
from nnefkit.exchange.reshaping import (
    aligned,
    number,
    reshaped,
    to_dtype,
    to_logical,
    to_scalar,
    truncated,
)
from nnefkit.exchange.source_value import SCALAR, Value

_ARITHMETIC = {
    "add": "add",
    "plus": "add",
    "sub": "sub",
    "minus": "sub",
    "subtract": "sub",
    "mul": "mul",
    "multiply": "mul",
    "div": "div",
    "true_divide": "div",
    "mod": "mod",
    "power": "pow",
    "maximum": "max",
    "minimum": "min",
    "hypot": "hypot",
}
_COMPARISON = {
    "equal": "eq",
    "not_equal": "ne",
    "greater": "gt",
    "greater_equal": "ge",
    "lesser": "lt",
    "lesser_equal": "le",
    "less": "lt",
    "less_equal": "le",
}
_LOGIC = {"logical_and": "and", "logical_or": "or", "logical_xor": "xor"}
_FUNCTIONS = {**_ARITHMETIC, **_COMPARISON, **_LOGIC}
_REVERSED = {
    "rminus": "sub",
    "rsubtract": "sub",
    "rdiv": "div",
    "rtrue_divide": "div",
    "rmod": "mod",
    "rpower": "pow",
}


def _camel(name: str) -> str:
    """Return how the first versions of MXNet wrote a name."""
    return "_".join(part.capitalize() for part in name.split("_"))


_TENSORS = {
    **{
        f"{prefix}{name}": function
        for name, function in _FUNCTIONS.items()
        for prefix in ("_", "broadcast_", "_npi_", "elemwise_")
    },
    **{f"_{_camel(name)}": function for name, function in _FUNCTIONS.items()},
    "_grad_add": "add",
}
_NUMBERS = {
    **{f"_{name}_scalar": function for name, function in _FUNCTIONS.items()},
    **{f"_npi_{name}_scalar": function for name, function in _FUNCTIONS.items()},
    **{
        f"_{_camel(name).replace('_', '')}Scalar": function for name, function in _FUNCTIONS.items()
    },
}
_NUMBERS_FIRST = {
    **{f"_{name}_scalar": function for name, function in _REVERSED.items()},
    **{f"_npi_{name}_scalar": function for name, function in _REVERSED.items()},
    **{f"_{name[:2].upper()}{name[2:]}Scalar": function for name, function in _REVERSED.items()},
}


@operator(*_TENSORS)
def tensors(c: Call) -> Value:
    """Read a function of two tensors; comparisons yield numbers before MXNet 2."""
    x, y = c[0], c[1]
    is_broadcast = c.operator.startswith(("broadcast_", "_npi_"))
    if not is_broadcast and x.shape != y.shape:
        c.invalid(f"its inputs have the shapes {[*x.shape]} and {[*y.shape]}")
    return _computed(c, _TENSORS[c.operator], x, y)


@operator(*_NUMBERS)
def numbers(c: Call) -> Value:
    """Read a function of a tensor and a number."""
    return _computed(c, _NUMBERS[c.operator], c[0], _number(c))


@operator(*_NUMBERS_FIRST)
def numbers_first(c: Call) -> Value:
    """Read a function of a number and a tensor."""
    return _computed(c, _NUMBERS_FIRST[c.operator], _number(c), c[0])


def _number(c: Call) -> Value:
    """Return the number, which is an integer if the tensor has integers and it is whole."""
    given = c.decimal(c.real("scalar", 0.0))
    is_whole = given.is_integer() and c[0].dtype.kind in "iu"
    return number(c, int(given) if is_whole else given)


def _computed(c: Call, function: str, x: Value, y: Value) -> Value:
    if function in _LOGIC.values():
        return _flags(c, _logic(c, function, to_logical(c, x), to_logical(c, y)))
    if function in _COMPARISON.values():
        return _flags(c, scalar_operation(c, function, x, y))
    kinds = x.dtype.kind + y.dtype.kind
    is_integer = not set(kinds).difference("iub") and "true_divide" not in c.operator
    dtype = x.dtype if x.dtype.kind in "iu" else y.dtype
    result = _arithmetic(c, function, to_scalar(c, x), to_scalar(c, y), is_integer)
    if not is_integer or dtype.kind == "b":
        return result
    if function == "div":
        result = truncated(c, result)
    return to_dtype(c, narrowed(c, result, dtype), dtype)


def _arithmetic(c: Call, function: str, x: Value, y: Value, is_integer: bool) -> Value:
    if function == "mod":
        x, y = aligned(c, x, y)
        rest = elementwise.remainder(c, x, y, truncating=False, is_integer=is_integer)
        if y.data is not None and y.data.all():
            return rest
        return c.op("select", c.op("eq", y, 0.0), 0.0, rest)
    if function == "hypot":
        return elementwise.hypot(c, x, y)
    if function in ("max", "min"):
        return elementwise.extreme(c, function, x, y, is_integer=is_integer)
    if function == "pow" and y.data is not None and y.is_number and y.rank <= x.rank:
        return elementwise.power(c, x, float(y.data.reshape(-1)[0]))
    return scalar_operation(c, function, x, y)


def _logic(c: Call, function: str, x: Value, y: Value) -> Value:
    if function == "xor":
        return elementwise.exclusive_or(c, x, y)
    return c.op(function, *aligned(c, x, y))


def _flags(c: Call, result: Value) -> Value:
    """Return logicals as MXNet has them: as numbers before its version 2."""
    if c.operator.startswith("_npi_"):
        return result
    return c.op("cast", result, data_type=SCALAR)


@operator("add_n", "ElementWiseSum")
def add_n(c: Call) -> Value:
    """Read a sum of any number of tensors of one shape."""
    if len({value.shape for value in c.inputs}) != 1:
        c.invalid("its inputs have other shapes than each other")
    values = [to_scalar(c, value) for value in c.inputs]
    if len(values) <= 2:
        return reduce(lambda x, y: c.op("add", x, y), values)
    return c.op("add_n", values)


@operator("where", "_npi_where")
def where(c: Call) -> Value:
    """Read `select`; a condition of rank 1 chooses among the entries of the first axis."""
    condition, x, y = c[0], c[1], c[2]
    is_numpy = c.operator.startswith("_npi_")
    if condition.rank == 1 < x.rank and not is_numpy:
        condition = reshaped(c, condition, (*condition.shape, *(1,) * (x.rank - 1)))
    if x.data_type != y.data_type:
        x, y = to_scalar(c, x), to_scalar(c, y)
    return elementwise.where(c, condition, x, y)
