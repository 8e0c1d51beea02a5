"""Elements selected and replaced by their indices (4.5.4, 4.5.8)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod
from typing import Any

import numpy as np

from nnefkit.exchange.compositions import indexing
from nnefkit.exchange.compositions.elementwise import scalar_operation
from nnefkit.exchange.compositions.scattering import scatter_slices
from nnefkit.exchange.dumped.call import Literal
from nnefkit.exchange.dumped.indexing import indexed, replaced
from nnefkit.exchange.reshaping import broadcast, expanded, reshaped, to_dtype
from nnefkit.exchange.source_value import Value
from nnefkit.exchange.theano.call import Call, op
from nnefkit.exchange.theano.rows import note, noted, row, stacked

_LARGEST = 2**62


def _basic_index(c: Call, first: int) -> list[Any]:
    """Return the index of a Subtensor: integers, slices, and values that are not known."""
    parts = c.param("idx_list")
    if not isinstance(parts, list):
        c.invalid(f"its index is {parts!r:.80}")
    further = iter(range(first, len(c.inputs)))
    return [_part(c, part, further) for part in parts]


def _part(c: Call, part: Any, further: Iterator[int]) -> Any:
    if isinstance(part, dict) and isinstance(part.get("slice"), list) and len(part["slice"]) == 3:
        bounds = [None if n is None else _part(c, n, further) for n in part["slice"]]
        if any(isinstance(bound, Value) for bound in bounds):
            c.refuse("it slices by bounds that are computed at run time", "Make them constant.")
        return slice(*bounds)
    if isinstance(part, dict) and "input" in part:
        number = next(further, None)
        if number is None:
            c.invalid("an input of its index is missing")
        value = c.get(number)
        if value is None:
            return None
        if value.data is None:
            return value
        return c.integer_at(number, "index")
    if type(part) is not int or abs(part) > _LARGEST:
        c.invalid(f"a part of its index is {part!r:.80}")
    return part


@op("Subtensor")
def subtensor(c: Call) -> Value:
    """Read `slice`, or `gather` at an index that is an input."""
    x, index = c[0], _basic_index(c, 1)
    if len(index) > x.rank:
        c.invalid(f"its index has {len(index)} parts for an input of rank {x.rank}")
    rows = noted(c, x)
    if rows and all(each is not None for each in rows) and len(rows) == x.shape[0]:
        return _of_rows(c, x, index)
    unknown = [axis for axis, part in enumerate(index) if isinstance(part, Value)]
    for axis in unknown:
        place = _place(c, index[axis], x.shape[axis])
        x = c.op("gather", x, reshaped(c, place, (1,)), axis=axis)
        index[axis] = 0
    return indexed(c, x, index)


def _of_rows(c: Call, x: Value, index: Sequence[Any]) -> Value:
    """Return a part of a tensor whose rows are known."""
    first, *rest = index or [slice(None)]
    if isinstance(first, slice) and not rest:
        chosen = range(*first.indices(x.shape[0]))
        if chosen == range(x.shape[0]) or not chosen:
            return x if chosen else indexed(c, x, index)
        return stacked(c, [row(c, x, number) for number in chosen])
    if isinstance(first, int):
        return indexed(c, row(c, x, c.front_axis(first, x.shape[0])), rest)
    return indexed(c, x, index) if not isinstance(first, Value) else _gathered_row(c, x, index)


def _gathered_row(c: Call, x: Value, index: Sequence[Any]) -> Value:
    place = _place(c, index[0], x.shape[0])
    part = c.op("gather", x, reshaped(c, place, (1,)), axis=0)
    return indexed(c, part, [0, *index[1:]])


def _place(c: Call, index: Value, extent: int) -> Value:
    if index.data_type != "integer":
        c.invalid(f"its index is {index.data_type}")
    return indexing.counted_from_front(c, index, extent)


@op("IncSubtensor")
def put_subtensor(c: Call) -> Value:
    """Read a tensor with a part replaced, or with another added to it."""
    x, y, index = c[0], c.to_result(c[1], c[0].dtype), _basic_index(c, 2)
    if any(isinstance(part, Value) for part in index):
        c.refuse("it replaces elements at an index that is an input", "Make the index constant.")
    sets = c.flag("set_instead_of_inc", False)
    # What was allocated empty is taken for zeros: adding to it is replacing.
    adds = not sets and not (x.filler and x.data is not None and not x.data.any())
    result = replaced(c, x, y, index, adds=adds)
    first = index[0] if index else None
    if not adds and len(index) == 1 and isinstance(first, slice) and result.data is None:
        begin, end, step = first.indices(x.shape[0])
        if begin == 0 and step == 1 and 0 < end <= 1024 and y.rank == x.rank:
            known = [row(c, y, min(n, y.shape[0] - 1)) for n in range(end)]
            return note(c, result, [*known, *[None] * (x.shape[0] - end)])
    return result


# -- positions in arrays ---------------------------------------------------------------------------


@op("AdvancedSubtensor1", "AdvancedSubtensor", "AdvancedBooleanSubtensor")
def take(c: Call) -> Value:
    """Read `gather` at positions, which may be inputs."""
    x = c[0]
    index = _advanced_index(c, 1)
    if not any(isinstance(part, Value) for part in index):
        return indexed(c, x, index)
    places = _places(c, x, index)
    if len(places) == 1:
        return c.op("gather", x, places[0], axis=0)
    extents = x.shape[: len(places)]
    flat = indexing.flat_positions(c, places, extents)
    rows = reshaped(c, x, (prod(extents), *x.shape[len(places) :]))
    return c.op("gather", rows, flat, axis=0)


def _places(c: Call, x: Value, index: Sequence[Any]) -> list[Value]:
    """Return the positions along the first axes, in one shape; some of them are inputs."""
    arrays = [part for part in index if not isinstance(part, slice)]
    if any(isinstance(part, slice) for part in index[: len(arrays)]) or any(
        part != slice(None) for part in index[len(arrays) :]
    ):
        c.refuse(
            "it selects at positions that are inputs, after or between other parts of an index",
            "Move those axes to the front.",
        )
    values = [
        part if isinstance(part, Value) else c.graph.constant(np.asarray(part, np.int64))
        for part in arrays
    ]
    if len(values) > x.rank or any(value.data_type != "integer" for value in values):
        c.invalid(f"it has {len(values)} positions for an input of {[*x.shape]}")
    shape = broadcast(c, *(value.shape for value in values))
    return [
        expanded(c, _place(c, value, extent), shape)
        for value, extent in zip(values, x.shape, strict=False)
    ]


def _advanced_index(c: Call, first: int) -> list[Any]:
    """Return the index of an operation: slices, None, arrays, and values that are not known."""
    index: list[Any] = []
    for number in range(first, len(c.inputs)):
        given = c.inputs[number]
        if isinstance(given, Literal):
            index.append(None if given.slice is None else _slice(c, given.slice))
        elif given.data is None:
            if given.dtype.kind == "b":
                c.refuse("it selects by a condition", "Use tensor.switch.")
            index.append(given)
        else:
            index.append(given.data if given.rank else int(given.data))
    return index


def _slice(c: Call, bounds: Any) -> slice:
    if not isinstance(bounds, list) or len(bounds) != 3:
        c.invalid(f"a slice of its index is {bounds!r:.80}")
    if not all(n is None or (type(n) is int and abs(n) <= _LARGEST) for n in bounds):
        c.invalid(f"a slice of its index is {bounds!r:.80}")
    return slice(*bounds)


@op("MakeSlice")
def make_slice(c: Call) -> Literal:
    """Read a slice of an index."""
    bounds = [None if c.get(n) is None else c.integer_at(n, "bound") for n in range(3)]
    return Literal(bounds)


@op("AdvancedIncSubtensor1", "AdvancedIncSubtensor", "AdvancedBooleanIncSubtensor")
def put(c: Call) -> Value:
    """Read a tensor with elements at some positions replaced, or with others added to them."""
    x, y = c[0], c.to_result(c[1], c[0].dtype)
    index, adds = _advanced_index(c, 2), not c.flag("set_instead_of_inc", False)
    if not any(isinstance(part, Value) for part in index):
        return replaced(c, x, y, index, adds=adds)
    places = _places(c, x, index)
    extents = x.shape[len(places) :]
    wanted = (*places[0].shape, *extents)
    if broadcast(c, y.shape, wanted) != wanted:
        c.invalid(f"it puts {[*y.shape]} into elements of {[*wanted]}")
    return scatter_slices(c, x, places, expanded(c, y, wanted), "add" if adds else "none")


@op("UnravelIndex")
def unravel(c: Call) -> list[Value]:
    """Read the indices along each axis of row-major positions."""
    flat, extents = c[0], c.integers_at(1, "shape")
    if min(extents, default=0) < 1 or len(extents) != len(c.results):
        c.invalid(f"its shape is {extents}")
    rest, results = flat, []
    for extent in extents[:0:-1]:
        whole = c.op("floor", scalar_operation(c, "div", rest, float(extent)))
        part = scalar_operation(c, "sub", rest, scalar_operation(c, "mul", whole, float(extent)))
        results.append(to_dtype(c, part, flat.dtype))
        rest = whole
    return [to_dtype(c, rest, flat.dtype), *results[::-1]]
