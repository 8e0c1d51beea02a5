"""Blocks: parts of a graph between a fork and a merge, with one entry and one exit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from nnefkit.display.folding.chains import ENDS
from nnefkit.display.folding.network import Group, Network, joined, merged_operations

EFFORT = 5
"""Limit of the search: steps back from merges, per node of the network."""
MIN_EFFORT = 10_000
"""Additional steps, for small networks."""


@dataclass(slots=True, eq=False)
class Block:
    """A closed part: all nodes after its fork, up to its merge."""

    members: list[int]
    """Nodes of the network, and inner blocks (numbered from its size on), in order."""
    nodes: int
    """Number of nodes of the network in it, including those of inner blocks."""
    form: int
    kin: int
    inner: bool = False
    """True if it is a member of another block."""


def fold_blocks(network: Network, *, limit: int, only_repeated: bool) -> Network:
    """Fold the outermost blocks of up to `limit` nodes.

    With `only_repeated`, a block whose kin occurs only once stays open.
    """
    blocks = _Search(network, limit).blocks
    known = Counter(block.kin for block in blocks)
    known.update(group.kin for group in network.groups if group.kind == "block")
    merges = []
    open_ = [block for block in blocks if not block.inner]
    while open_:
        block = open_.pop()
        if only_repeated and known[block.kin] < 2:
            inner = [member for member in block.members if member >= len(network)]
            open_.extend(blocks[member - len(network)] for member in inner)
            continue
        merges.append((_flat(block, blocks, len(network)), _folded(block, blocks, network)))
    return joined(network, merges)


def _flat(block: Block, blocks: Sequence[Block], size: int) -> list[int]:
    """Return the nodes of the network in a block."""
    nodes: list[int] = []
    waiting = [block]
    while waiting:
        for member in waiting.pop().members:
            if member < size:
                nodes.append(member)
            else:
                waiting.append(blocks[member - size])
    return sorted(nodes)


def _folded(block: Block, blocks: Sequence[Block], network: Network) -> Group:
    parts = [network.groups[node] for node in _flat(block, blocks, len(network))]
    return Group("block", merged_operations(parts), block.form, block.kin, parts)


class _Search:
    """Finds the blocks of a network, inner ones before outer ones, in one pass.

    The pass maintains the dominator of each node: the last node on all paths to it. The dominator
    of a merge is the fork where its block begins; walking back shows whether the block is closed.
    After that, the block counts as one node.
    """

    def __init__(self, network: Network, limit: int) -> None:
        self.network = network
        self.limit = limit
        self.size = len(network)
        self.blocks: list[Block] = []
        self.before = [list(sources) for sources in network.main_before()]
        self.after: list[list[int]] = [list(targets) for targets in network.after]
        self.top = list(range(self.size))
        self.steps_left = MIN_EFFORT + EFFORT * self.size
        # The root of the dominator tree is -1.
        self.parent = [-1] * self.size
        self.jump = [-1] * self.size
        self.depth = [0] * self.size
        # Nodes without main sources belong to the nodes that read them.
        self.floating = [False] * self.size
        for node in range(self.size):
            self._visit(node)

    def _visit(self, node: int) -> None:
        before = self.before[node]
        if len(before) < 2:
            self._hang(node, self._find(before[0]) if before else -1)
            fed = self.network.before[node]
            self.floating[node] = self.floating[before[0]] if before else bool(fed)
            return
        sources = list(dict.fromkeys([self._find(source) for source in before]))
        main = [source for source in sources if not self.floating[source]]
        self.floating[node] = not main
        fork = main[0] if main else -1
        for source in main[1:]:
            fork = self._common(fork, source)
        self._hang(node, fork)
        if len(sources) > 1 and fork >= 0 and self.network.groups[node].kind not in ENDS:
            members = self._members(node, fork)
            if members:
                self._close(node, fork, members)

    def _find(self, node: int) -> int:
        top = self.top
        while top[node] != node:
            top[node] = top[top[node]]
            node = top[node]
        return node

    def _hang(self, node: int, parent: int) -> None:
        """Add a node below its dominator, with a pointer that skips many levels."""
        self.parent[node] = parent
        if parent < 0:
            self.depth[node], self.jump[node] = 1, -1
            return
        self.depth[node] = self.depth[parent] + 1
        across = self.jump[parent]
        far = self.jump[across] if across >= 0 else -1
        depth = self.depth
        height = depth[across] if across >= 0 else 0
        even = depth[parent] - height == height - (depth[far] if far >= 0 else 0)
        self.jump[node] = far if even else parent

    def _level(self, node: int) -> int:
        return self.depth[node] if node >= 0 else 0

    def _common(self, a: int, b: int) -> int:
        """Return the last common dominator of two nodes."""
        parent, jump, level = self.parent, self.jump, self._level
        if level(a) < level(b):
            a, b = b, a
        while level(a) > level(b):
            a = jump[a] if level(jump[a]) >= level(b) else parent[a]
        while a != b:
            if jump[a] != jump[b]:
                a, b = jump[a], jump[b]
            else:
                a, b = parent[a], parent[b]
        return a

    def _members(self, merge: int, fork: int) -> list[int]:
        """Return the nodes after `fork` up to `merge`; none if they are not closed."""
        inside = {merge}
        waiting = [merge]
        nodes = 1
        while waiting:
            self.steps_left -= 1
            if self.steps_left < 0:
                return []
            for other in self.before[waiting.pop()]:
                source = self._find(other)
                if source == fork or source in inside:
                    continue
                nodes += self._nodes(source)
                starts = not self.before[source] and not self.floating[source]
                if starts or nodes > self.limit:
                    return []
                inside.add(source)
                waiting.append(source)
        for member in inside:
            if member != merge:
                for target in self.after[member]:
                    if target not in inside and self._find(target) not in inside:
                        return []
        members = sorted(inside, key=self._last)
        return members if self._fed_from_before(members) else []

    def _nodes(self, member: int) -> int:
        return self.blocks[member - self.size].nodes if member >= self.size else 1

    def _last(self, member: int) -> int:
        while member >= self.size:
            member = self.blocks[member - self.size].members[-1]
        return member

    def _fed_from_before(self, members: Sequence[int]) -> bool:
        """Return whether all inputs from the side exist before the block begins."""
        nodes = set(members)
        if max(members) >= self.size:
            nodes = set(_flat(Block(list(members), 0, 0, 0), self.blocks, self.size))
        first = min(nodes)
        before, main = self.network.before, self.before
        for node in nodes:
            for source in before[node]:
                if source >= first and source not in nodes and source not in main[node]:
                    return False
        return True

    def _close(self, merge: int, fork: int, members: list[int]) -> None:
        number = self.size + len(self.blocks)
        place = {member: i for i, member in enumerate(members)}
        wiring = tuple(
            tuple([place.get(self._find(source), -1) for source in self.before[member]])
            for member in members
        )
        forms = [self._form(member) for member in members]
        form = self.network.forms.number("block", wiring, *[form for form, _ in forms])
        kin = self.network.forms.number("block", wiring, *[kin for _, kin in forms])
        nodes = sum(self._nodes(member) for member in members)
        for member in members:
            self.top[member] = number
            if member >= self.size:
                self.blocks[member - self.size].inner = True
        self.blocks.append(Block(members, nodes, form, kin))
        self.before.append([fork])
        self.after.append(self.after[merge])
        self.top.append(number)
        self.floating.append(False)
        for column in (self.parent, self.jump, self.depth):
            column.append(0)
        self._hang(number, fork)

    def _form(self, member: int) -> tuple[int, int]:
        if member >= self.size:
            block = self.blocks[member - self.size]
            return block.form, block.kin
        group = self.network.groups[member]
        return group.form, group.kin
