"""The graph during folding: groups of operations, and the edges between them."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

from nnefkit.display.folding.plain_operation import PlainOperation
from nnefkit.display.vocabulary import PRODUCTS, REDUCTIONS, family
from nnefkit.operation_names import WEIGHTS

Kind = Literal[
    "input", "output", "unit", "block", "chain", "repeat", "siblings", "fragment", "rest"
]

_LAYERS = (PRODUCTS, REDUCTIONS)
HUB = 6
"""Number of readers from which on a node may feed many layers from the side."""


@dataclass(slots=True, eq=False)
class Group:
    """A group of operations that may become one box."""

    kind: Kind
    operations: list[int]
    """Its operations, by their numbers in the graph."""
    form: int
    """Groups of the same form are equal, attributes included."""
    kin: int
    """Groups of the same kin are equal except for strides and similar attributes."""
    parts: Sequence[Group] = ()
    """The groups that were folded into it."""
    count: int = 1
    """Number of repetitions of its first part (of a repeat: its first parts)."""
    names: Sequence[str] = ()
    """Names of the tensors of inputs and outputs; the name of a fragment."""
    members: Sequence[Group] = ()
    """All groups that were folded into it, where `parts` has only the first ones, in order."""
    prepares: bool = False
    """True if no product or reduction comes before it: an input, a mask made from one."""


class Forms:
    """Numbers for the forms of groups, so that comparing large groups costs nothing."""

    def __init__(self) -> None:
        self._numbers: dict[Hashable, int] = {}

    def number(self, *form: Hashable) -> int:
        """Return the number of `form`, the same for equal forms."""
        return self._numbers.setdefault(form, len(self._numbers))


@dataclass(slots=True, eq=False)
class Network:
    """Groups in a valid order, and the edges between them."""

    groups: list[Group]
    before: list[list[int]]
    after: list[list[int]]
    forms: Forms = field(default_factory=Forms)
    _main_before: list[list[int]] | None = None

    def __len__(self) -> int:
        return len(self.groups)

    def main_before(self) -> list[list[int]]:
        """Predecessors without those that feed many groups from the side.

        These are masks that every layer reads, and tensors of an encoder that all layers of a
        decoder read. A group that reads nothing else has no predecessor here.
        """
        if self._main_before is None:
            masks = self._masks()
            hubs = self._hubs(masks)
            self._main_before = self.before
            if masks or hubs:
                self._main_before = [
                    _without(hubs, _without(masks, sources) or sources) for sources in self.before
                ]
        return self._main_before

    def _masks(self) -> set[int]:
        """Nodes that prepare an input for several readers, each of which has other sources."""
        return {
            node
            for node, targets in enumerate(self.after)
            if len(targets) > 2
            and self.groups[node].prepares
            and all(len(self.before[target]) > 1 for target in targets)
        }

    def _hubs(self, masks: set[int]) -> set[int]:
        """Nodes with many readers far apart, none of which reads another such node."""
        after, before = self.after, self.before
        candidates = {node for node, targets in enumerate(after) if len(targets) >= HUB} - masks
        hubs = set()
        for node in candidates:
            # Readers side by side join again at once; readers in different layers do not.
            following = {after[target][0] for target in after[node] if after[target]}
            others = {source for target in after[node] for source in before[target]} - {node}
            if len(following) >= HUB // 2 and candidates.isdisjoint(others):
                hubs.add(node)
        return hubs


def _without(nodes: set[int], sources: list[int]) -> list[int]:
    return [source for source in sources if source not in nodes]


def build_network(
    operations: Sequence[PlainOperation], inputs: Sequence[str], outputs: Sequence[str]
) -> Network:
    """Return the network of all operations that act on data, without parameters.

    An operation that acts only on parameters belongs to its readers, and is left out too.
    """
    forms = Forms()
    groups: list[Group] = []
    before: list[list[int]] = []
    after: list[list[int]] = []
    maker: dict[str, int] = {}

    def add(group: Group, sources: list[int]) -> int:
        node = len(groups)
        groups.append(group)
        before.append(sources if len(sources) < 2 else [*dict.fromkeys(sources)])
        group.prepares = not (
            group.kind == "unit" and family(operations[group.operations[0]].name) in _LAYERS
        )
        after.append([])
        for source in before[node]:
            group.prepares = group.prepares and groups[source].prepares
            after[source].append(node)
        return node

    external = forms.number("input")
    produced = {name for operation in operations for name in operation.outputs}
    for name in inputs:
        if name not in produced:
            maker[name] = add(Group("input", [], external, external, names=(name,)), [])
    for number, operation in enumerate(operations):
        if operation.name in WEIGHTS:
            continue
        if operation.name == "external":
            group = Group("input", [number], external, external, names=tuple(operation.outputs))
            node = add(group, [])
        else:
            sources = [maker[name] for name in operation.inputs if name in maker]
            if not sources and operation.inputs:
                continue
            form = forms.number(operation.name, operation.attributes)
            kin = forms.number(operation.name, _size(operation.attributes))
            node = add(Group("unit", [number], form, kin), sources)
        for name in operation.outputs:
            maker[name] = node
    result = forms.number("output")
    for name in outputs:
        sources = [maker[name]] if name in maker else []
        add(Group("output", [], result, result, names=(name,)), sources)
    return Network(groups, before, after, forms)


@lru_cache(maxsize=1024)
def _size(attributes: str) -> str:
    """Return the words of an attribute line that distinguish kinds of blocks: size, depthwise."""
    words = attributes.split(" ")
    return " ".join(word for word in words if "×" in word or word == "depthwise")


def joined(whole: Network, merges: Sequence[tuple[Sequence[int], Group]]) -> Network:
    """Return the network in which each of `merges` (nodes, in order, and their group) is one node.

    No path may lead out of the nodes of a merge and back into them, and all nodes that follow one
    of them must come after all of them.
    """
    if not merges:
        return whole
    home = {node: number for number, (nodes, _) in enumerate(merges) for node in nodes}
    for nodes, group in merges:
        group.prepares = all(whole.groups[node].prepares for node in nodes)
    emitted_at = [min(nodes) if group.kind == "input" else max(nodes) for nodes, group in merges]
    new: list[int] = [-1] * len(whole)
    groups: list[Group] = []
    for node, group in enumerate(whole.groups):
        number = home.get(node, -1)
        if number < 0:
            new[node] = len(groups)
            groups.append(group)
        elif emitted_at[number] == node:
            nodes, merged = merges[number]
            for member in nodes:
                new[member] = len(groups)
            groups.append(merged)
    return _renumbered(whole, groups, new)


def _renumbered(whole: Network, groups: list[Group], new: Sequence[int]) -> Network:
    """Return the network of `groups`, with the edges of `whole` between the `new` nodes."""
    before: list[dict[int, None]] = [{} for _ in groups]
    after: list[dict[int, None]] = [{} for _ in groups]
    for node, sources in enumerate(whole.before):
        target = new[node]
        for old in sources:
            source = new[old]
            if source != target:
                before[target][source] = None
                after[source][target] = None
    return Network(groups, [list(b) for b in before], [list(a) for a in after], whole.forms)


def merged_operations(groups: Iterable[Group]) -> list[int]:
    """Return the operations of several groups, in the order of the graph."""
    numbers: list[int] = []
    for group in groups:
        numbers += group.operations
    numbers.sort()
    return numbers
