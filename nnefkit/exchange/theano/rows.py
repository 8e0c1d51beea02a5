"""Rows of tensors: the entries along the first axis, which loops read and write one by one."""

from __future__ import annotations

from collections.abc import Sequence

from nnefkit.exchange.reshaping import reshaped, sliced
from nnefkit.exchange.source_value import Value
from nnefkit.exchange.theano.call import Call


def _key(x: Value) -> str:
    return f"rows of {id(x)}"


def note(c: Call, x: Value, rows: Sequence[Value | None]) -> Value:
    """Note the tensors that are the first rows of another one; None for unknown ones."""
    c.graph.notes[_key(x)] = (x, [*rows])
    return x


def noted(c: Call, x: Value) -> list[Value | None]:
    """Return the rows that were noted."""
    found: tuple[Value, list[Value | None]] = c.graph.notes.get(_key(x), (x, []))
    return found[1]


def row(c: Call, x: Value, number: int) -> Value:
    """Return a row, without the first axis."""
    known = noted(c, x)
    found = known[number] if number < len(known) else None
    if found is None:
        found = reshaped(c, sliced(c, x, 0, number, number + 1), x.shape[1:])
    return found


def stacked(c: Call, rows: Sequence[Value]) -> Value:
    """Return the tensor of some rows."""
    return note(c, c.op("stack", [*rows], axis=0), rows)
