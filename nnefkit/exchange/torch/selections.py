"""Elements that are assigned through the same mask that selects them.

``y[mask] = f(x[mask])`` computes as many elements as the mask selects. An elementwise `f` is
computed of all elements instead, and the mask selects among the results.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx

from nnefkit.exchange.torch.known_masks import is_function, writes, written_nodes

_INDEX = torch.ops.aten.index.Tensor
_PUTS = (torch.ops.aten.index_put.default, torch.ops.aten.index_put_.default)
_SIZE = torch.ops.aten.sym_size.int
_LINEAR = torch.ops.aten.linear.default
_ELEMENTWISE = frozenset(
    ("to", "_to_copy", "dropout", "alias", "detach", "floor_divide", "hardswish")
)
"""Elementwise operators that PyTorch does not mark as such."""
_DIVISIONS = frozenset(("div", "divide", "floor_divide", "remainder", "fmod"))


@dataclass(frozen=True)
class _Selection:
    """The slices that a mask selects: the mask, the axes before it, and the axes after it."""

    mask: fx.Node
    before: int
    after: int


def assign_through_masks(module: Any) -> bool:
    """Choose with `where` in a graph module that assigns through the masks that it selects by.

    Args:
        module: The graph module, which is changed.

    Returns:
        Whether it has such an assignment.
    """
    graph: fx.Graph = module.graph
    selected = _selected(graph)
    puts = {
        node: selected[node.args[2]]
        for node in graph.nodes
        if node.target in _PUTS and node.args[2] in selected
    }
    for node in [*selected]:
        if node.target == _INDEX:
            with graph.inserting_before(node):
                _replace(node, torch.ops.aten.clone.default, node.args[0])
    for node, selection in puts.items():
        with graph.inserting_before(node):
            _choose(node, selection)
    return bool(selected)


def _equal_nodes(graph: fx.Graph, written: Container[fx.Node]) -> dict[fx.Node, fx.Node]:
    """Return for each node the first one that has the same elements."""
    first: dict[fx.Node, fx.Node] = {}
    seen: dict[tuple[str, int], fx.Node] = {}
    writings = 0
    for node in graph.nodes:
        first[node] = node
        writings += writes(node)
        if is_function(node) and node not in written and not _is_view(node):
            arguments = fx.node.map_arg((node.args, dict(node.kwargs)), lambda n: first[n])
            first[node] = seen.setdefault((f"{node.target}{arguments}", writings), node)
    return first


def _selected(graph: fx.Graph) -> dict[fx.Node, _Selection]:
    """Return the nodes that are selections or computed from them, and are only assigned."""
    written = written_nodes(graph)
    first = _equal_nodes(graph, written)
    selected: dict[fx.Node, _Selection] = {}
    for node in graph.nodes:
        selection = _selection(node, first) if node.target == _INDEX else _kept(node, selected)
        if selection is None or selection.mask in written or _is_view(selection.mask):
            continue
        selected[node] = selection
    while True:
        wrong = [
            node
            for node, selection in selected.items()
            if not all(_fits(user, node, selection, selected, first) for user in node.users)
            or (node.target != _INDEX and _kept(node, selected) != selection)
        ]
        if not wrong:
            return selected
        for node in wrong:
            del selected[node]


def _selection(node: fx.Node, first: Mapping[fx.Node, fx.Node]) -> _Selection | None:
    """Return what a call of `index` or `index_put` selects; None unless it is by a single mask."""
    source, indices, *_ = node.args
    assert isinstance(indices, (list, tuple))  # noqa: S101 - their schemas say so
    given = [index for index in indices if index is not None]
    if len(given) != 1 or not isinstance(source, fx.Node) or not isinstance(given[0], fx.Node):
        return None
    mask = given[0].meta.get("val")
    if not isinstance(mask, torch.Tensor) or mask.dtype != torch.bool or not mask.ndim:
        return None
    before = indices.index(given[0])
    after = source.meta["val"].ndim - before - mask.ndim
    return _Selection(first[given[0]], before, after)


def _kept(node: fx.Node, selected: Mapping[fx.Node, _Selection]) -> _Selection | None:
    """Return the selection that a node computes with, if it computes each slice by itself."""
    sources = [source for source in node.all_input_nodes if source in selected]
    selections = {selected[source] for source in sources}
    if len(selections) != 1 or not isinstance(node.target, torch._ops.OpOverload):
        return None
    (selection,) = selections
    if node.target == _LINEAR:
        is_separate = selection.after > 0 and node.args[0] in sources
    else:
        others = [source for source in node.all_input_nodes if source not in selected]
        is_separate = (
            _is_elementwise(node, node.target)
            and (not writes(node) or node.args[0] in sources)
            and all(_rank(other) <= selection.after for other in others)
        )
    return selection if is_separate else None


def _is_elementwise(node: fx.Node, target: torch._ops.OpOverload) -> bool:
    name = target._schema.name.removeprefix("aten::").removesuffix("_")
    if name in _DIVISIONS and not node.meta["val"].is_floating_point():
        # Elements that are not selected may be 0, which an integer is not divided by.
        return not isinstance(node.args[1], fx.Node)
    return torch.Tag.pointwise in target.tags or name in _ELEMENTWISE


def _rank(node: fx.Node) -> int:
    value = node.meta.get("val")
    return value.ndim if isinstance(value, torch.Tensor) else 0


def _is_view(node: fx.Node) -> bool:
    if not isinstance(node.target, torch._ops.OpOverload):
        return False
    return any(result.alias_info is not None for result in node.target._schema.returns)


def _fits(
    user: fx.Node,
    node: fx.Node,
    selection: _Selection,
    selected: Mapping[fx.Node, _Selection],
    first: Mapping[fx.Node, fx.Node],
) -> bool:
    """Return whether a reader of a node can do with all elements instead of the selected ones."""
    if user.target in _PUTS:
        return user.args[2] is node and _selection(user, first) == selection
    return user in selected or _only_checks([user])


def _only_checks(nodes: Iterable[fx.Node]) -> bool:
    """Return whether nodes serve only to check sizes."""
    for node in nodes:
        if node.target == _SIZE or not isinstance(node.target, torch._ops.OpOverload):
            if node.op != "call_function" or not _only_checks(node.users):
                return False
        elif not node.target._schema.name.startswith(("aten::_assert", "aten::sym_constrain")):
            return False
    return True


def _replace(node: fx.Node, target: Any, *args: Any) -> fx.Node:
    """Replace a node by a call of another operator."""
    new: fx.Node = node.graph.call_function(target, args)
    new.meta.update(node.meta)
    node.replace_all_uses_with(new)
    node.graph.erase_node(node)
    return new


def _choose(node: fx.Node, selection: _Selection) -> None:
    """Replace an assignment by a choice between new and old elements."""
    aten, graph = torch.ops.aten, node.graph
    x, _, values, *accumulates = node.args
    condition: Any = selection.mask
    for _ in range(selection.after):
        condition = graph.call_function(aten.unsqueeze.default, (condition, -1))
    if accumulates and accumulates[0]:
        values = graph.call_function(aten.add.Tensor, (x, values))
    new = graph.call_function(aten.where.self, (condition, values, x))
    if writes(node):
        new = graph.call_function(aten.copy_.default, (x, new))
    for other in (condition, values, new):
        if isinstance(other, fx.Node) and "val" not in other.meta:
            other.meta.update(node.meta)
    node.replace_all_uses_with(new)
    graph.erase_node(node)
