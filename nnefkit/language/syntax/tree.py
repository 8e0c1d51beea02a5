"""The syntax tree (A.1, A.2).

The fields `at` and `end` of a node are the index of its first token and the index after its last
one. Trees can be deep (chains of operators, nested brackets), so code that walks them must not
recurse over their depth.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias, Union

from nnefkit.language.types import PrimitiveType, Type


class Constant(NamedTuple):
    """A literal, or an array or tuple of literals."""

    value: Any
    type: Type
    at: int
    end: int


class Name(NamedTuple):
    """An identifier."""

    name: str
    at: int
    end: int


class ArrayOrTuple(NamedTuple):
    """An array (``[a, b]``) or a tuple (``(a, b)``) of expressions that are not all constant."""

    elements: tuple[Expression, ...]
    is_array: bool
    at: int
    end: int


class Unary(NamedTuple):
    """``-x``, ``+x`` or ``!x``."""

    operator: str
    operand: Expression
    at: int
    end: int


class Binary(NamedTuple):
    """``left operator right``."""

    operator: str
    left: Expression
    right: Expression
    at: int
    end: int


class Conditional(NamedTuple):
    """``value if condition else otherwise``."""

    value: Expression
    condition: Expression
    otherwise: Expression
    at: int
    end: int


class Comprehension(NamedTuple):
    """``[for name in array, ... if condition yield expression]``."""

    iterators: tuple[tuple[Name, Expression], ...]
    condition: Expression | None
    element: Expression
    at: int
    end: int


class Subscript(NamedTuple):
    """``value[start:stop]`` if `is_range`, else ``value[start]``."""

    value: Expression
    start: Expression | None
    stop: Expression | None
    is_range: bool
    at: int
    end: int


class Builtin(NamedTuple):
    """A call of a built-in function, such as ``length_of(x)`` or ``integer(x)``."""

    name: str
    argument: Expression
    at: int
    end: int


class Argument(NamedTuple):
    """An argument of an invocation; `name` is None for a positional argument."""

    name: str | None
    value: Expression
    at: int


class Invocation(NamedTuple):
    """``name<dtype>(arguments)``."""

    name: str
    dtype: PrimitiveType | None
    arguments: list[Argument]
    at: int
    end: int


Expression: TypeAlias = Union[  # noqa: UP007 - the classes above refer to it before it is defined
    Constant,
    Name,
    ArrayOrTuple,
    Unary,
    Binary,
    Conditional,
    Comprehension,
    Subscript,
    Builtin,
    Invocation,
]


class Assignment(NamedTuple):
    """``target = value;``.

    `value` is None if it could not be parsed. `target` consists of `Name`s, `ArrayOrTuple`
    and, for ``[]``, an empty `Constant`.
    """

    target: Expression
    value: Expression | None
    at: int
    end: int
    sure: bool = True
    """True if the left-hand side could be parsed."""


class ParameterSyntax(NamedTuple):
    """``name: type = default``."""

    name: str
    type: Type
    default: Constant | None
    at: int
    end: int


class Fragment(NamedTuple):
    """A fragment declaration (3.2.2); `body` is None if it has none."""

    name: str
    generic: bool
    generic_default: PrimitiveType | None
    parameters: tuple[ParameterSyntax, ...]
    results: tuple[ParameterSyntax, ...]
    body: tuple[Assignment, ...] | None
    at: int
    name_at: int
    header_end: int
    end: int


class GraphSyntax(NamedTuple):
    """The header of the graph (3.2.1); the body can be long and is not stored."""

    name: str
    parameters: tuple[Name, ...]
    results: tuple[Name, ...]
    at: int
    end: int


class Extension(NamedTuple):
    """An extension of Khronos, or one of a vendor with its arguments."""

    text: str
    """Its name, followed by the arguments of a vendor's extension as they are written."""
    names: tuple[str, ...]
    """The names in it; by section 3.2.4 an identifier after a name is a name, too."""
    at: int
    end: int


class Document(NamedTuple):
    """A document (3.2.4) without the body of its graph."""

    version: tuple[str, int] | None
    """The string and the token index of the version number."""
    extensions: tuple[Extension, ...]
    fragments: tuple[Fragment, ...]
    graph: GraphSyntax | None


def names_of(target: Expression) -> list[Name]:
    """Return the identifiers on the left-hand side of an assignment, from left to right."""
    if type(target) is Name:
        return [target]
    names: list[Name] = []
    stack: list[Expression] = [target]
    while stack:
        node = stack.pop()
        if isinstance(node, Name):
            names.append(node)
        elif isinstance(node, ArrayOrTuple):
            stack.extend(reversed(node.elements))
    return names
