"""Operators and built-in functions on values that are known (3.3.3)."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable
from typing import Any

from nnefkit.display import nnef_text
from nnefkit.language.syntax.lexer import Problem, number
from nnefkit.language.types import (
    EMPTY,
    INTEGER,
    LOGICAL,
    PRIMITIVES,
    SCALAR,
    STRING,
    UNKNOWN,
    ArrayType,
    PrimitiveType,
    Type,
    array_of,
    common_type,
)

UNARY_OPERATIONS = {"+": "copy", "-": "neg", "!": "not"}
BINARY_OPERATIONS = {
    "+": "add",
    "-": "sub",
    "*": "mul",
    "/": "div",
    "^": "pow",
    "<": "lt",
    "<=": "le",
    ">": "gt",
    ">=": "ge",
    "==": "eq",
    "!=": "ne",
    "&&": "and",
    "||": "or",
}
"""The operations that operators stand for where an operand is a tensor."""

MOST_ITEMS = 1_000_000
"""Longer strings and arrays are not computed: a short text could ask for any amount of memory."""

_NUMERIC = (INTEGER, SCALAR)
_ARITHMETIC = frozenset("+-*/^")
_ORDER = frozenset(("<", "<=", ">", ">="))
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
_NUMERAL = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")


class ValueProblem(Exception):  # noqa: N818 - it is caught, and told as a diagnostic
    """A computation has no result."""

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint


# -- types ---------------------------------------------------------------------------------------


def unary_type(symbol: str, kind: Type) -> Type | None:
    """The type of an operator's result, None where the operand is of a wrong type."""
    if kind is UNKNOWN:
        return UNKNOWN
    if symbol == "!":
        return LOGICAL if kind is LOGICAL else None
    return kind if kind in _NUMERIC else None


def binary_type(symbol: str, left: Type, right: Type) -> Type | None:
    """The type of an operator's result, None where the operands are of wrong types."""
    if left is UNKNOWN or right is UNKNOWN:
        return UNKNOWN if symbol in _ARITHMETIC else LOGICAL
    if symbol in _ARITHMETIC:
        return _arithmetic_type(symbol, left, right)
    if symbol in _ORDER:
        return LOGICAL if left is right and left in _NUMERIC else None
    if symbol in ("==", "!="):
        return LOGICAL if left is right and isinstance(left, PrimitiveType) else None
    if symbol == "in":
        item = right.item if isinstance(right, ArrayType) else None
        fits = right is EMPTY or (item is not None and common_type(left, item) is not None)
        return LOGICAL if fits else None
    return LOGICAL if left is right is LOGICAL else None


def _arithmetic_type(symbol: str, left: Type, right: Type) -> Type | None:
    if left is right and left in _NUMERIC:
        return left
    left_sequence = isinstance(left, ArrayType) or left is EMPTY
    if symbol == "+":
        if left is right is STRING:
            return STRING
        if left_sequence and (isinstance(right, ArrayType) or right is EMPTY):
            return common_type(left, right)
    if symbol == "*" and right is INTEGER and (left_sequence or left is STRING):
        return left
    return None


def builtin_type(name: str, kind: Type) -> Type | None:
    """The type of a built-in function's result, None for a wrong argument."""
    result = {"length_of": INTEGER, "range_of": array_of(INTEGER), "shape_of": array_of(INTEGER)}
    if name in ("length_of", "range_of"):
        fits = kind in (STRING, EMPTY, UNKNOWN) or isinstance(kind, ArrayType)
        return result[name] if fits else None
    if name == "shape_of":
        return result[name]
    return PRIMITIVES[name] if isinstance(kind, PrimitiveType) or kind is UNKNOWN else None


# -- values --------------------------------------------------------------------------------------


def unary_value(symbol: str, value: Any) -> Any:
    """The result of an operator."""
    if symbol == "!":
        return not value
    return _checked(-value if symbol == "-" else value)


