"""The card of a profile: the time of a run, a chart along the depth, the longest operations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from nnefkit.display import numbers
from nnefkit.display.cards import operation_cells
from nnefkit.display.colors import AMBER, BLUE
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

COLUMNS = (
    *operation_cells.COLUMNS,
    operation_cells.LINE,
    Column("median", "right"),
    Column("quartiles", "right"),
    Column("of all", "right"),
    Column("FLOPs", "right"),
    Column("GFLOP/s", "right"),
    Column("GB/s", "right"),
)
_FIRST = 12


class ProfileRow(NamedTuple):
    """One step of a run."""

    number: int
    """Index of its first operation in the graph, from 0."""
    operation: str
    tensor: str
    fused: int
    """Number of operations that the time belongs to."""
    line: int | None
    seconds: float
    low: float
    """Lower quartile, in seconds."""
    high: float
    share: float
    flops: int | None
    gflops: float | None
    gbytes: float | None


@dataclass(frozen=True)
class ProfileSummary:
    """The time of the operations of a run."""

    title: str
    facts: tuple[str, ...]
    headline: str
    sentence: str
    """Words in `backticks` are code."""
    rows: tuple[ProfileRow, ...] = field(default=(), repr=False)
    """All steps, in the order of the graph."""


def profile_card(summary: ProfileSummary, *, brief: bool = False) -> Card:
    """Return the card of a profile."""
    blocks: list[Block] = [answer(summary.headline, summary.sentence)]
    if not brief and len(summary.rows) > 1:
        blocks.append(Figure(_chart(summary.rows)))
    longest = sorted(summary.rows, key=lambda row: -row.seconds)
    chosen = selection(longest, 5 if brief else _FIRST, 0)
    cells = tuple(None if row is None else tuple(_cells(row)) for row in chosen)
    note = left_out(chosen, len(longest), "steps", "profile.to_frame()")
    if longest:
        blocks.append(Table(COLUMNS, cells, note))
    return Card(summary.title, BLUE, summary.facts, tuple(blocks))


def _chart(rows: Sequence[ProfileRow]) -> Image:
    names = [row.tensor for row in rows]
    flops = [float(min(row.flops or 0, numbers.LARGEST)) for row in rows]
    seconds = [row.seconds for row in rows]
    return depth_chart(
        [
            Panel("time, median", seconds, names, AMBER, numbers.duration),
            Panel("FLOPs", flops, names, BLUE, numbers.quantity),
        ]
    )


def _cells(row: ProfileRow) -> Iterator[Cell]:
    others = f" + {row.fused - 1:,}" if row.fused > 1 else ""
    yield from operation_cells.operation_cells(row.number, row.operation, row.tensor, others)
    yield operation_cells.line_cell(row.line)
    yield Cell(numbers.duration(row.seconds))
    yield Cell(f"{numbers.duration(row.low)} – {numbers.duration(row.high)}", "muted")
    yield Cell(numbers.percent(row.share))
    yield Cell("unknown" if row.flops is None else numbers.quantity(row.flops))
    yield Cell(numbers.number(row.gflops))
    yield Cell(numbers.number(row.gbytes))
