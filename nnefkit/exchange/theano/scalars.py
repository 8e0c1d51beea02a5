"""Theano's operations on single elements, which an Elemwise applies to tensors (4.2, 4.9.1)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np

from nnefkit.exchange.compositions import activation, elementwise
from nnefkit.exchange.reshaping import (
    aligned,
    broadcast,
    expanded,
    to_logical,
    to_scalar,
    truncated,
)
from nnefkit.exchange.source_value import INTEGER, LOGICAL, DType, Value
from nnefkit.exchange.theano.call import Call
from nnefkit.registry import Registry

SCALARS = Registry()
"""Class of a scalar operation -> its reader."""
scalar = SCALARS.register


@dataclass(frozen=True)
class ScalarOp:
    """A scalar operation, applied to tensors whose shapes broadcast."""

    name: str
    params: Mapping[str, Any]
    values: Sequence[Value]
    dtype: DType
    """The dtype of its result."""

    def count(self, c: Call, count: int) -> Sequence[Value]:
        """Return the operands, of which there must be a number.

        Raises:
            Refusal: There are more or fewer.
        """
        if len(self.values) != count:
            c.invalid(f"{self.name} has {len(self.values)} operands, not {count}")
        return self.values


def applied(c: Call, operation: ScalarOp) -> Value:
    """Return the result of a scalar operation.

    Raises:
        Refusal: NNEF cannot express it.
    """
    if operation.name not in SCALARS:
        c.refuse(
            f"NNEF has no operation for {operation.name}",
            "Cut the graph before it, outputs=[...], and compute the rest outside of it.",
        )
    folded = _folded(c, operation)
    if folded is not None:
        return folded
    reader: Callable[[Call, ScalarOp], Value] = SCALARS[operation.name]
    return c.to_result(reader(c, operation), operation.dtype)


# -- integers that are known -----------------------------------------------------------------------

_EXACT: dict[str, Callable[..., Any]] = {
    "Sub": np.subtract,
    "IntDiv": np.floor_divide,
    "Mod": np.mod,
    "Maximum": np.maximum,
    "Minimum": np.minimum,
    "LT": np.less,
    "LE": np.less_equal,
    "GT": np.greater,
    "GE": np.greater_equal,
    "EQ": np.equal,
    "NEQ": np.not_equal,
    "AND": np.bitwise_and,
    "OR": np.bitwise_or,
    "XOR": np.bitwise_xor,
    "Invert": np.invert,
    "Neg": np.negative,
    "Abs": np.abs,
    "Sgn": np.sign,
    "Sqr": np.square,
    "Switch": np.where,
    "Identity": np.positive,
}
_MANY: dict[str, Callable[..., Any]] = {"Add": np.add, "Mul": np.multiply}


def _folded(c: Call, operation: ScalarOp) -> Value | None:
    """Return the result of an operation on constant integers, as arithmetic of shapes has them."""
    data = [value.data for value in operation.values]
    if any(array is None or array.dtype.kind not in "iub" for array in data):
        return None
    if operation.dtype.kind not in "iub":
        return None
    exact, many = _EXACT.get(operation.name), _MANY.get(operation.name)
    if exact is None and many is None:
        return None
    if operation.name in ("IntDiv", "Mod") and len(data) == 2 and not np.all(data[1]):
        c.invalid("it divides by 0")
    c.allowance.take(broadcast(c, *(value.shape for value in operation.values)), 8)
    arrays: list[Any] = [np.asarray(array) for array in data]
    if operation.name == "Switch":
        arrays[0] = arrays[0] != 0
    elif operation.dtype.kind != "b" and operation.name not in ("AND", "OR", "XOR", "Invert"):
        arrays = [array.astype(np.int64) for array in arrays]
    with np.errstate(all="ignore"):
        result = reduce(many, arrays) if many is not None else exact(*arrays)  # type: ignore[misc]
    return c.graph.constant(np.asarray(result).astype(operation.dtype))


# -- one operand -----------------------------------------------------------------------------------

_UNARY = {
    "Abs": "abs",
    "Neg": "neg",
    "Sgn": "sign",
    "Ceil": "ceil",
    "Floor": "floor",
    "Inv": "rcp",
    "Log": "log",
    "Log2": "log2",
    "Exp": "exp",
    "Sqr": "sqr",
    "Sqrt": "sqrt",
    "Sin": "sin",
    "Cos": "cos",
    "Tan": "tan",
    "ArcSin": "asin",
    "ArcCos": "acos",
    "ArcTan": "atan",
    "Sinh": "sinh",
    "Cosh": "cosh",
    "Tanh": "tanh",
    "ArcSinh": "asinh",
    "ArcCosh": "acosh",
    "ArcTanh": "atanh",
    "ScalarSigmoid": "sigmoid",
}


def _one(c: Call, s: ScalarOp) -> Value:
    return to_scalar(c, s.count(c, 1)[0])


@scalar(*_UNARY)
def unary(c: Call, s: ScalarOp) -> Value:
    """Read the operation of one argument that computes the same."""
    return c.op(_UNARY[s.name], _one(c, s))


_COMPOSED: dict[str, Callable[[Call, Value], Value]] = {
    "Erf": elementwise.erf,
    "Erfc": elementwise.erfc,
    "Log1p": elementwise.log1p,
    "Expm1": elementwise.expm1,
    "RoundHalfToEven": elementwise.rounded,
    "ScalarSoftplus": activation.softplus,
    "ScalarSoftsign": activation.softsign,
    "Trunc": truncated,
}


@scalar(*_COMPOSED)
def composed(c: Call, s: ScalarOp) -> Value:
    """Read a function that a few operations compute."""
    return _COMPOSED[s.name](c, _one(c, s))


_SCALED = {
    "Deg2Rad": math.pi / 180,
    "Rad2Deg": 180 / math.pi,
}


@scalar(*_SCALED)
def scaled(c: Call, s: ScalarOp) -> Value:
    """Read a product with a constant."""
    return c.op("mul", _one(c, s), c.decimal(_SCALED[s.name]))


@scalar("Log10")
def log10(c: Call, s: ScalarOp) -> Value:
    """Read a logarithm to the base 10."""
    return c.op("div", c.op("log", _one(c, s)), c.decimal(math.log(10)))


@scalar("Exp2")
def exp2(c: Call, s: ScalarOp) -> Value:
    """Read a power of 2."""
    return c.op("pow", 2.0, _one(c, s))


@scalar("RoundHalfAwayFromZero")
def rounded_away(c: Call, s: ScalarOp) -> Value:
    """Read rounding to the nearest integer, ties away from 0."""
    x = _one(c, s)
    return c.op("mul", c.op("sign", x), c.op("floor", c.op("add", c.op("abs", x), 0.5)))


@scalar("UltraFastScalarSigmoid")
def approximate_sigmoid(c: Call, s: ScalarOp) -> Value:
    """Read Theano's approximation of a sigmoid, in three pieces on either side."""
    half = c.op("mul", _one(c, s), 0.5)
    x = c.op("abs", half)
    inner = c.op("div", c.op("mul", x, 1.5), c.op("add", x, 1.0))
    line = c.op("mul", c.op("sub", x, 1.7), c.decimal(0.0458812946797165))
    middle = c.op("add", line, c.decimal(0.935409070603099))
    outer = c.op("select", c.op("lt", x, 3.0), middle, c.decimal(0.99505475368673))
    curve = c.op("select", c.op("lt", x, 1.7), inner, outer)
    signed = c.op("select", c.op("ge", half, 0.0), curve, c.op("neg", curve))
    return c.op("mul", c.op("add", signed, 1.0), 0.5)


