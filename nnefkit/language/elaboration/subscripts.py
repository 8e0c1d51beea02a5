"""Elements and ranges of arrays, tuples and strings (3.3.3)."""

from __future__ import annotations

from typing import Any

from nnefkit.language.elaboration.operators import ValueProblem
from nnefkit.language.syntax.tree import Subscript
from nnefkit.language.types import EMPTY, STRING, UNKNOWN, ArrayType, Type


def subscript_type(type_: Type, *, is_range: bool) -> Type | None:
    """Return the type of an element, or of a range of elements; None if `type_` has no elements."""
    if isinstance(type_, ArrayType):
        return type_ if is_range else type_.element
    if type_ is EMPTY:
        return EMPTY if is_range else UNKNOWN
    return type_ if type_ is STRING or type_ is UNKNOWN else None


def subscript_value(node: Subscript, sequence: Any, start: int | None, stop: int | None) -> Any:
    """Return an element, or a range of elements, of an array or a string.

    Raises:
        ValueProblem: The index or the range is out of range.
    """
    length = len(sequence)
    if not node.is_range:
        return sequence[checked_index(start, length)]
    start = 0 if start is None else start
    stop = length if stop is None else stop
    if start >= stop:
        return sequence[:0]
    if start < 0 or stop > length:
        message = f"range {start}:{stop} is out of range of {length} elements"
        raise ValueProblem("index-out-of-range", message)
    return sequence[start:stop]


def checked_index(index: Any, length: int) -> int:
    """Return `index` if it is one of an array or tuple of `length` elements.

    Raises:
        ValueProblem: It is out of range.
    """
    position: int = index
    if not 0 <= position < length:
        message = f"index {position} is out of range of {length} elements"
        raise ValueProblem("index-out-of-range", message)
    return position
