"""Weights that are read in several forms, stored once.

A weight that is read in one form alone is stored in that form, which makes a text that is easier to
read. One that is read in more than one, such as an embedding that is the last layer, too, is stored
as the network holds it, and reshaped or transposed where it is read.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

from nnefkit.exchange.names import Names, identifier
from nnefkit.exchange.source_graph import Value, _Call, _values

Derived = dict[tuple[int, Hashable], tuple[Value, Value]]
"""Constant (its identity) and how another one is made of it -> both of them."""

_FORMS = ("reshape", "transpose")


def with_shared_weights(calls: Sequence[_Call], derived: Derived, names: Names) -> list[_Call]:
    """`calls` with those among them that give weights their second form, and further ones."""
    made = {id(new): (source, how) for (_, how), (source, new) in derived.items() if _is_form(how)}
    first: dict[int, int] = {}
    forms: dict[int, list[Value]] = {}
    for number, call in enumerate(calls):
        for value in _values([*call.inputs.values()]):
            if value.data is not None and not value.filler and id(value) not in first:
                first[id(value)] = number
                forms.setdefault(id(_root(value, made)), []).append(value)
    found: dict[int, list[_Call]] = {}
    for values in forms.values():
        for value in values if len(values) > 1 else ():
            if id(value) in made:
                found.setdefault(first[id(value)], []).extend(_calls(value, made, names))
    return [one for number, call in enumerate(calls) for one in (*found.get(number, ()), call)]


_Made = dict[int, tuple[Value, Any]]


def _is_form(how: Hashable) -> bool:
    return isinstance(how, tuple) and how[0] in _FORMS


def _root(value: Value, made: _Made) -> Value:
    while id(value) in made:
        value = made[id(value)][0]
    return value


def _calls(value: Value, made: _Made, names: Names) -> list[_Call]:
    """The calls that make a constant of what it was made of."""
    found: list[_Call] = []
    while value.data is not None and id(value) in made:
        source, (word, *rest) = made[id(value)]
        value.data = None
        value.name = names.unused(identifier(f"{source.name}_{word}d"))
        attribs = {"axes": rest} if word == "transpose" else {"shape": [*rest[0]]}
        if word == "reshape":
            attribs |= {"axis_start": 0, "axis_count": -1}
        call = _Call(word, {"input": source}, {"output": value}, attribs, source.dtype, ())
        found.append(call)
        value = source
    return found[::-1]
