"""Costs by group of operations, such as the calls of fragments or the prefixes of labels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

from nnefkit.analysis.costs.labels import label_parts
from nnefkit.analysis.costs.operation_cost import CostSum, OperationCost, total
from nnefkit.display.cards.cost import BlockRow, BlockSummary, blocks_card
from nnefkit.display.displayed import Displayed
from nnefkit.display.elements import Card
from nnefkit.display.numbers import LARGEST
from nnefkit.display.vocabulary import family
from nnefkit.errors import InputError, UnknownNameError, did_you_mean

if TYPE_CHECKING:
    import pandas as pd

By = Literal["fragment", "label", "family", "operation"]
_KEYS: dict[str, Callable[[OperationCost, int], str]] = {
    "fragment": lambda row, depth: "/".join(row.scope[:depth]),
    "label": lambda row, depth: "/".join(label_parts(row.label)[:depth]),
    "family": lambda row, _depth: family(row.operation).name,
    "operation": lambda row, _depth: row.operation,
}
_ELSEWHERE = {"fragment": "(outside of fragments)", "label": "(before the first label)"}
_SUMS = (
    *("operations", "macs", "flops", "parameters", "bytes_read", "bytes_written"),
    *("intensity", "unknown"),
)


class CostBlocks(Mapping[str, CostSum], Displayed):
    """The sums over groups of the operations of a run, by name, in the order of the graph.

    Each has ``operations`` (their number), ``macs``, ``flops``, ``parameters``, ``bytes_read``,
    ``bytes_written``, ``intensity``, and ``unknown``: the number of operations whose FLOPs are
    unknown and left out.
    """

    def __init__(self, graph: str, rows: Iterable[OperationCost], by: By, depth: int = 1) -> None:
        if by not in [*_KEYS]:
            known = ", ".join(map(repr, _KEYS))
            hint = did_you_mean(str(by), _KEYS)
            raise InputError(f"'by' must be one of {known}, not {by!r}", hint=hint)
        if type(depth) is not int or depth < 1:
            raise InputError(f"'depth' must be a positive integer, not {depth!r}")
        groups: dict[str, list[OperationCost]] = {}
        for row in rows:
            if not row.once:
                key = _KEYS[by](row, depth) or _ELSEWHERE.get(by, "")
                groups.setdefault(key, []).append(row)
        self.graph = graph
        """Name of the graph."""
        self.kind = by
        self._sums = {name: total(group) for name, group in groups.items()}

    def __getitem__(self, name: str) -> CostSum:
        if name not in self._sums:
            raise UnknownNameError(
                f"there is no block '{name}'", hint=did_you_mean(name, self._sums)
            )
        return self._sums[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._sums)

    def __len__(self) -> int:
        return len(self._sums)

    def to_frame(self) -> pd.DataFrame:
        """Return a table with one row for each group."""
        import pandas as pd

        frame = pd.DataFrame({name: column(self.values(), name) for name in _SUMS})
        frame.insert(0, self.kind, [*self])
        return frame

    def rows(self) -> tuple[BlockRow, ...]:
        """Return the rows of the displays."""
        return tuple(
            BlockRow(
                *(name, s.operations, s.macs, s.flops, s.parameters),
                *(s.bytes_read + s.bytes_written, s.intensity, s.unknown),
            )
            for name, s in self.items()
        )

    def _card(self, *, brief: bool) -> Card:  # noqa: ARG002 - text and HTML have the same rows
        return blocks_card(BlockSummary(self.graph, self.kind, self.rows()))


def column(rows: Iterable[Any], name: str) -> Any:
    """Return a column of a table; integers that no column of 64 bits holds become floats."""
    import pandas as pd

    values = [getattr(row, name) for row in rows]
    numeric = [value for value in values if value is not None]
    if name == "intensity":
        return pd.array(values, dtype="Float64")
    if not all(type(value) is int for value in numeric):
        return values
    if all(-(2**63) <= value < 2**63 for value in numeric):
        return pd.array(values, dtype="Int64")
    floats = [None if v is None else float(v) if v < LARGEST else float("inf") for v in values]
    return pd.array(floats, dtype="Float64")
