"""The memory that a run needs at each operation, and where it is largest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from nnefkit.execution.preparation.updated_variables import updates
from nnefkit.graph import Graph, Operation
from nnefkit.operations.registry import VIEWS


class Peak(NamedTuple):
    """The operation of a run at which most memory is in use."""

    bytes: int
    """Size of the tensors that are live, without weights."""
    tensor: str
    """Name of the first result of the operation."""
    operation: str
    number: int
    """Index of the operation in the graph, from 0."""
    live: Mapping[str, int]
    """Name of each tensor that is live -> its bytes, the largest first."""


class LiveMemory:
    """The tensors that are live at each operation of a run, in the order of the graph.

    Inputs are live from the start to their last use, other tensors from the operation that computes
    them to the last one that reads them, and outputs and new values of variables to the end. An
    operation needs its arguments and its results at the same time. Results that are the elements of
    an argument in the same order (`reshape`, `squeeze`, `unsqueeze`, `copy`) share its memory.

    Args:
        graph: The graph, with calls of fragments expanded.
        operations: The operations that run, in order.
        fixed: The tensors that are not computed in a run: weights, and what depends on them alone.
        sizes: Name of each tensor -> its bytes.
    """

    def __init__(
        self,
        graph: Graph,
        operations: Sequence[Operation],
        fixed: frozenset[str],
        sizes: Mapping[str, int],
    ) -> None:
        self._operations = operations
        self._sizes = sizes
        changed = updates(graph)
        resident = fixed.union(changed)
        self._root: dict[str, str] = {}
        self._first = {name: -1 for name in graph.inputs if name not in resident}
        self._last = dict.fromkeys(self._first, -1)
        for place, op in enumerate(operations):
            reads = [self._rooted(name) for name in op.input_names if name not in resident]
            self._last.update(dict.fromkeys(reads, place))
            shared = self._shared(op, reads)
            for name in op.output_names:
                if shared is not None:
                    self._root[name] = shared
                else:
                    self._first[name] = self._last[name] = place
        for name in (*graph.outputs, *changed.values()):
            if self._rooted(name) in self._last:
                self._last[self._rooted(name)] = len(operations)
        self.bytes = self._in_use()
        """Size of the tensors that are live at each operation."""

    def _rooted(self, name: str) -> str:
        return self._root.get(name, name)

    def _shared(self, op: Operation, reads: Sequence[str]) -> str | None:
        """Return the tensor whose memory the results of an operation share, if any."""
        if op.name == "update" and reads:
            # The result is the new value, which is stored in the variable at the end of the run.
            return reads[-1]
        return reads[0] if op.name in VIEWS and reads else None

    def _in_use(self) -> list[int]:
        count = len(self._operations)
        change = [0] * (count + 2)
        for name, first in self._first.items():
            change[max(first, 0)] += self._sizes[name]
            change[self._last[name] + 1 if self._last[name] >= 0 else 1] -= self._sizes[name]
        in_use, now = [], 0
        for place in range(count):
            now += change[place]
            in_use.append(now)
        return in_use

    def peak(self, numbers: Sequence[int]) -> Peak | None:
        """Return where most memory is in use; None if nothing runs.

        Args:
            numbers: The index in the graph of each operation.
        """
        if not self.bytes:
            return None
        place = max(range(len(self.bytes)), key=self.bytes.__getitem__)
        op = self._operations[place]
        live = {
            name: self._sizes[name]
            for name, first in self._first.items()
            if first <= place <= max(self._last[name], 0)
        }
        names = op.output_names
        return Peak(
            self.bytes[place],
            names[0] if names else "",
            op.name,
            numbers[place],
            dict(sorted(live.items(), key=lambda item: -item[1])),
        )
