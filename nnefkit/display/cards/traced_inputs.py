"""The card of the statistics of many inputs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from nnefkit.display import numbers
from nnefkit.display.colors import RED, VIOLET
from nnefkit.display.elements import (
    LONGEST_NAME,
    Card,
    Cell,
    Column,
    Paragraph,
    Table,
    code_in,
    left_out,
    selection,
)
from nnefkit.display.visible_text import visible
from nnefkit.display.vocabulary import family

_COLUMNS = (
    Column("operation", least=12),
    Column("tensor", least=16),
    Column("min", "right", 9),
    Column("max", "right", 9),
    Column("mean", "right", 9),
    Column("σ", "right", 9),
    Column("NaN, Inf", "right"),
    Column("largest in input", "right"),
)


class RangeRow(NamedTuple):
    """One tensor."""

    operation: str
    tensor: str
    minimum: float
    maximum: float
    mean: float
    deviation: float
    non_finite: int
    worst_input: int | None


@dataclass(frozen=True)
class TracedInputsSummary:
    """The content of the display."""

    graph: str
    engine: str
    inputs: int
    sentence: str
    """The result in words; names are in `backticks`."""
    finite: bool
    rows: tuple[RangeRow, ...] = field(repr=False)


def traced_inputs_card(summary: TracedInputsSummary, *, brief: bool = False) -> Card:
    """Return the card."""
    most = (8, 4) if brief else (24, 8)
    keep = [i for i, row in enumerate(summary.rows) if row.non_finite][: most[0]]
    chosen = selection(summary.rows, *most, keep=keep)
    cells = tuple(None if row is None else _cells(row) for row in chosen)
    note = left_out(chosen, len(summary.rows), "tensors", ".to_frame()")
    facts = (
        visible(summary.graph, LONGEST_NAME),
        f"engine {summary.engine}",
        numbers.plural(len(summary.rows), "tensor"),
    )
    blocks = (Paragraph(code_in(summary.sentence)), Table(_COLUMNS, cells, note))
    color = VIOLET if summary.finite else RED
    return Card(f"trace of {numbers.plural(summary.inputs, 'input')}", color, facts, blocks)


def _cells(row: RangeRow) -> tuple[Cell, ...]:
    values = (row.minimum, row.maximum, row.mean, row.deviation)
    return (
        Cell(row.operation, marker=family(row.operation).color),
        Cell(row.tensor, code=True),
        *(Cell(numbers.number(value)) for value in values),
        Cell(f"{row.non_finite:,}" if row.non_finite else "", "wrong"),
        Cell("" if row.worst_input is None else f"{row.worst_input:,}", "muted"),
    )
