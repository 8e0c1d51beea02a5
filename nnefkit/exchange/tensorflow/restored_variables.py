"""The checkpoint keys of variables, as the operators of a graph restore them.

A graph with a saver restores each variable from a key: in TensorFlow 1 by its own nodes, in
TensorFlow 2 by a function, which takes the handles of the variables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from nnefkit.exchange.tensorflow.assignments import variable_name
from nnefkit.exchange.tensorflow.model import FunctionInfo, NodeInfo, Nodes, TensorReference

_CALLS = ("PartitionedCall", "StatefulPartitionedCall")
_ASSIGNMENTS = ("AssignVariableOp", "Assign")
_VARIABLES = ("VarHandleOp", "VariableV2", "Variable")


def restored_keys(
    nodes: Nodes, functions: Mapping[str, FunctionInfo]
) -> Mapping[str, tuple[str, ...]]:
    """Return the name of each variable -> the keys that it is restored from."""
    keys: dict[str, tuple[str, ...]] = {}

    def note(place: TensorReference, key: str) -> None:
        node = nodes.get(place.node)
        if node is not None and node.operator in _VARIABLES:
            name = variable_name(node)
            keys[name] = (*keys.get(name, ()), key)

    for place, key in _restored(nodes):
        note(place, key)
    for node in nodes.values():
        if node.operator in _CALLS and "f" in node.attributes:
            function = functions.get(node.attributes["f"].func.name)
            if function is not None:
                _restored_by(function, node, note)
    return keys


def _restored_by(
    function: FunctionInfo, call: NodeInfo, note: Callable[[TensorReference, str], None]
) -> None:
    numbers = {name: number for number, name in enumerate(function.arguments)}
    for place, key in _restored(function.nodes):
        number = numbers.get(place.node)
        if number is not None and number < len(call.inputs):
            note(call.inputs[number], key)


def _restored(nodes: Nodes) -> Iterator[tuple[TensorReference, str]]:
    """Yield the handle of each variable that is restored, and its key."""
    for node in nodes.values():
        if node.operator not in _ASSIGNMENTS or len(node.inputs) < 2:
            continue
        place = node.inputs[1]
        source = nodes.get(place.node)
        while source is not None and source.operator == "Identity" and source.inputs:
            place = source.inputs[0]
            source = None if place.node == source.name else nodes.get(place.node)
            if source is node:
                break
        if source is not None and source.operator == "RestoreV2" and len(source.inputs) > 1:
            names = _strings(nodes.get(source.inputs[1].node))
            if place.output < len(names):
                yield node.inputs[0], names[place.output]


def _strings(node: NodeInfo | None) -> list[str]:
    """Return the strings of a constant."""
    if node is None or node.operator != "Const" or "value" not in node.attributes:
        return []
    message = node.attributes["value"].tensor
    return [each.decode("utf-8", "replace") for each in message.string_val]
