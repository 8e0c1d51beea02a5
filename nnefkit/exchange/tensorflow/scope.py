"""The nodes of a graph or of a function, what they compute, and their order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from nnefkit.exchange.refusal import Refusal, Unread, refuse
from nnefkit.exchange.tensorflow.call import INVALID, Dead, Result
from nnefkit.exchange.tensorflow.model import NodeInfo, Nodes, TensorReference

Outputs = list[Result] | Dead | Unread
"""The outputs of a node, or what each of them is."""
Tags = Mapping[int, tuple[object, bool]]
"""Identity of a condition -> the condition, and the side of it that a tensor belongs to."""


class NodeStructure:
    """The loops and branches of TensorFlow 1 among some nodes."""

    def __init__(self, nodes: Nodes, results: Sequence[TensorReference]) -> None:
        self.nodes = nodes
        self._results = results

    @cached_property
    def readers(self) -> Mapping[str, int]:
        """Name of a node -> how often its outputs are read, or returned."""
        places = [place for node in self.nodes.values() for place in node.inputs]
        return Counter(place.node for place in (*places, *self._results))

    @cached_property
    def frames(self) -> Mapping[str, list[NodeInfo]]:
        """Name of a loop -> the nodes through which tensors enter it."""
        frames: dict[str, list[NodeInfo]] = {}
        for node in self.nodes.values():
            if node.operator in ("Enter", "RefEnter"):
                frames.setdefault(frame_name(node), []).append(node)
        return frames

    @cached_property
    def merges(self) -> Mapping[str, list[tuple[NodeInfo, NodeInfo, NodeInfo]]]:
        """Name of a loop -> what it carries: the nodes that merge, that enter, that go on."""
        merges: dict[str, list[tuple[NodeInfo, NodeInfo, NodeInfo]]] = {}
        for node in self.nodes.values():
            if node.operator not in ("Merge", "RefMerge") or len(node.inputs) != 2:
                continue
            sources = [self.nodes.get(each.node) for each in node.inputs]
            found = {each.operator.removeprefix("Ref"): each for each in sources if each}
            if {*found} == {"Enter", "NextIteration"}:
                enter, onward = found["Enter"], found["NextIteration"]
                merges.setdefault(frame_name(enter), []).append((node, enter, onward))
        return merges

    def frame_of(self, exit_: NodeInfo) -> str:
        """Return the name of the loop that a node leaves.

        Raises:
            Refusal: It leaves none.
        """
        node: NodeInfo | None = exit_
        for kind in ("Switch", "Merge"):
            node = self.nodes.get(node.inputs[0].node) if node and node.inputs else None
            if node is None or node.operator.removeprefix("Ref") != kind:
                refuse("it leaves no loop", INVALID)
        for frame, merges in self.merges.items():
            if any(merge is node for merge, _, _ in merges):
                return frame
        raise Refusal("it leaves no loop", INVALID)

    def pivots(self, node: NodeInfo) -> list[str]:
        """Return the nodes of branches on which a node depends without reading them."""
        pivots = []
        for name in node.controls:
            source = self.nodes.get(name)
            for _ in range(8):
                if source is None or source.operator != "Identity" or not source.inputs:
                    break
                source = self.nodes.get(source.inputs[0].node)
            if source is not None and source.operator in ("Switch", "RefSwitch"):
                pivots.append(name)
        return pivots

    def dependencies(self, node: NodeInfo) -> list[str]:
        """Return the nodes that are read before a node."""
        if node.operator in ("Exit", "RefExit"):
            enters = self.frames[self.frame_of(node)]
            return [each.node for enter in enters for each in enter.inputs]
        return [*(each.node for each in node.inputs), *self.pivots(node)]


def frame_name(enter: NodeInfo) -> str:
    """Return the name of the loop that a node enters."""
    if "frame_name" not in enter.attributes:
        return ""
    return enter.attributes["frame_name"].s.decode("utf-8", "replace")  # type: ignore[no-any-return]


@dataclass(eq=False)
class NodeScope:
    """What the nodes of a graph or a function compute; each round of a loop has its own scope."""

    structure: NodeStructure
    values: dict[str, Outputs] = field(default_factory=dict)
    """Name of a node or an argument -> its outputs."""
    tags: dict[str, Tags] = field(default_factory=dict)
    """Name of a node -> the branches that it belongs to, of those with a computed condition."""
    path: str = ""
    """The names of the nodes that call the function."""
    repeats: bool = False
    """Whether it may be read several times."""
    inside: frozenset[str] = frozenset()
    """The names of the loops of the structure that it is a round of."""

    def ordered(self, targets: Iterable[str]) -> list[NodeInfo]:
        """Return the nodes that targets depend on, in order.

        Raises:
            Refusal: A node does not exist, or nodes depend on each other in a circle.
        """
        order: list[NodeInfo] = []
        open_: dict[str, bool] = {}
        """Name of a node -> whether its dependencies are not all in order yet."""
        for target in targets:
            path: list[tuple[NodeInfo, Iterator[str]]] = []
            self._visit(target, open_, path)
            while path:
                node, remaining = path[-1]
                name = next(remaining, None)
                if name is not None:
                    self._visit(name, open_, path)
                else:
                    open_[node.name] = False
                    order.append(node)
                    path.pop()
        return order

    def _visit(
        self, name: str, open_: dict[str, bool], path: list[tuple[NodeInfo, Iterator[str]]]
    ) -> None:
        if name in self.values:
            return
        if name in open_:
            if open_[name]:
                refuse(f"the node '{name}' depends on itself", INVALID)
            return
        node = self.structure.nodes.get(name)
        if node is None:
            refuse(f"the graph has no node '{name}', which another one reads", INVALID)
        open_[name] = True
        path.append((node, iter(self.structure.dependencies(node))))