@scalar("IsNan")
def is_nan(c: Call, s: ScalarOp) -> Value:
    """Read whether elements are NaN."""
    return elementwise.is_nan(c, _one(c, s))


@scalar("IsInf")
def is_infinite(c: Call, s: ScalarOp) -> Value:
    """Read whether elements are infinite."""
    return elementwise.is_infinite(c, c.op("abs", _one(c, s)))


@scalar("Identity", "Real", "Conj")
def same(c: Call, s: ScalarOp) -> Value:
    """Read what changes nothing."""
    return s.count(c, 1)[0]


@scalar("Cast")
def cast(c: Call, s: ScalarOp) -> Value:
    """Read a conversion to another type."""
    return c.cast(s.count(c, 1)[0], s.dtype)


# -- several operands ------------------------------------------------------------------------------

_MANY_NAMES = {"Add": "add", "Mul": "mul"}


@scalar(*_MANY_NAMES)
def many(c: Call, s: ScalarOp) -> Value:
    """Read a sum or a product of any number of operands; of logicals, `or` and `and`."""
    if not s.values:
        c.invalid(f"{s.name} has no operands")
    if s.dtype.kind == "b":
        name = "or" if s.name == "Add" else "and"
        return reduce(lambda x, y: _logical(c, name, x, y), s.values)
    name = _MANY_NAMES[s.name]
    return reduce(lambda x, y: elementwise.scalar_operation(c, name, x, y), s.values)


_BINARY = {"Sub": "sub", "TrueDiv": "div"}


@scalar(*_BINARY)
def binary(c: Call, s: ScalarOp) -> Value:
    """Read a difference or a quotient."""
    x, y = s.count(c, 2)
    return elementwise.scalar_operation(c, _BINARY[s.name], x, y)


