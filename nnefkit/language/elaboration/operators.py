"""Operators and built-in functions on known values (3.3.3)."""

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
"""The operation that each operator denotes if an operand is a tensor."""

MAX_ELEMENTS = 1_000_000
"""Maximum length of computed strings and arrays: a short text could demand any amount of memory."""

_NUMERIC = (INTEGER, SCALAR)
_ARITHMETIC = frozenset("+-*/^")
_ORDER = frozenset(("<", "<=", ">", ">="))
_EQUALITY = frozenset(("==", "!="))
_NUMERAL = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")


class ValueProblem(Exception):  # noqa: N818 - caught, and reported as a diagnostic
    """A computation has no result."""

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint


# -- types ---------------------------------------------------------------------------------------


def unary_type(symbol: str, type_: Type) -> Type | None:
    """Return the type of an operator's result, None if the operand has a wrong type."""
    if type_ is UNKNOWN:
        return UNKNOWN
    if symbol == "!":
        return LOGICAL if type_ is LOGICAL else None
    return type_ if type_ in _NUMERIC else None


def binary_type(symbol: str, left: Type, right: Type) -> Type | None:
    """Return the type of an operator's result, None if the operands have wrong types."""
    if symbol in _ARITHMETIC:
        if left is UNKNOWN or right is UNKNOWN:
            return UNKNOWN
        return _sequence_type(symbol, left, right) if _is_sequence(left) else _sum_type(left, right)
    return LOGICAL if _is_logical(symbol, left, right) else None


def _is_logical(symbol: str, left: Type, right: Type) -> bool:
    """Return whether a comparison, a logical operator or ``in`` takes operands of these types."""
    if left is UNKNOWN or right is UNKNOWN:
        return True
    if symbol == "in":
        element = right.element if isinstance(right, ArrayType) else None
        return right is EMPTY or (element is not None and common_type(left, element) is not None)
    if left is not right:
        return False
    if symbol in _ORDER:
        return left in _NUMERIC
    return isinstance(left, PrimitiveType) if symbol in _EQUALITY else left is LOGICAL


def _is_sequence(type_: Type) -> bool:
    return isinstance(type_, ArrayType) or type_ is EMPTY or type_ is STRING


def _sequence_type(symbol: str, left: Type, right: Type) -> Type | None:
    """Return the type of a concatenation or repetition of arrays or strings."""
    if symbol == "*":
        return left if right is INTEGER else None
    if symbol != "+" or (left is STRING) != (right is STRING) or not _is_sequence(right):
        return None
    return common_type(left, right)


def _sum_type(left: Type, right: Type) -> Type | None:
    return left if left is right and left in _NUMERIC else None


def builtin_type(name: str, type_: Type) -> Type | None:
    """Return the type of a built-in function's result, None for a wrong argument."""
    if name == "shape_of":
        return array_of(INTEGER)
    if name in ("length_of", "range_of"):
        if not _is_sequence(type_) and type_ is not UNKNOWN:
            return None
        return INTEGER if name == "length_of" else array_of(INTEGER)
    return PRIMITIVES[name] if isinstance(type_, PrimitiveType) or type_ is UNKNOWN else None


# -- values --------------------------------------------------------------------------------------


def unary_value(symbol: str, value: Any) -> Any:
    """Return the result of an operator.

    Raises:
        ValueProblem: It is out of range.
    """
    if symbol == "!":
        return not value
    return _checked(-value if symbol == "-" else value)


def binary_value(symbol: str, left: Any, right: Any) -> Any:
    """Return the result of an operator on operands of matching types.

    Raises:
        ValueProblem: It has no result.
    """
    logical = _LOGICAL.get(symbol)
    if logical is not None:
        return logical(left, right)
    if isinstance(left, (str, list)):
        return _sequence(symbol, left, right)
    return _checked(_NUMERIC_OPERATORS[symbol](left, right))


def _sequence(symbol: str, left: Any, right: Any) -> Any:
    count = len(left) + len(right) if symbol == "+" else len(left) * max(right, 0)
    if count > MAX_ELEMENTS:
        raise ValueProblem("too-long", f"the result would have {count} elements")
    return left + right if symbol == "+" else left * right


def _quotient(left: Any, right: Any) -> Any:
    if right == 0:
        raise ValueProblem("division-by-zero", "division by zero")
    if isinstance(left, int):
        # Integer arithmetic stays integer, and rounds toward zero as it does in C.
        quotient = abs(left) // abs(right)
        return quotient if (left < 0) == (right < 0) else -quotient
    return left / right


def _power(base: Any, exponent: Any) -> Any:
    if isinstance(base, int):
        if exponent < 0:
            raise ValueProblem(
                "not-a-number", f"{base} ^ {exponent} is not an integer", "Write it with scalars."
            )
        if abs(base) > 1 and exponent > 64:
            raise _out_of_range()
        return base**exponent
    try:
        return math.pow(base, exponent)
    except OverflowError:
        raise _out_of_range() from None
    except ValueError:
        raise ValueProblem("not-a-number", f"{base} ^ {exponent} is not a real number") from None


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
    """Return whether two values are equal element by element, and of the same types."""
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


_LOGICAL: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "&&": lambda left, right: left and right,
    "||": lambda left, right: left or right,
    "in": lambda left, right: any(deep_equal(left, element) for element in right),
}
_NUMERIC_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": _quotient,
    "^": _power,
}


def builtin_value(name: str, value: Any) -> Any:
    """Return the result of a built-in function on an argument of a matching type.

    Raises:
        ValueProblem: It has no result.
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
