"""Weights that are read in several forms, stored once.

A weight that is read in one form only is stored in that form, which makes the text easier to read.
A weight that is read in several forms, such as an embedding that is also the last layer, is stored
as the network holds it, and reshaped or transposed where it is read.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from nnefkit.exchange.names import Names, identifier
from nnefkit.exchange.source_graph import PendingOperation
from nnefkit.exchange.source_value import Value

_FORMS = ("reshape", "transpose")
_Made = dict[int, tuple[Value, Any]]
"""id of a constant -> the constant that it is a form of, and how it is derived."""


def with_shared_weights(
    operations: Sequence[PendingOperation],
    derivations: Mapping[tuple[int, Hashable], tuple[Value, Value]],
    names: Names,
) -> list[PendingOperation]:
    """Insert the operations that compute the other forms of a weight from its first one."""
    made = {
        id(new): (source, how) for (_, how), (source, new) in derivations.items() if _is_form(how)
    }
    first: dict[int, int] = {}
    forms: dict[int, list[Value]] = {}
    for number, operation in enumerate(operations):
        for value in operation.arguments:
            if _is_weight(value) and id(value) not in first:
                first[id(value)] = number
                forms.setdefault(id(_root(value, made)), []).append(value)
    inserted: dict[int, list[PendingOperation]] = {}
    for values in forms.values():
        for value in values if len(values) > 1 else ():
            if id(value) in made:
                inserted.setdefault(first[id(value)], []).extend(_making(value, made, names))
    return [
        one
        for number, operation in enumerate(operations)
        for one in (*inserted.get(number, ()), operation)
    ]


def _is_form(how: Hashable) -> bool:
    return isinstance(how, tuple) and how[0] in _FORMS


def _is_weight(value: Value) -> bool:
    return value.data is not None and not value.filler and not value.is_number


def _root(value: Value, made: _Made) -> Value:
    while id(value) in made:
        value = made[id(value)][0]
    return value


def _making(value: Value, made: _Made, names: Names) -> list[PendingOperation]:
    """Return the operations that compute a form; its value is no longer a constant."""
    operations: list[PendingOperation] = []
    while value.data is not None and id(value) in made:
        source, (form, *rest) = made[id(value)]
        value.data = None
        value.name = names.unused(identifier(f"{source.name}_{form}d"))
        attribs: dict[str, Any] = {"axes": rest}
        if form == "reshape":
            attribs = {"shape": [*rest[0]], "axis_start": 0, "axis_count": -1}
        inputs, outputs = {"input": source}, {"output": value}
        operations.append(PendingOperation(form, inputs, outputs, attribs, source.data_type))
        value = source
    return operations[::-1]
