"""The card of a sensitivity: the answer in words, a chart along the depth, the worst."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from nnefkit.display import numbers
from nnefkit.display.cards import operation_cells
from nnefkit.display.colors import BLUE
from nnefkit.display.elements import (
    Block,
    Card,
    Cell,
    Column,
    Figure,
    Table,
    answer,
    left_out,
    selection,
)
from nnefkit.display.level_chart import LevelBar, level_chart

COLUMNS = (
    *operation_cells.COLUMNS,
    operation_cells.LINE,
    Column("own dB", "right"),
    Column("outputs dB", "right"),
    Column("amplified by dB", "right"),
)
_FIRST = 12
_CAPTION = "operations in the order of the graph · error in dB below the signal: red is of the "
_CAPTION += "outputs, gray of the perturbed result"


class SensitivityRow(NamedTuple):
    """One perturbed operation."""

    number: int
    """Index of the operation in the graph, from 0."""
    operation: str
    tensor: str
    line: int | None
    own: float
    """Signal-to-noise ratio of its result, in dB."""
    outputs: float
    """Signal-to-noise ratio of the outputs, in dB."""
    amplified: float


@dataclass(frozen=True)
class SensitivitySummary:
    """The operations by how much a perturbation of each moves the outputs."""

    title: str
    facts: tuple[str, ...]
    headline: str
    """The answer in a few words. Words in `backticks` are code."""
    sentence: str
    rows: tuple[SensitivityRow, ...] = field(default=(), repr=False)
    """All operations, the most sensitive first."""


def sensitivity_card(summary: SensitivitySummary, *, brief: bool = False) -> Card:
    """Return the card of a sensitivity."""
    blocks: list[Block] = [answer(summary.headline, summary.sentence)]
    if not brief and summary.rows:
        depth = sorted(summary.rows, key=lambda row: row.number)
        bars = [LevelBar(row.tensor, row.outputs, row.own) for row in depth]
        blocks.append(Figure(level_chart(bars, _CAPTION)))
    chosen = selection(summary.rows, 5 if brief else _FIRST, 0)
    cells = tuple(None if row is None else tuple(_cells(row)) for row in chosen)
    note = left_out(chosen, len(summary.rows), "operations", "sensitivity.to_frame()")
    blocks.append(Table(COLUMNS, cells, note))
    return Card(summary.title, BLUE, summary.facts, tuple(blocks))


def _cells(row: SensitivityRow) -> Iterator[Cell]:
    yield from operation_cells.operation_cells(row.number, row.operation, row.tensor)
    yield operation_cells.line_cell(row.line)
    yield Cell(numbers.number(row.own))
    yield Cell(numbers.number(row.outputs))
    yield Cell(numbers.number(row.amplified))
