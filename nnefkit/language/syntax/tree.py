"""The syntax tree: what the grammar says (A.1, A.2), and where each part stands.

`at` is the index of a node's first token, `end` the index behind its last one. Trees can be deep (a
chain of operators, nested brackets), so nothing here or in what walks them recurses over the depth.
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


class Items(NamedTuple):
    """An array (``[a, b]``) or a tuple (``(a, b)``) of expressions that are not all constant."""

    items: tuple[Expression, ...]
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
    """``[for name in array, ... if condition yield item]``."""

    iterators: tuple[tuple[Name, Expression], ...]
    condition: Expression | None
    item: Expression
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
    """``length_of(x)``, ``integer(x)`` and their like."""

    name: str
    argument: Expression
    at: int
    end: int


class Argument(NamedTuple):
    """An argument of an invocation; a positional one has no name."""

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
    Items,
    Unary,
    Binary,
    Conditional,
    Comprehension,
    Subscript,
    Builtin,
    Invocation,
]


class Assignment(NamedTuple):
    """``target = value;`` where `value` is None if it could not be read.

    `target` consists of `Name`s, `Items` and (for ``[]``) an empty `Constant`.
    """

    target: Expression
    value: Expression | None
    at: int
    end: int
    sure: bool = True
    """Whether the left-hand side could be read."""


class ParameterSyntax(NamedTuple):
    """``name: type = default``."""

    name: str
    type: Type
    default: Constant | None
    at: int
    end: int


class Fragment(NamedTuple):
    """A fragment declaration (3.2.2), with a body or (None) without."""

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
    """The declaration of the graph (3.2.1); its body is not kept, it can be long."""

    name: str
    parameters: tuple[Name, ...]
    results: tuple[Name, ...]
    at: int
    end: int


class Extension(NamedTuple):
    """One name behind ``extension``."""

    name: str
    at: int


class Document(NamedTuple):
    """A whole document (3.2.4)."""

    version: tuple[str, int] | None
    """Text and token of the version number."""
    extensions: tuple[Extension, ...]
    fragments: tuple[Fragment, ...]
    graph: GraphSyntax | None


def names_of(target: Expression) -> list[Name]:
    """The identifiers on the left-hand side of an assignment, from left to right."""
    if type(target) is Name:
        return [target]
    found: list[Name] = []
    stack: list[Expression] = [target]
    while stack:
        node = stack.pop()
        if isinstance(node, Name):
            found.append(node)
        elif isinstance(node, Items):
            stack.extend(reversed(node.items))
    return found
