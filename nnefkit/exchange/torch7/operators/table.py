"""Tables: their arithmetic, and what only takes them apart and puts them together."""

from __future__ import annotations

from typing import Any

from nnefkit.exchange.compositions.shaping import concat
from nnefkit.exchange.reshaping import reshaped
from nnefkit.exchange.source_value import Value
from nnefkit.exchange.torch7.call import Call, module

_OPERATIONS = {"CAddTable": "add", "CMulTable": "mul", "CMaxTable": "max", "CMinTable": "min"}
_OPERATIONS |= {"CSubTable": "sub", "CDivTable": "div"}


@module(*_OPERATIONS)
def arithmetic(c: Call) -> Value:
    """Read `add`, `mul`, `max`, `min`, `sub` or `div` of the tensors of a table."""
    kind = c.module.short_name
    tensors = c.tensors()
    if kind in ("CSubTable", "CDivTable"):
        tensors = tensors[:2]
        if len(tensors) < 2:
            c.invalid("its input is a table of one value, not two")
    first = tensors[0]
    total = first
    for x in tensors[1:]:
        if x.shape != first.shape:
            # Torch7 needs as many elements only.
            x = _alike(c, x, first)
        total = c.op(_OPERATIONS[kind], total, x)
    return total


def _alike(c: Call, x: Value, first: Value) -> Value:
    count, wanted = 1, 1
    for extent in x.shape:
        count *= extent
    for extent in first.shape:
        wanted *= extent
    if count != wanted:
        c.invalid(f"its inputs are {[*first.shape]} and {[*x.shape]}")
    return reshaped(c, x, first.shape)


@module("CAddTensorTable")
def added_to_each(c: Call) -> list[Value]:
    """Read `add` of one tensor to each one of a table."""
    one, others = c.table(2)
    x = c.tensor(one)
    if not isinstance(others, list):
        c.invalid("its second input is not a table")
    return [c.op("add", _alike(c, c.tensor(each), x), x) for each in others]


@module("JoinTable")
def join(c: Call) -> Value:
    """Read `concat`."""
    tensors = c.tensors()
    number, rank = c.integer("dimension"), tensors[0].rank
    if number > 0 and c.has("nInputDims") and rank == c.integer("nInputDims") + 1:
        number += 1
    return joined(c, tensors, number)


def joined(c: Call, tensors: list[Value], number: int) -> Value:
    """Return the concatenation along a dimension, which counts from 1."""
    axis = c.dimension(number, tensors[0].rank)
    others = [(*x.shape[:axis], *x.shape[axis + 1 :]) for x in tensors]
    if any(shape != others[0] for shape in others):
        shapes = " and ".join(str([*x.shape]) for x in tensors)
        c.invalid(f"it joins {shapes} along dimension {axis + 1}")
    return concat(c, tensors, axis)


# -- without arithmetic ----------------------------------------------------------------------------


@module("SelectTable")
def select(c: Call) -> Any:
    """Read one value of a table."""
    table, place = c.table(), c.module.get("index")
    if not isinstance(place, float):
        c.refuse("it selects from a table by a name", "Tables of numbered values are read.")
    number = c.integer("index")
    index = number + len(table) if number < 0 else number - 1
    if not 0 <= index < len(table):
        c.invalid(f"it selects value {number} of {len(table)}")
    return table[index]


@module("NarrowTable")
def narrow(c: Call) -> Any:
    """Read some values of a table."""
    table, first = c.table(), c.integer("offset", least=1) - 1
    length = c.integer("length", 1, 1)
    if first + length > len(table):
        c.invalid(f"it selects {length} values from {first + 1} on, but there are {len(table)}")
    return table[first : first + length]


@module("FlattenTable")
def flatten(c: Call) -> Any:
    """Read the values of all tables inside of a table."""

    def flat(tree: Any) -> list[Any]:
        return [x for part in tree for x in flat(part)] if isinstance(tree, list) else [tree]

    return flat(c.table())


@module("ReverseTable")
def backward(c: Call) -> Any:
    """Read the values of a table in reverse order."""
    return c.table()[::-1]


@module("nngraph.JustElement")
def only_value(c: Call) -> Any:
    """Read the only value of a table."""
    return c.table(1)[0]


@module("nngraph.JustTable")
def table_of_one(c: Call) -> Any:
    """Read a table of one value."""
    return [c.given]


@module("ZipTable")
def zipped(c: Call) -> Any:
    """Read a table of tables, with rows and columns exchanged."""
    rows = c.table()
    if not all(isinstance(row, list) and len(row) == len(rows[0]) for row in rows):
        c.invalid("its input is not a table of tables of one length")
    return [[*column] for column in zip(*rows, strict=True)]


@module("ZipTableOneToMany")
def zipped_with_each(c: Call) -> Any:
    """Read a pair with the first value for each of the others."""
    first, others = c.table(2)
    if not isinstance(others, list):
        c.invalid("its second input is not a table")
    return [[first, each] for each in others]
