"""The card of a precision curve: the answer in words, the curve, its points."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from nnefkit.display import numbers
from nnefkit.display.colors import AMBER, GREEN
from nnefkit.display.elements import (
    Block,
    Card,
    Cell,
    Column,
    Figure,
    Table,
    Tone,
    answer,
    left_out,
    selection,
)
from nnefkit.display.step_chart import step_chart
from nnefkit.display.vocabulary import family

COLUMNS = (
    Column("kept", "right"),
    Column("operation", least=12),
    Column("layer", least=16),
    Column("SNR dB", "right"),
    Column("gain dB", "right"),
)
_FIRST = 13


class PrecisionRow(NamedTuple):
    """One point of the curve."""

    kept: int
    """Number of layers that are kept precise."""
    layer: str
    """The layer that was added, empty for none."""
    operation: str
    snr: float


@dataclass(frozen=True)
class PrecisionSummary:
    """The accuracy of a quantized graph by the layers that are kept precise."""

    title: str
    ok: bool
    """Whether the target is reached."""
    facts: tuple[str, ...]
    headline: str
    """The answer in a few words. Words in `backticks` are code."""
    sentence: str
    target: float
    rows: tuple[PrecisionRow, ...] = field(default=(), repr=False)


def precision_card(summary: PrecisionSummary, *, brief: bool = False) -> Card:
    """Return the card of a precision curve."""
    tone: Tone = "right" if summary.ok else "warning"
    blocks: list[Block] = [answer(summary.headline, summary.sentence, tone)]
    if not brief and len(summary.rows) > 1:
        levels = [row.snr for row in summary.rows]
        blocks.append(Figure(step_chart(levels, summary.target)))
    chosen = selection(summary.rows, 6 if brief else _FIRST, 1)
    gains = [0.0] + [b.snr - a.snr for a, b in zip(summary.rows, summary.rows[1:], strict=False)]
    cells = tuple(None if row is None else tuple(_cells(row, gains[row.kept])) for row in chosen)
    note = left_out(chosen, len(summary.rows), "points", "curve.to_frame()")
    blocks.append(Table(COLUMNS, cells, note))
    color = GREEN if summary.ok else AMBER
    return Card(summary.title, color, summary.facts, tuple(blocks))


def _cells(row: PrecisionRow, gain: float) -> Iterator[Cell]:
    yield Cell(f"{row.kept:,}", "muted")
    yield Cell(row.operation, marker=family(row.operation).color) if row.layer else Cell("")
    yield Cell(row.layer, code=True) if row.layer else Cell("all quantized", "muted")
    yield Cell(numbers.number(row.snr))
    sign = "+" if gain >= 0 else ""
    yield Cell(f"{sign}{numbers.number(gain)}" if row.kept else "")
