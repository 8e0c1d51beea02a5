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

_FUNCTIONS = {
    "add": "add",
    "sub": "sub",
    "mul": "mul",
    "div": "div",
    "mod": "mod",
    "power": "pow",
    "maximum": "max",
    "minimum": "min",
    "hypot": "hypot",
    "equal": "eq",
    "not_equal": "ne",
    "greater": "gt",
    "greater_equal": "ge",
    "lesser": "lt",
    "lesser_equal": "le",
    "logical_and": "and",
    "logical_or": "or",
    "logical_xor": "xor",
}
"""Function of MXNet -> operation."""
_COMPARISON = frozenset(("eq", "ne", "gt", "ge", "lt", "le"))
_LOGIC = frozenset(("and", "or", "xor"))
_NUMPY_NAMES = {
    "sub": "subtract",
    "mul": "multiply",
    "div": "true_divide",
    "lesser": "less",
    "lesser_equal": "less_equal",
}
_REVERSED = {"sub": "rminus", "div": "rdiv", "mod": "rmod", "power": "rpower"}
_NUMPY_REVERSED = {
    "sub": "rsubtract",
    "div": "rtrue_divide",
    "mod": "rmod",
    "power": "rpower",
}


def _old(name: str, joint: str = "_") -> str:
    """Return how the first versions of MXNet wrote a name."""
    return joint.join(part.capitalize() for part in name.split("_"))


_TENSORS = {
    **{f"_{name}": function for name, function in _FUNCTIONS.items()},
    **{f"_{_old(name)}": function for name, function in _FUNCTIONS.items()},
    **{f"broadcast_{name}": function for name, function in _FUNCTIONS.items()},
    **{f"elemwise_{name}": name for name in ("add", "sub", "mul", "div")},
    **{f"_npi_{_NUMPY_NAMES.get(name, name)}": f for name, f in _FUNCTIONS.items()},
    **dict.fromkeys(("_plus", "_Plus", "broadcast_plus", "_grad_add"), "add"),
    **dict.fromkeys(("_minus", "_Minus", "broadcast_minus"), "sub"),
}
_NUMBERS = {
    **{f"_{name}_scalar": function for name, function in _FUNCTIONS.items()},
    **{f"_{_old(name, '')}Scalar": function for name, function in _FUNCTIONS.items()},
    **{f"_npi_{_NUMPY_NAMES.get(name, name)}_scalar": f for name, f in _FUNCTIONS.items()},
    **dict.fromkeys(("_plus_scalar", "_PlusScalar"), "add"),
    **dict.fromkeys(("_minus_scalar", "_MinusScalar"), "sub"),
}
_NUMBERS_FIRST = {
    **{f"_{name}_scalar": _FUNCTIONS[key] for key, name in _REVERSED.items()},
    **{f"_R{name[1:].capitalize()}Scalar": _FUNCTIONS[key] for key, name in _REVERSED.items()},
    **{f"_npi_{name}_scalar": _FUNCTIONS[key] for key, name in _NUMPY_REVERSED.items()},
}
for _name in ("_add_scalar", "_sub_scalar", "_AddScalar", "_SubScalar", "_Add", "_Sub"):
    # The names of these have always been plus and minus.
    _NUMBERS.pop(_name, None)
    _TENSORS.pop(_name, None)


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
    if function in _LOGIC:
        return _flags(c, _logic(c, function, to_logical(c, x), to_logical(c, y)))
    if function in _COMPARISON:
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