def binary_value(symbol: str, left: Any, right: Any) -> Any:
    """The result of an operator on operands of fitting types.

    Raises:
        ValueProblem: there is none.
    """
    compare = _COMPARE.get(symbol)
    if compare is not None:
        return compare(left, right)
    if symbol == "&&":
        return left and right
    if symbol == "||":
        return left or right
    if symbol == "in":
        return any(deep_equal(left, item) for item in right)
    if isinstance(left, (str, list)):
        return _sequence(symbol, left, right)
    if symbol == "/":
        return _checked(_quotient(left, right))
    if symbol == "^":
        return _checked(_power(left, right))
    if symbol == "+":
        return _checked(left + right)
    return _checked(left - right if symbol == "-" else left * right)


def _sequence(symbol: str, left: Any, right: Any) -> Any:
    count = len(left) + len(right) if symbol == "+" else len(left) * max(right, 0)
    if count > MOST_ITEMS:
        raise ValueProblem("too-long", f"the result would have {count} items")
    return left + right if symbol == "+" else left * right


def _quotient(left: Any, right: Any) -> Any:
    if right == 0:
        raise ValueProblem("division-by-zero", "division by zero")
    if isinstance(left, int):
        # Integer arithmetic stays integer, and rounds towards zero as it does in C.
        quotient = abs(left) // abs(right)
        return quotient if (left < 0) == (right < 0) else -quotient
    return left / right


def _power(base: Any, exponent: Any) -> Any:
    if isinstance(base, int):
        if exponent < 0:
            raise ValueProblem(
                "not-a-number", f"{base} ^ {exponent} is no integer", "Write it with scalars."
            )
        if abs(base) > 1 and exponent > 64:
            raise _out_of_range()
        return base**exponent
    try:
        return math.pow(base, exponent)
    except OverflowError:
        raise _out_of_range() from None
    except ValueError:
        raise ValueProblem("not-a-number", f"{base} ^ {exponent} is no real number") from None


def _checked(value: Any) -> Any:
    if isinstance(value, int):
        if not -(2**63) <= value < 2**63:
            raise _out_of_range()
    elif not math.isfinite(value):
        raise _out_of_range()
    return value


def _out_of_range() -> ValueProblem:
    return ValueProblem("out-of-range", "the result is too large: integers have 64 bits")


def deep_equal(a: Any, b: Any) -> bool:
    """Whether two values are equal item by item, and of the same types."""
    stack = [(a, b)]
    while stack:
        a, b = stack.pop()
        if type(a) is not type(b):
            return False
        if isinstance(a, (list, tuple)):
            if len(a) != len(b):
                return False
            stack.extend(zip(a, b, strict=True))
        elif a != b:
            return False
    return True


def builtin_value(name: str, value: Any) -> Any:
    """The result of a built-in function on an argument of a fitting type.

    Raises:
        ValueProblem: there is none.
    """
    if name == "length_of":
        return len(value)
    if name == "range_of":
        return list(range(len(value)))
    return _CASTS[name](value)


def _to_integer(value: Any) -> int:
    if isinstance(value, str):
        if not re.fullmatch(r"-?[0-9]+", value):
            raise _no_conversion(value, "integer")
        value = number(value)
        if isinstance(value, Problem):
            raise _out_of_range()
    checked: int = _checked(math.floor(value))
    return checked


def _to_scalar(value: Any) -> float:
    if isinstance(value, str):
        if not _NUMERAL.fullmatch(value):
            raise _no_conversion(value, "scalar")
        value = float(value)
    checked: float = _checked(float(value))
    return checked


def _to_string(value: Any) -> str:
    return value if isinstance(value, str) else nnef_text.literal(value)


def _no_conversion(text: str, name: str) -> ValueProblem:
    return ValueProblem("invalid-cast", f"'{text[:40]}' does not describe a value of type {name}")


_CASTS: dict[str, Callable[[Any], Any]] = {
    "integer": _to_integer,
    "scalar": _to_scalar,
    "logical": bool,
    "string": _to_string,
}
