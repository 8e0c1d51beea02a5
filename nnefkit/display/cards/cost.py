"""The card of costs: sums in words, a chart along the depth, blocks, the largest operations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from nnefkit.display import numbers
from nnefkit.display.cards import operation_cells
from nnefkit.display.colors import BLUE, VIOLET
from nnefkit.display.depth_chart import Panel, depth_chart
from nnefkit.display.elements import (
    Block,
    Card,
    Cell,
    Column,
    Figure,
    Image,
    Table,
    answer,
    left_out,
    selection,
)

_COSTS = (
    Column("MACs", "right"),
    Column("FLOPs", "right"),
    Column("of all", "right"),
    Column("parameters", "right"),
    Column("moved", "right"),
    Column("FLOPs/byte", "right"),
)
COLUMNS = (
    *operation_cells.COLUMNS,
    operation_cells.LINE,
    *_COSTS,
    Column("live", "right"),
)
_FIRST = 12
_BLOCKS = 10


class CostRow(NamedTuple):
    """One operation of a run."""

    number: int
    """Index of the operation in the graph, from 0."""
    operation: str
    tensor: str
    line: int | None
    macs: int | None
    flops: int | None
    parameters: int
    moved: int
    """Bytes read and written."""
    intensity: float | None
    """FLOPs for each byte."""
    live: int | None
    """Bytes in memory while it runs."""
    note: str
    """"unknown", "at most" or empty."""


class BlockRow(NamedTuple):
    """A group of operations of a run."""

    name: str
    operations: int
    macs: int
    flops: int
    parameters: int
    moved: int
    intensity: float | None
    unknown: int = 0
    """Number of operations that are left out of MACs and FLOPs."""


@dataclass(frozen=True)
class BlockSummary:
    """Groups of the operations of a run."""

    graph: str
    by: str
    """What tells them apart: "fragment", "label", "family" or "operation"."""
    rows: tuple[BlockRow, ...] = field(default=(), repr=False)

    @property
    def flops(self) -> int:
        """The sum over all groups."""
        return sum(row.flops for row in self.rows)


@dataclass(frozen=True)
class CostSummary:
    """What a run costs."""

    title: str
    facts: tuple[str, ...]
    headline: str
    sentence: str
    """Words in `backticks` are code."""
    blocks: BlockSummary
    rows: tuple[CostRow, ...] = field(default=(), repr=False)
    """All operations, in the order of the graph."""


def cost_card(summary: CostSummary, *, brief: bool = False) -> Card:
    """Return the card of costs."""
    blocks: list[Block] = [answer(summary.headline, summary.sentence)]
    whole = sum(row.flops or 0 for row in summary.rows)
    if not brief and summary.rows:
        blocks.append(Figure(_chart(summary.rows)))
    if len(summary.blocks.rows) > 1:
        blocks.append(_block_table(summary.blocks, 5 if brief else _BLOCKS))
    largest = sorted(summary.rows, key=lambda row: -(row.flops or 0))
    few = 5 if brief else _FIRST
    unknown = [i for i, row in enumerate(largest) if row.flops is None][:3]
    chosen = selection(largest, few, 0, keep=unknown)
    cells = tuple(None if row is None else tuple(_cells(row, whole)) for row in chosen)
    note = left_out(chosen, len(largest), "operations", "cost.to_frame()")
    if largest:
        blocks.append(Table(COLUMNS, cells, note))
    return Card(summary.title, BLUE, summary.facts, tuple(blocks))


def _chart(rows: Sequence[CostRow]) -> Image:
    names = [row.tensor for row in rows]
    limit = numbers.LARGEST
    flops = [float(min(row.flops or 0, limit)) for row in rows]
    live = [float(min(row.live or 0, limit)) for row in rows]
    return depth_chart(
        [
            Panel("FLOPs", flops, names, BLUE, lambda v: f"{numbers.quantity(v)}"),
            Panel(
                *("memory in use, without weights", live, names, VIOLET),
                lambda v: numbers.size(int(v)),
                added=False,
            ),
        ]
    )


def blocks_card(summary: BlockSummary) -> Card:
    """Return the card of the costs of blocks."""
    table = _block_table(summary, 40, all_rows=f'cost.by("{summary.by}").to_frame()')
    facts = (numbers.plural(len(summary.rows), "block"),)
    return Card(f"{summary.graph}: cost by {summary.by}", BLUE, facts, (table,))


def _block_table(summary: BlockSummary, few: int, all_rows: str = "") -> Table:
    columns = (Column(summary.by, least=16), Column("operations", "right"), *_COSTS)
    rows, whole = summary.rows, summary.flops
    chosen = selection(rows, few, 1)
    cells = tuple(
        None
        if row is None
        else (
            Cell(row.name, code=summary.by != "family", limit=40),
            Cell(numbers.count(row.operations)),
            *_costs(
                *(row.macs, row.flops, row.parameters, row.moved, row.intensity, whole),
                bound="≥ " if row.unknown else "",
            ),
        )
        for row in chosen
    )
    code = all_rows or f'cost.by("{summary.by}")'
    return Table(columns, cells, left_out(chosen, len(rows), "blocks", code))


def _cells(row: CostRow, whole: int) -> Iterator[Cell]:
    yield from operation_cells.operation_cells(row.number, row.operation, row.tensor)
    yield operation_cells.line_cell(row.line)
    bound = "≤ " if row.note == "at most" else ""
    yield from _costs(
        *(row.macs, row.flops, row.parameters, row.moved, row.intensity, whole), bound=bound
    )
    yield Cell(numbers.size(row.live))


def _costs(
    macs: int | None,
    flops: int | None,
    parameters: int,
    moved: int,
    intensity: float | None,
    whole: int,
    *,
    bound: str = "",
) -> Iterator[Cell]:
    if flops is None:
        yield Cell("unknown", "warning")
        yield Cell("unknown", "warning")
        yield Cell("")
    else:
        yield Cell(numbers.quantity(macs) if macs else "")
        yield Cell(bound + numbers.quantity(flops))
        yield Cell(numbers.percent(flops / whole) if whole else "")
    yield Cell(numbers.quantity(parameters) if parameters else "")
    yield Cell(numbers.size(moved))
    yield Cell(numbers.number(intensity))