_COMPARISONS = {"LT": "lt", "LE": "le", "GT": "gt", "GE": "ge", "EQ": "eq", "NEQ": "ne"}


@scalar(*_COMPARISONS)
def compare(c: Call, s: ScalarOp) -> Value:
    """Read a comparison."""
    x, y = s.count(c, 2)
    return elementwise.scalar_operation(c, _COMPARISONS[s.name], x, y)


@scalar("InRange")
def in_range(c: Call, s: ScalarOp) -> Value:
    """Read whether elements are between two others."""
    x, low, high = s.count(c, 3)
    above = "gt" if s.params.get("openlow") else "ge"
    below = "lt" if s.params.get("openhi") else "le"
    first = elementwise.scalar_operation(c, above, x, low)
    return c.op("and", *aligned(c, first, elementwise.scalar_operation(c, below, x, high)))


@scalar("Pow")
def power(c: Call, s: ScalarOp) -> Value:
    """Read a power."""
    x, y = s.count(c, 2)
    if s.dtype.kind in "iu":
        c.refuse("it computes a power of integers", "Cast them to floatX.")
    if y.data is not None and y.is_number and y.rank <= x.rank:
        exponent = float(y.data.reshape(-1)[0])
        return to_scalar(c, x) if exponent == 1 else elementwise.power(c, to_scalar(c, x), exponent)
    return elementwise.scalar_operation(c, "pow", x, y)


@scalar("IntDiv")
def floor_divide(c: Call, s: ScalarOp) -> Value:
    """Read a quotient, rounded down."""
    x, y = (to_scalar(c, value) for value in s.count(c, 2))
    if s.dtype.kind in "iu":
        return c.op("floor", elementwise.scalar_operation(c, "div", x, y))
    return elementwise.floor_divide(c, x, y)


@scalar("Mod")
def modulo(c: Call, s: ScalarOp) -> Value:
    """Read a remainder that has the sign of the divisor."""
    x, y = (to_scalar(c, value) for value in s.count(c, 2))
    return elementwise.remainder(c, x, y, truncating=False, is_integer=s.dtype.kind in "iu")


@scalar("Maximum", "Minimum")
def extreme(c: Call, s: ScalarOp) -> Value:
    """Read `max` or `min`; NaN if one of both is."""
    x, y = (to_scalar(c, value) for value in s.count(c, 2))
    if x.is_number or y.is_number:
        for this, other in ((x, y), (y, x)):
            if s.name == "Maximum" and this.data is not None and not this.data.any():
                return c.op("relu", expanded(c, other, broadcast(c, x.shape, y.shape)))
    is_integer = s.dtype.kind in "iu"
    return elementwise.extreme(c, s.name.lower()[:3], x, y, is_integer=is_integer)


@scalar("Clip")
def clip(c: Call, s: ScalarOp) -> Value:
    """Read `clamp`."""
    x, low, high = (to_scalar(c, value) for value in s.count(c, 3))
    return elementwise.clamped(c, x, low, high)


@scalar("ArcTan2")
def angle(c: Call, s: ScalarOp) -> Value:
    """Read the angle of a point."""
    y, x = s.count(c, 2)
    return elementwise.atan2(c, y, x)


@scalar("Second")
def second(c: Call, s: ScalarOp) -> Value:
    """Read the second operand, repeated to the shape of both."""
    x, y = s.count(c, 2)
    shape = broadcast(c, x.shape, y.shape)
    if y.data is not None:
        c.allowance.take(shape, 8)
    result = expanded(c, y, shape)
    if result is not y and y.is_number and result.data is not None:
        result.filler = True
    return result


@scalar("Switch")
def switch(c: Call, s: ScalarOp) -> Value:
    """Read `select`."""
    condition, x, y = s.count(c, 3)
    return elementwise.where(c, condition, c.to_result(x, s.dtype), c.to_result(y, s.dtype))


_LOGIC = {"AND": "and", "OR": "or"}


def _logical(c: Call, name: str, x: Value, y: Value) -> Value:
    return c.op(name, *aligned(c, to_logical(c, x), to_logical(c, y)))


@scalar("AND", "OR", "XOR")
def logic(c: Call, s: ScalarOp) -> Value:
    """Read a conjunction, or a disjunction, or whether two logicals differ."""
    x, y = s.count(c, 2)
    _check_logical(c, s)
    if s.name == "XOR":
        return elementwise.exclusive_or(c, x, y)
    return _logical(c, _LOGIC[s.name], x, y)


@scalar("Invert")
def negation(c: Call, s: ScalarOp) -> Value:
    """Read a negation."""
    _check_logical(c, s)
    return c.op("not", s.count(c, 1)[0])


