"""Variables that a run assigns: they live between runs, and are not the checkpoint's any more."""

from __future__ import annotations

from collections.abc import Sequence

from nnefkit.exchange.tensorflow.call import VariableHandle
from nnefkit.exchange.tensorflow.model import NodeInfo, Nodes, TensorReference
from nnefkit.exchange.tensorflow.scope import NodeScope

_ASSIGNING = ("Assign", "ResourceApply", "ResourceScatter", "ScatterUpdate", "ScatterAdd", "Apply")


def assigning_nodes(nodes: Nodes, fetched: Sequence[TensorReference] | None) -> list[NodeInfo]:
    """Return the nodes that assign variables in a run.

    Args:
        nodes: The nodes of a graph or a function.
        fetched: What a run computes; None for functions, all of whose nodes run.
    """
    found = [node for node in nodes.values() if node.operator.startswith(_ASSIGNING)]
    if fetched is None or not found:
        return found
    executed: set[str] = set()
    waiting = [place.node for place in fetched]
    while waiting:
        name = waiting.pop()
        if name in executed or name not in nodes:
            continue
        executed.add(name)
        waiting += [place.node for place in nodes[name].inputs]
        waiting += nodes[name].controls
    return [node for node in found if node.name in executed]


def assigned_variables(scope: NodeScope, node: NodeInfo) -> set[str]:
    """Return the variables that a node assigns: those that its first input refers to."""
    place = node.inputs[0] if node.inputs else None
    for _ in range(len(scope.structure.nodes) + 1):
        if place is None:
            break
        outputs = scope.values.get(place.node)
        if isinstance(outputs, list) and outputs and isinstance(outputs[0], VariableHandle):
            return {outputs[0].name}
        source = scope.structure.nodes.get(place.node)
        if source is None:
            break
        if source.operator in ("VariableV2", "Variable", "VarHandleOp"):
            return {variable_name(source)}
        place = source.inputs[0] if source.inputs else None
    return set()


def variable_name(node: NodeInfo) -> str:
    """Return the name of the variable of a node: that which several share, or that of the node."""
    shared = node.attributes["shared_name"].s if "shared_name" in node.attributes else b""
    return shared.decode("utf-8", "replace") or node.name
