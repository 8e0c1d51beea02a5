"""Branches of TensorFlow 1: tensors are switched to one of two sides, and merged again."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

import numpy as np

from nnefkit.exchange.control_flow import chosen
from nnefkit.exchange.refusal import UNREAD, Unread
from nnefkit.exchange.source_value import Value
from nnefkit.exchange.tensorflow.call import DEAD, Call, Dead
from nnefkit.exchange.tensorflow.model import NodeInfo, TensorReference
from nnefkit.exchange.tensorflow.scope import NodeScope, Outputs, Tags

_INDEX = np.dtype(np.int32)


class NestingLevel:
    """A context in which a function or a round of a loop is on the stack."""

    def __init__(self, stack: list[str], name: str) -> None:
        self._stack, self._name = stack, name

    def __enter__(self) -> Self:
        self._stack.append(self._name)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.pop()


def switched(c: Call) -> Outputs:
    """Return a tensor on the side of its condition, or on both if that is computed at run time."""
    data, condition = c.inputs[0], c[1]
    if condition.data is None:
        return [data, data]
    if condition.data.size != 1:
        c.invalid("its condition is not one logical")
    return [DEAD, data] if bool(condition.data.reshape(-1)[0]) else [data, DEAD]


def merged(c: Call, scope: NodeScope, node: NodeInfo) -> Outputs:
    """Return the tensor of the side that is taken; `select` chooses it at run time."""
    living = [
        (number, value) for number, value in enumerate(c.inputs) if not isinstance(value, Dead)
    ]
    if not living:
        return DEAD
    if any(isinstance(value, Unread) for _, value in living):
        return UNREAD
    tags = [tags_of(scope, node.inputs[number]) for number, _ in living]
    if len(living) == 1:
        scope.tags[node.name] = tags[0]
        (number, value) = living[0]
        return [value, c.graph.constant(number, _INDEX)]
    common = tags[0].keys() & tags[-1].keys()
    deciding = [key for key in common if tags[0][key][1] != tags[-1][key][1]]
    if len(living) != 2 or len(deciding) != 1:
        c.refuse(
            "it merges branches of several conditions that are computed at run time",
            "Compute both branches, and choose between their results.",
        )
    condition, side = tags[0][deciding[0]]
    scope.tags[node.name] = {key: tags[0][key] for key in common if key != deciding[0]}
    first, second = (value for _, value in living)
    x, y = (first, second) if side else (second, first)
    result = chosen(c, _as_value(condition), x, y)
    c.graph.name_results([result], [node.name])
    return [result, UNREAD]


def _as_value(condition: object) -> Value:
    assert isinstance(condition, Value)  # noqa: S101 - `inherit` has stored it
    return condition


def inherit(scope: NodeScope, node: NodeInfo) -> None:
    """Note the branches that a node belongs to: those of the nodes that it depends on."""
    tags: dict[int, Any] = {}
    for place in node.inputs:
        tags.update(tags_of(scope, place))
    for name in scope.structure.pivots(node):
        tags.update(scope.tags.get(name, {}))
    if tags:
        scope.tags[node.name] = tags


def tags_of(scope: NodeScope, place: TensorReference) -> Tags:
    """Return the branches that an output of a node belongs to."""
    tags = scope.tags.get(place.node, {})
    node = scope.structure.nodes.get(place.node)
    if node is None or node.operator.removeprefix("Ref") != "Switch" or len(node.inputs) != 2:
        return tags
    outputs = scope.values.get(node.inputs[1].node)
    if not isinstance(outputs, list) or node.inputs[1].output >= len(outputs):
        return tags
    condition = outputs[node.inputs[1].output]
    if not isinstance(condition, Value) or condition.data is not None:
        return tags
    return {**tags, id(condition): (condition, bool(place.output))}
