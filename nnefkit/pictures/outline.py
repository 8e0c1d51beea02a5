"""The outline of a graph: nested blocks, of which some are open."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from nnefkit.collector import paused_collector
from nnefkit.display.folding import BUDGET, Box, PlainOperation
from nnefkit.display.folding.connections import shapes_by_name
from nnefkit.display.folding.labels import DOT, make_box
from nnefkit.display.folding.network import Group, build_network
from nnefkit.display.folding.stages import fold_network
from nnefkit.display.folding.unfolding import is_single, unfolded

Detail = Literal["blocks", "operations"]


@dataclass(slots=True, eq=False)
class OutlineBlock:
    """A block of the outline: a group of operations, or a single one."""

    key: str
    """Its place in the outline: ``"4"``, and inside of that ``"4.0"``."""
    group: Group
    parent: OutlineBlock | None = None
    is_open: bool = False
    _children: Sequence[OutlineBlock] | None = field(default=None, repr=False)

    @property
    def single(self) -> bool:
        """Whether it is one operation, input or output."""
        return is_single(self.group)

    @property
    def kind(self) -> str:
        """``"input"``, ``"output"``, ``"operation"`` (a single one) or ``"block"``."""
        if self.group.kind in ("input", "output"):
            return self.group.kind
        return "operation" if self.single else "block"

    def ancestors(self) -> list[OutlineBlock]:
        """Return the blocks that contain it, the outermost one first."""
        found = []
        at = self.parent
        while at is not None:
            found.append(at)
            at = at.parent
        return found[::-1]


class Outline:
    """The blocks of a graph, and which of them are open.

    Args:
        operations: All operations of the graph, in a valid order.
        inputs: Names of its inputs.
        outputs: Names of its outputs.
        detail: ``"blocks"`` folds them as pictures do, ``"operations"`` leaves each one separate.
        budget: Maximum number of blocks at one level.
    """

    def __init__(
        self,
        operations: Sequence[PlainOperation],
        inputs: Sequence[str],
        outputs: Sequence[str],
        detail: Detail = "blocks",
        budget: int = BUDGET,
    ) -> None:
        self.operations = operations
        self.outputs = frozenset(outputs)
        self.budget = budget
        self.shape_of = shapes_by_name(operations)
        with paused_collector():
            network = build_network(operations, inputs, outputs)
            if detail == "blocks":
                network = fold_network(network, operations, budget)
        self.roots: Sequence[OutlineBlock] = [
            OutlineBlock(str(i), group) for i, group in enumerate(network.groups)
        ]
        self.readers: dict[str, list[int]] = {}
        """Numbers of the operations that read each tensor."""
        self.maker: dict[str, int] = {}
        """Number of the operation that computes each tensor."""
        for number, operation in enumerate(operations):
            for name in operation.outputs:
                self.maker[name] = number
            for name in dict.fromkeys(operation.inputs):
                self.readers.setdefault(name, []).append(number)
        self._roots_by_number = _by_number(self.roots)
        self._by_key: dict[str, OutlineBlock] = {block.key: block for block in self.roots}
        self.revision = 0
        """A number that changes when a block is opened or folded."""
        self._boxes: dict[str, Box] = {}
        self._inner_by_number: dict[str, dict[int, OutlineBlock]] = {}

    def __getitem__(self, key: str) -> OutlineBlock:
        return self._by_key[key]

    def get(self, key: str) -> OutlineBlock | None:
        """Return a block by its key; None if there is none."""
        return self._by_key.get(key)

    def children(self, block: OutlineBlock) -> Sequence[OutlineBlock]:
        """Return the blocks inside of a block; none of a single operation."""
        if block._children is None:
            groups = unfolded(block.group, self.operations, self.budget)
            block._children = [
                OutlineBlock(f"{block.key}.{i}", group, block) for i, group in enumerate(groups)
            ]
            self._by_key.update((child.key, child) for child in block._children)
            self._inner_by_number[block.key] = _by_number(block._children)
        return block._children

    # -- opening and folding --------------------------------------------------------------------

    def open(self, block: OutlineBlock) -> bool:
        """Open a block, and return whether there is something inside of it."""
        if not self.children(block):
            return False
        if not block.is_open:
            block.is_open = True
            self.revision += 1
        return True

    def fold(self, block: OutlineBlock) -> None:
        """Fold a block; what is open inside of it stays so for the next time."""
        if block.is_open:
            block.is_open = False
            self.revision += 1

    def reveal(self, number: int) -> OutlineBlock | None:
        """Open all blocks that contain an operation, and return its own; None if it is not drawn.

        An operation on weights alone is not drawn.
        """
        block = self._roots_by_number.get(number)
        while block is not None and self.open(block):
            block = self._inner_by_number[block.key].get(number)
        return block

    def visible(self, number: int) -> OutlineBlock | None:
        """Return the closed block that represents an operation at present; None if none does."""
        block = self._roots_by_number.get(number)
        while block is not None and block.is_open:
            block = self._inner_by_number[block.key].get(number)
        return block

    def drawn(self, number: int) -> int:
        """Return an operation, or the first drawn one that depends on it if it is not drawn."""
        seen = {number}
        waiting = [number]
        for at in waiting:
            if at in self._roots_by_number:
                return at
            for name in self.operations[at].outputs:
                for reader in self.readers.get(name, ()):
                    if reader not in seen:
                        seen.add(reader)
                        waiting.append(reader)
        return number

    def drawn_numbers(self) -> list[int]:
        """Return the numbers of the operations that are drawn, without inputs."""
        found = [
            n for block in self.roots if block.group.kind != "input" for n in block.group.operations
        ]
        return sorted(found)

    def closed(self) -> Iterator[OutlineBlock]:
        """Yield the blocks that are visible as one box, in the order of the graph."""
        waiting = list(reversed(self.roots))
        while waiting:
            block = waiting.pop()
            if block.is_open:
                waiting.extend(reversed(self.children(block)))
            else:
                yield block

    # -- words ------------------------------------------------------------------------------------

    def box(self, block: OutlineBlock) -> Box:
        """Return the content of the box of a block; one operation is named by its result."""
        if block.key not in self._boxes:
            self._boxes[block.key] = self._box(block)
        return self._boxes[block.key]

    def _box(self, block: OutlineBlock) -> Box:
        box = make_box(block.group, self.operations, self.shape_of)
        if box.kind != "operation" or block.group.kind != "unit":
            return box
        operation = self.operations[_main(box, self.operations)]
        if not operation.outputs:
            return box
        words = DOT.join((operation.name, *box.lines)) if box.lines else operation.name
        name = operation.outputs[0]
        return Box(
            "operation",
            name,
            [words],
            operation.name,
            box.operations,
            description=f"{name}: {words}",
        )

    def result(self, block: OutlineBlock) -> str:
        """Return the tensor that stands for a block: the last one that is read after it."""
        if block.group.names and block.kind in ("input", "output"):
            return block.group.names[0]
        inside = set(block.group.operations)
        for number in reversed(block.group.operations):
            for name in self.operations[number].outputs:
                readers = self.readers.get(name, ())
                if name in self.outputs or any(reader not in inside for reader in readers):
                    return name
        last = self.operations[block.group.operations[-1]].outputs
        return last[0] if last else ""

    def leaving(self, block: OutlineBlock) -> list[str]:
        """Return the tensors that are made in a block and read after it."""
        inside = set(block.group.operations)
        return [
            name
            for number in block.group.operations
            for name in self.operations[number].outputs
            if name in self.outputs
            or any(reader not in inside for reader in self.readers.get(name, ()))
        ]


def _by_number(blocks: Sequence[OutlineBlock]) -> dict[int, OutlineBlock]:
    return {number: block for block in blocks for number in block.group.operations}


def _main(box: Box, operations: Sequence[PlainOperation]) -> int:
    """Return the number of the operation that a box is named after."""
    if len(box.operations) > 1:
        for number in box.operations:
            if operations[number].name == box.operation:
                return number
    return box.operations[0]
