"""The card of a comparison over many inputs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from nnefkit.display import numbers
from nnefkit.display.colors import GREEN, RED
from nnefkit.display.elements import (
    LONGEST_NAME,
    Card,
    Cell,
    Column,
    Table,
    answer,
    left_out,
    selection,
)
from nnefkit.display.visible_text import visible
from nnefkit.display.vocabulary import family

_COLUMNS = (
    Column("operation", least=12),
    Column("tensor", least=16),
    Column("outside", "right"),
    Column("worst for", "right"),
    Column("relative", "right", 8),
    Column("SNR dB", "right", 8),
    Column("mean", "right", 8),
    Column("σ", "right", 8),
)


class ComparedInputsRow(NamedTuple):
    """One tensor."""

    operation: str
    tensor: str
    outside: int
    """Number of inputs out of tolerance."""
    inputs: int
    worst_input: int
    relative: float | None
    """Of the worst input, like `snr`; None where shapes do not match."""
    snr: float | None
    mean: float
    """Of the relative differences of all inputs; NaN without any, like `deviation`."""
    deviation: float


@dataclass(frozen=True)
class ComparedInputsSummary:
    """The content of the display."""

    title: str
    graph: str
    """Name of the graph; empty if it is not known."""
    agree: bool
    headline: str
    sentence: str
    """Names are in `backticks`, as in the headline."""
    rows: tuple[ComparedInputsRow, ...] = field(repr=False)


def compared_inputs_card(summary: ComparedInputsSummary, *, brief: bool = False) -> Card:
    """Return the card."""
    wrong = [i for i, row in enumerate(summary.rows) if row.outside]
    most, bad = ((4, 2) if brief else (12, 6)), (4 if brief else 12)
    if wrong:
        most = 2, most[1]
    keep = wrong[:bad]
    chosen = selection(summary.rows, *most, keep=keep)
    cells = tuple(None if row is None else _cells(row) for row in chosen)
    note = left_out(chosen, len(summary.rows), "tensors", ".to_frame()")
    compared = f"{numbers.plural(len(summary.rows), 'tensor')} compared"
    facts = (visible(summary.graph, LONGEST_NAME), compared) if summary.graph else (compared,)
    opening = answer(summary.headline, summary.sentence, "right" if summary.agree else "wrong")
    color = GREEN if summary.agree else RED
    return Card(summary.title, color, facts, (opening, Table(_COLUMNS, cells, note)))


def _cells(row: ComparedInputsRow) -> tuple[Cell, ...]:
    values = (row.relative, row.snr, row.mean, row.deviation)
    return (
        Cell(row.operation, marker=family(row.operation).color if row.operation else ""),
        Cell(row.tensor, "strong"),
        Cell(f"{row.outside:,} of {row.inputs:,}", "wrong" if row.outside else "muted"),
        Cell("" if row.relative == 0 else f"input {row.worst_input:,}", "muted"),
        *(Cell("" if value is None else numbers.number(value)) for value in values),
    )
