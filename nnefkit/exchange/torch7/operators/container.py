"""Containers of modules."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from nnefkit.exchange.refusal import UNREAD
from nnefkit.exchange.reshaping import reshaped
from nnefkit.exchange.source_value import Value
from nnefkit.exchange.torch7.call import Call, checked, has_unread, module
from nnefkit.exchange.torch7.memory import Held
from nnefkit.exchange.torch7.objects import LuaTable, TorchObject, TorchTensor
from nnefkit.exchange.torch7.operators.shaping import element
from nnefkit.exchange.torch7.operators.table import joined

_MAX_MODULES = 1 << 16


@module("Sequential", "Maxout", "LayerNormalization", "SpatialLPPooling")
@module("inn.SpatialSameResponseNormalization")
def sequential(c: Call) -> Any:
    """Read its modules, one after the other."""
    modules, result = c.modules(), c.given
    for number, each in enumerate(modules, 1):
        # The last one computes what the container does.
        is_result = number == len(modules) and c.path != "module"
        result = c.outcome(each, result, number, c.name if is_result else "")
    return result


@module("Decorator", "NaN", "Profile", "DontCast", "GPU", "Serial", "Inception", "FireModule")
def decorated(c: Call) -> Any:
    """Read its only module."""
    inner = c.module.get("module")
    if not isinstance(inner, TorchObject):
        (inner,) = c.modules(1)
    return c.inside(inner, c.given, 1, c.name)


@module("WeightNorm")
def weight_norm(c: Call) -> Any:
    """Read its module with weights that are normalized, as they are after training."""
    (inner,) = c.modules(1)
    stored = inner.get("weight")
    has_weight = isinstance(stored, TorchTensor) and not stored.is_empty
    if c.module.get("train") is False and has_weight:
        return c.inside(inner, c.given, 1, c.name)
    directions, gains = np.asarray(c.weight("v").data), np.asarray(c.weight("g").data)
    shape, axis = c.extents("viewOut"), c.integer("outputDim", 1, 1) - 1
    rows = len(directions)
    if prod(shape) != directions.size or axis >= len(shape) or shape[:1] != [rows]:
        c.invalid(f"its weights {[*directions.shape]} do not fit {shape}")
    flat = directions.reshape(rows, -1)
    length = np.sqrt((flat * flat).sum(1, keepdims=True) + np.float32(10e-5))
    weights = (flat * (gains.reshape(rows, 1) / length)).reshape(shape)
    order = [*range(1, axis + 1), 0, *range(axis + 1, len(shape))]
    return c.inside(inner.with_array("weight", weights.transpose(order)), c.given, 1, c.name)


@module("Concat")
def concatenation(c: Call) -> Value:
    """Read `concat` of what its modules compute of one input."""
    return joined(c, _each(c), c.integer("dimension", least=1))


@module("inn.SpatialPyramidPooling")
def pyramid(c: Call) -> Value:
    """Read `concat` of what its modules compute of one input, along the features."""
    return joined(c, _each(c), c.ranked(3, 4).rank - 2)


@module("DepthConcat")
def depth_concatenation(c: Call) -> Value:
    """Read `concat` of what its modules compute, in the middle of zeros where it is smaller."""
    tensors = _each(c)
    axis = c.dimension(c.integer("dimension", least=1), tensors[0].rank)
    if any(x.rank != tensors[0].rank for x in tensors):
        c.invalid("its modules compute tensors of different ranks")
    most = [max(extents) for extents in zip(*(x.shape for x in tensors), strict=True)]
    padded = []
    for x in tensors:
        missing = [
            0 if place == axis else wide - n
            for place, (n, wide) in enumerate(zip(x.shape, most, strict=True))
        ]
        widths = [(n // 2, n - n // 2) for n in missing]
        padded.append(c.op("pad", x, padding=widths) if any(missing) else x)
    return joined(c, padded, axis + 1)


def _each(c: Call) -> list[Value]:
    """Return what all modules compute of the input."""
    modules = c.modules()
    if not modules:
        c.invalid("it has no modules")
    results = [c.outcome(each, c.given, number) for number, each in enumerate(modules, 1)]
    return [c.tensor(checked(each)) for each in results]


@module("ConcatTable")
def table_of_results(c: Call) -> Any:
    """Read a table of what its modules compute of one input."""
    return [c.outcome(each, c.given, number) for number, each in enumerate(c.modules(), 1)]


@module("ParallelTable")
def parallel(c: Call) -> Any:
    """Read a table of what each module computes of its own value of a table."""
    modules = c.modules()
    if not isinstance(c.given, list) or len(c.given) < len(modules):
        count = len(c.given) if isinstance(c.given, list) else "a tensor, not a table of"
        c.invalid(f"it has {len(modules)} modules, but its input is {count} values")
    pairs = zip(modules, c.given, strict=False)
    return [c.outcome(each, part, number) for number, (each, part) in enumerate(pairs, 1)]


@module("MapTable")
def mapped(c: Call) -> Any:
    """Read a table of what one module, or its copies, computes of each value of a table."""
    modules, table = c.modules(), c.table()
    if not modules:
        c.invalid("it has no modules")
    # There are as many copies as values that it has read; they need not share their weights.
    modules += modules[:1] * max(len(table) - len(modules), 0)
    pairs = zip(modules, table, strict=False)
    return [c.outcome(each, part, number) for number, (each, part) in enumerate(pairs, 1)]


@module("Parallel")
def parallel_slices(c: Call) -> Value:
    """Read `concat` of what each module computes of its own element of a dimension."""
    x, modules = c.one(), c.modules()
    axis = c.dimension(c.integer("inputDimension"), x.rank)
    if x.shape[axis] > len(modules):
        c.invalid(f"it has {len(modules)} modules for {x.shape[axis]} elements")
    results = []
    for number in range(x.shape[axis]):
        part = element(c, x, axis, number)
        c.graph.name_results([part], [f"{c.inner(number + 1)}_input"])
        results.append(c.outcome(modules[number], Held(part), number + 1))
    tensors = [c.tensor(checked(each)) for each in results]
    return joined(c, tensors, c.integer("outputDimension"))


@module("Bottle")
def bottle(c: Call) -> Any:
    """Read its module, with the first dimensions of its input as one."""
    x, rank = c.one(), c.integer("nInputDim", 2, 1)
    (inner,) = c.modules(1)
    if x.rank <= rank:
        return c.inside(inner, c.given, 1, c.name)
    count = x.rank - rank + 1
    outer = x.shape[:count]
    flat = reshaped(c, x, (prod(outer), *x.shape[count:]), 0)
    c.graph.name_results([flat], [f"{c.inner(1)}_input"])
    result = c.tensor(c.inside(inner, Held(flat), 1))
    if result.rank != c.integer("nOutputDim", rank, 1):
        c.invalid(f"its module computes {result.rank} dimensions")
    if result.shape[0] % prod(outer[:-1]):
        c.invalid(f"its module computes {[*result.shape]}")
    first = result.shape[0] // prod(outer[:-1])
    return reshaped(c, result, (*outer[:-1], first, *result.shape[1:]))


# -- graphs ----------------------------------------------------------------------------------------


@module("gModule")
def graph_of_modules(c: Call) -> Any:
    """Read a graph of modules of nngraph, node by node."""
    nodes = c.module.get("forwardnodes")
    start, end = (_data(c.module.get(name)) for name in ("innode", "outnode"))
    if not isinstance(nodes, LuaTable) or start is None or end is None:
        c.invalid("it has no nodes")
    # Old files do not have the number of inputs.
    count = c.integer("nInputs", max(len(_children(c.module.get("innode"))), 1))
    given = c.table(count) if count > 1 else [c.given]
    inputs: dict[int, dict[int, Any]] = {id(start): dict(enumerate(given, 1))}
    number = 0
    for node in nodes.list()[:_MAX_MODULES]:
        data = _data(node)
        if data is None:
            c.invalid("one of its nodes has no data")
        known = inputs.get(id(data), {})
        received = [known[place] for place in sorted(known)]
        if sorted(known) != [*range(1, len(known) + 1)]:
            c.invalid("one of its nodes lacks an input")
        inner = data.get("module")
        if isinstance(inner, TorchObject):
            number += 1
        _propagate(c, node, _computed(c, data, received, number), inputs)
    received = [value for _, value in sorted(inputs.get(id(end), {}).items())]
    if not received:
        c.invalid("nothing reaches its output")
    return received[0] if len(_children(c.module.get("outnode"))) == 1 else received


def _data(node: Any) -> LuaTable | None:
    data = node.get("data") if isinstance(node, TorchObject) else None
    return data if isinstance(data, LuaTable) else None


def _children(node: Any) -> list[Any]:
    children = node.get("children") if isinstance(node, TorchObject) else None
    return children.list() if isinstance(children, LuaTable) else []


def _computed(c: Call, data: LuaTable, received: list[Any], number: int) -> Any:
    """Return what a node computes of what it has received."""
    place = data.get("selectindex")
    if isinstance(place, float):
        table = received[0] if received else None
        if has_unread(table):
            return UNREAD
        if not isinstance(table, list) or not 1 <= place <= len(table):
            c.invalid(f"one of its nodes selects value {place:g} of what is not such a table")
        return table[int(place) - 1]
    given = received[0] if len(received) == 1 else received
    inner = data.get("module")
    return c.outcome(inner, given, number) if isinstance(inner, TorchObject) else given


def _propagate(c: Call, node: Any, result: Any, inputs: dict[int, dict[int, Any]]) -> None:
    """Hand on the result of a node to those that read it."""
    for child in _children(node):
        data = _data(child)
        mapping = data.get("mapindex") if data is not None else None
        place = mapping.get(_data(node)) if isinstance(mapping, LuaTable) else None
        if data is None or not isinstance(place, float):
            c.invalid("one of its nodes does not know where its input comes from")
        inputs.setdefault(id(data), {})[int(place)] = result
