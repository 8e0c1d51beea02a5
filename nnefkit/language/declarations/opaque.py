"""Declarations for unknown operations, which a graph contains as written."""

from __future__ import annotations

from typing import Any

from nnefkit.graph import Identifier
from nnefkit.language.declarations.declaration import REQUIRED, Declaration, Parameter, Result
from nnefkit.language.syntax.tree import ArrayOrTuple, Constant, Expression, Invocation
from nnefkit.language.types import OPAQUE_TENSOR, UNKNOWN, Type, array_of


def opaque_declaration(invocation: Invocation, target: Expression | None) -> Declaration:
    """Return a declaration that matches an invocation of an unknown operation.

    Args:
        invocation: The invocation. Its positional arguments, and all results, are called "0", "1",
            and so on.
        target: The left-hand side that it is assigned to; None inside of an expression, where it
            has one tensor as result.
    """
    parameters = [
        Parameter(argument.name or str(position), UNKNOWN, REQUIRED, position, not argument.name)
        for position, argument in enumerate(invocation.arguments)
    ]
    several = isinstance(target, ArrayOrTuple) and not target.is_array
    parts = target.elements if isinstance(target, ArrayOrTuple) and several else (target,)
    return Declaration(
        invocation.name,
        tuple(parameters),
        tuple(Result(str(number), _result_type(part)) for number, part in enumerate(parts)),
        generic=invocation.dtype is not None,
        opaque=True,
    )


def _result_type(part: Expression | None) -> Type:
    depth = 0
    while isinstance(part, (ArrayOrTuple, Constant)):
        # An array of names or of arrays; the constant [] is empty.
        depth += 1
        part = part.elements[0] if isinstance(part, ArrayOrTuple) and part.elements else None
    type_: Type = OPAQUE_TENSOR
    for _ in range(depth):
        type_ = array_of(type_)
    return type_


def holds_tensor(value: Any) -> bool:
    """Return whether an argument is a tensor or contains one."""
    stack = [value]
    while stack:
        value = stack.pop()
        if isinstance(value, Identifier):
            return True
        if isinstance(value, (list, tuple)):
            stack.extend(value)
    return False
