"""Loops of TensorFlow 1, whose nodes form circles; they are unrolled, round by round."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from nnefkit.exchange.control_flow import NO_LOOPS
from nnefkit.exchange.refusal import UNREAD, Refusal, Unread, refuse
from nnefkit.exchange.source_value import Value
from nnefkit.exchange.tensorflow.branches import NestingLevel, tags_of
from nnefkit.exchange.tensorflow.call import DEAD, INVALID, Dead, Result
from nnefkit.exchange.tensorflow.model import NodeInfo, TensorReference
from nnefkit.exchange.tensorflow.scope import NodeScope, Outputs

if TYPE_CHECKING:
    from nnefkit.exchange.source_graph import SourceGraph

_MAX_ITERATIONS = 1000


class Reader(Protocol):
    """What reads the nodes of a round."""

    @property
    def graph(self) -> SourceGraph:
        """The graph under construction."""

    def evaluated(self, scope: NodeScope, references: Iterable[TensorReference]) -> list[Result]:
        """Return the values of outputs of nodes."""

    def value(self, scope: NodeScope, place: TensorReference) -> Result:
        """Return an output of a node that has been read."""

    def level(self, name: str) -> NestingLevel:
        """Return a context in which a round is read."""


def read_loop(reader: Reader, scope: NodeScope, exit_: NodeInfo) -> None:
    """Read a loop, and note the outputs of all nodes that leave it.

    Args:
        reader: Reads the nodes of a round.
        scope: The nodes around it.
        exit_: One of the nodes that leave it.

    Raises:
        Refusal: Its condition is computed at run time, it has no end, or is inside of itself.
    """
    structure = scope.structure
    frame = structure.frame_of(exit_)
    if frame in scope.inside:
        refuse("its loop is inside of itself", INVALID)
    merges = structure.merges[frame]
    entered: dict[str, Outputs] = {
        enter.name: [reader.value(scope, enter.inputs[0])] for enter in structure.frames[frame]
    }
    if any(isinstance(_single(outputs), Dead) for outputs in entered.values()):
        _leave(scope, frame, {merge.name: DEAD for merge, _, _ in merges})
        return
    condition = _condition(merges, scope)
    carried = [_single(entered[enter.name]) for _, enter, _ in merges]
    onward = [onward.inputs[0] for _, _, onward in merges]
    for number in range(_MAX_ITERATIONS + 1):
        index = reader.graph.constant(min(number, 1), np.dtype(np.int32))
        inner = NodeScope(structure, dict(entered), repeats=True, inside=scope.inside | {frame})
        for (merge, _, _), value in zip(merges, carried, strict=True):
            inner.values[merge.name] = [value, index]
        with reader.level(frame):
            (goes_on,) = reader.evaluated(inner, [condition])
            if isinstance(goes_on, Unread):
                carried = [UNREAD] * len(carried)
                break
            if not isinstance(goes_on, Value) or goes_on.data is None or goes_on.data.size != 1:
                refuse("the condition of its loop is computed at run time", NO_LOOPS)
            if not bool(goes_on.data.reshape(-1)[0]):
                break
            if number == _MAX_ITERATIONS:
                refuse(f"its loop repeats more than {_MAX_ITERATIONS} times", NO_LOOPS)
            carried = reader.evaluated(inner, onward)
    _leave(
        scope,
        frame,
        {merge.name: value for (merge, _, _), value in zip(merges, carried, strict=True)},
    )


def _leave(scope: NodeScope, frame: str, left: Mapping[str, Result]) -> None:
    """Note the outputs of all nodes that leave a loop, and the branch that the loop is in."""
    structure = scope.structure
    tags: dict[int, Any] = {}
    for enter in structure.frames[frame]:
        tags.update(tags_of(scope, enter.inputs[0]))
    for node in structure.nodes.values():
        if node.operator in ("Exit", "RefExit") and structure.frame_of(node) == frame:
            switch = structure.nodes[node.inputs[0].node]
            scope.values[node.name] = [left[switch.inputs[0].node]]
            if tags:
                scope.tags[node.name] = tags


def _single(outputs: Outputs) -> Result:
    return outputs[0] if isinstance(outputs, list) else outputs


def _condition(
    merges: Sequence[tuple[NodeInfo, NodeInfo, NodeInfo]], scope: NodeScope
) -> TensorReference:
    """Return the node that decides whether a loop goes on."""
    names = {merge.name for merge, _, _ in merges}
    for node in scope.structure.nodes.values():
        is_switch = node.operator in ("Switch", "RefSwitch") and len(node.inputs) == 2
        if is_switch and node.inputs[0].node in names:
            return node.inputs[1]
    raise Refusal("its loop has no condition", INVALID)
