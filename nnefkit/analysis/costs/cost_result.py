"""The result of `cost`: sums, blocks, peak memory, and its displays."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from nnefkit.analysis.costs.cost_blocks import By, CostBlocks, column
from nnefkit.analysis.costs.live_memory import Peak
from nnefkit.analysis.costs.operation_cost import CostSum, OperationCost, total
from nnefkit.display.cards.cost import BlockSummary, CostRow, CostSummary, cost_card
from nnefkit.display.displayed import Displayed
from nnefkit.display.elements import Card, code
from nnefkit.display.numbers import number, plural, quantity, size
from nnefkit.display.summary_text import Summary, in_words
from nnefkit.errors import UnknownNameError, did_you_mean
from nnefkit.graph import Graph

if TYPE_CHECKING:
    import pandas as pd

_DEEPEST = 8
_MOST_BLOCKS = 24
"""Labels that make more groups do not say what belongs together."""
_COLUMNS = (
    *("tensor", "operation", "number", "line", "macs", "flops", "parameters"),
    *("bytes_read", "bytes_written", "intensity", "live_bytes", "once", "scope", "label", "note"),
)


@dataclass(frozen=True, repr=False)
class Cost(Displayed):
    """What a run of a graph costs, from its shapes alone: `nnefkit.cost`.

    Sums are of one run, without the operations on weights alone, which `once` has, and without
    operations whose cost is unknown, which `unknown` names.

    Attributes:
        operations: The `OperationCost` of each operation but externals, variables and constants, in
            the order of the graph.
        graph: The graph.
        dtype: What scalars are counted as, such as ``"float32"``.
        weight_bytes: Size of the weights that a run reads.
        peak: Where most memory is in use, without weights: its ``bytes``, ``tensor``, ``operation``
            and ``live`` tensors; None if no operation runs.
        parameters: Number of elements of all variables; those of one label count once (4.1.3).

    Example:
        >>> graph = nk.parse("version 1.0; graph g( x ) -> ( y ) {"
        ...     "x = external(shape = [1, 3, 8, 8]);"
        ...     "w = variable(shape = [4, 3, 3, 3], label = 'w');"
        ...     "c = conv(x, w); y = relu(c); }")
        >>> costs = nk.cost(graph)
        >>> costs.macs, costs.flops, costs.parameters
        (6912, 14080, 108)
        >>> costs.peak.tensor, costs.peak.bytes
        ('y', 2048)
        >>> costs["c"].bytes_read
        1200
    """

    operations: tuple[OperationCost, ...] = field(repr=False)
    graph: Graph = field(repr=False)
    dtype: str
    weight_bytes: int
    peak: Peak | None
    parameters: int

    @cached_property
    def run(self) -> CostSum:
        """The sum over the operations of a run."""
        return total(row for row in self.operations if not row.once)

    @cached_property
    def once(self) -> CostSum:
        """The sum over the operations on weights alone, whose results stay the same."""
        return total(row for row in self.operations if row.once)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of convolutions and matrix products."""
        return self.run.macs

    @property
    def flops(self) -> int:
        """Arithmetic operations, two for each multiply-accumulate."""
        return self.run.flops

    @property
    def bytes_read(self) -> int:
        """Size of what all operations read, weights included, each on its own."""
        return self.run.bytes_read

    @property
    def bytes_written(self) -> int:
        """Size of the results of all operations."""
        return self.run.bytes_written

    @property
    def intensity(self) -> float | None:
        """FLOPs for each byte read or written; None where FLOPs of an operation are unknown."""
        return self.run.intensity

    @property
    def unknown(self) -> tuple[str, ...]:
        """Results of operations whose MACs and FLOPs are unknown: custom ones without a count."""
        return tuple(row.tensor for row in self.operations if row.flops is None)

    def __getitem__(self, tensor: str) -> OperationCost:
        for row in self.operations:
            if row.tensor == tensor:
                return row
        raise UnknownNameError(
            f"no operation of graph '{self.graph.name}' computes '{tensor}' first",
            hint=did_you_mean(tensor, [row.tensor for row in self.operations]),
        )

    def by(self, what: By, depth: int = 1) -> CostBlocks:
        """Return the sums over groups of operations of a run, by name.

        Args:
            what: ``"fragment"``: the fragment calls that operations were expanded from;
                ``"label"``: the prefix of the labels of their weights, such as ``layer1`` of
                ``layer1.0.conv1.weight``, to which operations after them belong, too;
                ``"family"``, such as ``"elementwise"``; ``"operation"``, such as ``"conv"``.
            depth: Number of nested fragment calls, or of parts of a label, that tell groups apart.

        Returns:
            A mapping, which has a ``to_frame()`` and is displayed as a table.

        Raises:
            InputError: There is no such way of grouping, or the depth is not positive.
        """
        return CostBlocks(self.graph.name, self.operations, what, depth)

    def to_frame(self) -> pd.DataFrame:
        """Return a table with one row for each operation, in the order of the graph.

        ``intensity`` is in FLOPs for each byte. Unknown numbers are missing.
        """
        import pandas as pd

        frame = pd.DataFrame({name: column(self.operations, name) for name in _COLUMNS})
        frame["scope"] = ["/".join(row.scope) for row in self.operations]
        return frame

    # -- display ----------------------------------------------------------------------------------

    @property
    def summary(self) -> Summary:
        """The result in words."""
        return in_words(*self._answer)

    @property
    def _answer(self) -> tuple[str, str]:
        run = self.run
        bound = "at most " * any(row.note == "at most" for row in self.operations)
        headline = f"{quantity(run.macs)} MACs, {bound}{quantity(run.flops)} FLOPs"
        headline += f", {quantity(self.parameters)} parameters."
        return headline, " ".join(self._sentences())

    def _sentences(self) -> Iterable[str]:
        if self.peak is not None:
            yield (
                f"Memory peaks at {code(self.peak.tensor)} ({self.peak.operation}) with "
                f"{size(self.peak.bytes)} of tensors, in addition to {size(self.weight_bytes)} of "
                "weights."
            )
        if self.intensity is not None:
            moved = size(self.bytes_read + self.bytes_written)
            yield f"Operations move {moved}: {number(self.intensity)} FLOPs for each byte."
        if self.once.operations:
            count = self.once.operations
            verb = "depends" if count == 1 else "depend"
            flops = f": {quantity(self.once.flops)} FLOPs that are not counted here"
            yield (
                f"{plural(count, 'operation')} {verb} on weights alone and can be computed once"
                f"{flops if self.once.flops else ''}."
            )
        if self.unknown:
            names = ", ".join(map(code, self.unknown[:3]))
            names += f" and {len(self.unknown) - 3} more" if len(self.unknown) > 3 else ""
            yield f"Left out, as their MACs and FLOPs are unknown: {names}."

    def _blocks(self) -> CostBlocks:
        """Return the groups that show most."""
        ways: tuple[By, By] = ("fragment", "label")
        for way in ways:
            if way == "fragment" and not any(row.scope for row in self.operations):
                continue
            for depth in range(1, _DEEPEST):
                groups = self.by(way, depth)
                if 1 < len(groups) <= _MOST_BLOCKS:
                    return groups
        return self.by("family")

    def _card(self, *, brief: bool) -> Card:
        headline, sentence = self._answer
        groups = self._blocks()
        summary = CostSummary(
            title=f"{self.graph.name}: cost of a run",
            facts=(
                plural(self.run.operations, "operation"),
                f"scalars as {self.dtype}",
                "from shapes alone",
            ),
            headline=headline,
            sentence=sentence,
            blocks=BlockSummary(self.graph.name, groups.kind, groups.rows()),
            rows=tuple(
                CostRow(
                    *(row.number, row.operation, row.tensor, row.line, row.macs, row.flops),
                    *(row.parameters, row.bytes_read + row.bytes_written, row.intensity),
                    *(row.live_bytes, row.note),
                )
                for row in self.operations
                if not row.once
            ),
        )
        return cost_card(summary, brief=brief)