def _check_logical(c: Call, s: ScalarOp) -> None:
    if any(value.data_type != LOGICAL for value in s.values):
        kind = "integers" if s.values[0].data_type == INTEGER else "numbers"
        c.refuse(f"it combines the bits of {kind}", "NNEF has operations on logicals only (4.2.3).")


# -- several operations in one ---------------------------------------------------------------------


def composite(c: Call, tree: Mapping[str, Any], values: Sequence[Value]) -> list[Value]:
    """Return the results of operations that Theano fused to one.

    Args:
        c: The call of the operation.
        tree: The operations, as the script writes them.
        values: The operands.

    Raises:
        Refusal: They are not valid, or NNEF cannot express one of them.
    """
    known = dict(zip(_listed(c, tree, "inputs"), values, strict=False))
    if len(known) != len(values):
        c.invalid(f"it has {len(values)} inputs, not {len(known)}")
    described = tree.get("values")
    if not isinstance(described, dict):
        c.invalid("the values of its operations are missing")
    for node in _listed(c, tree, "nodes"):
        if not isinstance(node, dict):
            c.invalid("one of its operations is not an object")
        operands = [_operand(c, id_, known, described) for id_ in _listed(c, node, "inputs")]
        names = _listed(c, node, "outputs")
        if "nodes" in node:
            node = {"tree": _with_own_ids(c, node)}
        results = scalar_results(c, node, operands, [_dtype(c, described, n) for n in names])
        known.update(zip(names, results, strict=False))
    return [_operand(c, id_, known, described) for id_ in _listed(c, tree, "outputs")]


def _with_own_ids(c: Call, tree: Mapping[str, Any]) -> dict[str, Any]:
    """Return a Composite inside of another one, whose inputs and outputs have its own ids.

    The first version of the script wrote those of the outer one. Inputs are numbered first, and
    nothing reads the outputs.
    """
    nodes = [node for node in _listed(c, tree, "nodes") if isinstance(node, dict)]
    read = {id_ for node in nodes for id_ in _listed(c, node, "inputs")}
    outputs = [id_ for node in nodes for id_ in _listed(c, node, "outputs") if id_ not in read]
    count = len(_listed(c, tree, "inputs"))
    if len(outputs) != len(_listed(c, tree, "outputs")):
        c.refuse(
            "one of its operations consists of others, which the file does not describe",
            "Dump the graph again, with the present version of the script.",
        )
    return {**tree, "inputs": [f"s{n}" for n in range(count)], "outputs": outputs}


def scalar_results(
    c: Call, tree: Mapping[str, Any], values: Sequence[Value], dtypes: Sequence[DType]
) -> list[Value]:
    """Return the results of a scalar operation, which may consist of others."""
    inner = tree.get("tree")
    if isinstance(inner, dict) or "nodes" in tree:
        results = composite(c, inner if isinstance(inner, dict) else tree, values)
        return [c.to_result(x, dtype) for x, dtype in zip(results, dtypes, strict=False)]
    name, params = tree.get("op"), tree.get("params", {})
    if not isinstance(name, str) or not isinstance(params, dict) or len(dtypes) != 1:
        c.invalid("its scalar operation is not valid")
    return [applied(c, ScalarOp(name, params, values, dtypes[0]))]


def _listed(c: Call, tree: Mapping[str, Any], name: str) -> list[Any]:
    found = tree.get(name)
    if not isinstance(found, list) or (
        name != "nodes" and not all(isinstance(each, str) for each in found)
    ):
        c.invalid(f"the {name} of its operations are not a list")
    return found


def _operand(c: Call, id_: str, known: Mapping[str, Value], described: Mapping[str, Any]) -> Value:
    if id_ in known:
        return known[id_]
    record = described.get(id_)
    number = record.get("data") if isinstance(record, dict) else None
    if isinstance(number, dict) and number.get("float") in ("nan", "inf", "-inf"):
        number = float(number["float"])
    if not isinstance(number, (int, float)) or (abs(number) > 2**63 and math.isfinite(number)):
        c.invalid(f"the value '{id_}' of its operations is missing")
    return c.graph.constant(np.asarray(number, _dtype(c, described, id_)))


def _dtype(c: Call, described: Mapping[str, Any], id_: str) -> DType:
    record = described.get(id_)
    name = record.get("dtype") if isinstance(record, dict) else None
    if not isinstance(name, str) or name not in _DTYPES:
        c.invalid(f"the type of the value '{id_}' of its operations is {name!r:.80}")
    return np.dtype(name)


_DTYPES = frozenset(
    ("float16", "float32", "float64", "bool", "int8", "int16", "int32", "int64")
).union(("uint8", "uint16", "uint32", "uint64"))
