"""The edges between groups: which tensors go from one to another."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from nnefkit.arrays import Shape
from nnefkit.display.folding.network import Group
from nnefkit.display.folding.picture import Edge
from nnefkit.display.folding.plain_operation import PlainOperation


def connections(
    groups: Sequence[Group],
    operations: Sequence[PlainOperation],
    shape_of: Mapping[str, Shape | None],
    *,
    entries: Sequence[Collection[str]] = (),
    leaving: Collection[str] = (),
) -> list[Edge]:
    """Return the edges between groups, which are in a valid order.

    Args:
        groups: The groups, nodes 0, 1, ...
        operations: All operations of the graph, by number.
        shape_of: Shapes of tensors.
        entries: Sets of tensors that come from elsewhere. Each is a node, after the groups.
        leaving: Tensors that are read elsewhere. If there are any, the last node reads them.
    """
    home = {number: node for node, group in enumerate(groups) for number in group.operations}
    made_in: dict[str, int] = {}
    for i, names in enumerate(entries):
        made_in.update(dict.fromkeys(names, len(groups) + i))
    for node, group in enumerate(groups):
        if group.kind == "input":
            made_in.update(dict.fromkeys(group.names, node))
    carried: dict[tuple[int, int], dict[str, None]] = {}
    for number in sorted(home):
        operation, node = operations[number], home[number]
        for name in operation.inputs:
            source = made_in.get(name, node)
            if source != node:
                carried.setdefault((source, node), {})[name] = None
        made_in.update(dict.fromkeys(operation.outputs, node))
    for node, group in enumerate(groups):
        if group.kind == "output":
            for name in group.names:
                if name in made_in:
                    carried.setdefault((made_in[name], node), {})[name] = None
    last = len(groups) + len(entries)
    for name in leaving:
        if made_in.get(name, last) < len(groups):
            carried.setdefault((made_in[name], last), {})[name] = None
    order = [*range(len(groups), last), *range(len(groups)), last]
    skipping = _skipping(order, carried)
    return [
        Edge(s, t, tuple(names), tuple(shape_of.get(name) for name in names), (s, t) in skipping)
        for (s, t), names in carried.items()
    ]


def _skipping(order: Sequence[int], pairs: Collection[tuple[int, int]]) -> set[tuple[int, int]]:
    """Return the edges between nodes that a longer path connects as well."""
    place = {node: i for i, node in enumerate(order)}
    before: list[list[int]] = [[] for _ in order]
    for source, target in pairs:
        before[place[target]].append(place[source])
    above = [0] * len(order)  # bit sets of the nodes before
    skipping = set()
    for node, sources in enumerate(before):
        for source in sources:
            above[node] |= above[source] | (1 << source)
        for source in sources:
            if any(above[other] >> source & 1 for other in sources if other != source):
                skipping.add((order[source], order[node]))
    return skipping


def shapes_by_name(operations: Sequence[PlainOperation]) -> dict[str, Shape | None]:
    """Return the shape of each result."""
    shapes: dict[str, Shape | None] = {}
    for operation in operations:
        for i, name in enumerate(operation.outputs):
            shape = operation.shapes[i] if i < len(operation.shapes) else None
            shapes[name] = None if shape is None else tuple(shape)
    return shapes
