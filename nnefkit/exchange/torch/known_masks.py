"""Shapes that depend on masks, where the masks do not depend on the inputs."""

from __future__ import annotations

import operator as python
from collections.abc import Collection
from typing import Any

import numpy as np
import torch
from torch import fx

_INDEX = torch.ops.aten.index.Tensor
_MASKED_SELECT = torch.ops.aten.masked_select.default


def has_unknown_shapes(program: torch.export.ExportedProgram) -> bool:
    """Return whether the shapes of some results depend on values."""
    values = [node.meta.get("val") for node in program.graph.nodes if node.op == "call_function"]
    tensors = [value for value in values if isinstance(value, torch.Tensor)]
    return any(isinstance(extent, torch.SymInt) for t in tensors for extent in t.shape)


def replace_known_masks(module: Any, updated: Collection[str]) -> bool:
    """Select by indices where a graph module selects by known masks.

    Args:
        module: The graph module, which is changed.
        updated: The buffers that a run changes.

    Returns:
        Whether there was such a mask.
    """
    written = written_nodes(module.graph)
    known: dict[fx.Node, Any] = {}
    is_changed = False
    for node in [*module.graph.nodes]:
        is_constant = node not in written and node.target not in updated
        tensor = _result(module, node, known) if is_constant else None
        if tensor is not None:
            known[node] = tensor
        elif node.target in (_INDEX, _MASKED_SELECT):
            is_changed |= _replace_masks(module, node, known)
    for node, tensor in known.items():
        example = node.meta.get("val")
        if isinstance(example, torch.Tensor) and _is_open(example):
            with module.graph.inserting_before(node):
                node.replace_all_uses_with(_constant(module, node.name, tensor))
            is_changed = True
    return is_changed


def _is_open(example: torch.Tensor) -> bool:
    return any(isinstance(extent, torch.SymInt) for extent in example.shape)


def written_nodes(graph: fx.Graph) -> set[fx.Node]:
    """Return the nodes whose elements an operator changes in place, perhaps through a view."""
    written: set[fx.Node] = set()
    for node in graph.nodes:
        source = node.args[0] if writes(node) and node.args else None
        while isinstance(source, fx.Node):
            written.add(source)
            source = source.args[0] if source.args else None
    return written


def _result(module: Any, node: fx.Node, known: dict[fx.Node, Any]) -> Any:
    """Return the result of a node that depends on neither inputs nor random numbers, or None."""
    if node.op == "get_attr":
        value = python.attrgetter(str(node.target))(module)
        return value.detach() if isinstance(value, torch.Tensor) else None
    if any(source not in known for source in node.all_input_nodes):
        return None
    target: Any = node.target
    if target is not python.getitem and not is_function(node):
        return None
    args, kwargs = fx.node.map_arg((node.args, dict(node.kwargs)), lambda source: known[source])
    try:
        with torch.no_grad():
            result = target(*args, **kwargs)
    except Exception:  # noqa: BLE001 - operators raise errors of many kinds
        return None
    return result if isinstance(result, (torch.Tensor, list, tuple)) else None


def is_function(node: fx.Node) -> bool:
    """Return whether the result of a node depends on its arguments alone."""
    target = node.target
    if not isinstance(target, torch._ops.OpOverload) or writes(node):
        return False
    has_no_values = "empty" in target._schema.name
    return not has_no_values and torch.Tag.nondeterministic_seeded not in target.tags


def writes(node: fx.Node) -> bool:
    """Return whether a node changes the elements of a tensor in place."""
    target = node.target
    if not isinstance(target, torch._ops.OpOverload) or target == torch.ops.aten.detach_.default:
        return False
    return target._schema.is_mutable


def _replace_masks(module: Any, node: fx.Node, known: dict[fx.Node, Any]) -> bool:
    """Replace the known masks of a selection by the indices of their true elements."""
    with module.graph.inserting_before(node):
        if node.target == _MASKED_SELECT:
            return _replace_selection(module, node, known)
        indices: list[Any] = []
        for index in node.args[1]:  # type: ignore[union-attr]
            mask = known.get(index) if isinstance(index, fx.Node) else None
            if mask is None or mask.dtype not in (torch.bool, torch.uint8):
                indices.append(index)
                continue
            places = mask.nonzero(as_tuple=True)
            indices += [_constant(module, f"{node.name}_indices", place) for place in places]
    is_changed = indices != [*node.args[1]]  # type: ignore[misc]
    node.args = (node.args[0], indices)
    return is_changed


def _replace_selection(module: Any, node: fx.Node, known: dict[fx.Node, Any]) -> bool:
    source, selected = node.args
    mask = known.get(selected)  # type: ignore[arg-type]
    if mask is None or not isinstance(source, fx.Node):
        return False
    shape = np.broadcast_shapes(tuple(source.meta["val"].shape), tuple(mask.shape))
    graph = module.graph
    whole = graph.call_function(torch.ops.aten.expand.default, (source, [*shape]))
    flat = graph.call_function(torch.ops.aten.reshape.default, (whole, [-1]))
    places = mask.expand(shape).reshape(-1).nonzero()[:, 0]
    index = _constant(module, f"{node.name}_indices", places)
    result = graph.call_function(_INDEX, (flat, [index]))
    for new in (whole, flat, result):
        new.meta.update(node.meta)
    node.replace_all_uses_with(result)
    return True


def _constant(module: Any, name: str, tensor: torch.Tensor) -> fx.Node:
    number, unused = 1, name
    while hasattr(module, unused):
        number += 1
        unused = f"{name}_{number}"
    module.register_buffer(unused, tensor.contiguous(), persistent=False)
    node: fx.Node = module.graph.get_attr(unused)
    return node
