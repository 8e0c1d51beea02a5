"""Operations that are not known, and are kept as they stand in the text."""

from __future__ import annotations

from typing import Any

from nnefkit.graph import Identifier
from nnefkit.language.declarations.declaration import REQUIRED, Declaration, Parameter, Result
from nnefkit.language.syntax.tree import Constant, Expression, Invocation, Items
from nnefkit.language.types import OPAQUE_TENSOR, UNKNOWN, Type, array_of


def opaque_declaration(invocation: Invocation, target: Expression | None) -> Declaration:
    """A declaration that an invocation and the left-hand side that it is assigned to follow.

    Arguments that are given by position are called "0", "1", ...; so are the results. Inside of an
    expression (`target` is None) there is one result, a tensor.
    """
    parameters = [
        Parameter(argument.name or str(position), UNKNOWN, REQUIRED, position, not argument.name)
        for position, argument in enumerate(invocation.arguments)
    ]
    several = isinstance(target, Items) and not target.is_array
    parts = target.items if isinstance(target, Items) and several else (target,)
    return Declaration(
        invocation.name,
        tuple(parameters),
        tuple(Result(str(number), _kind(part)) for number, part in enumerate(parts)),
        generic=invocation.dtype is not None,
        opaque=True,
    )


def _kind(part: Expression | None) -> Type:
    depth = 0
    while isinstance(part, (Items, Constant)):
        # An array of names, perhaps of arrays; [] is one of none.
        depth += 1
        part = part.items[0] if isinstance(part, Items) and part.items else None
    kind: Type = OPAQUE_TENSOR
    for _ in range(depth):
        kind = array_of(kind)
    return kind


def holds_tensor(value: Any) -> bool:
    """Whether there is a tensor in an argument."""
    stack = [value]
    while stack:
        value = stack.pop()
        if isinstance(value, Identifier):
            return True
        if isinstance(value, (list, tuple)):
            stack.extend(value)
    return False
