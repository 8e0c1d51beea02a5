"""The card of a quantization: what it costs, a chart along the depth, a table of the worst."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from nnefkit.display import numbers
from nnefkit.display.colors import BLUE
from nnefkit.display.elements import (
    Block,
    Card,
    Cell,
    Column,
    Figure,
    Fold,
    Line,
    Paragraph,
    Phrase,
    Table,
    answer,
    code,
    code_in,
    left_out,
    selection,
)
from nnefkit.display.level_chart import LevelBar, level_chart
from nnefkit.display.vocabulary import family

COLUMNS = (
    Column("operation", least=12),
    Column("tensor", least=16),
    Column("role", least=8),
    Column("bits", "right"),
    Column("SQNR dB", "right"),
    Column("RMSE/step", "right"),
    Column("clipped", "right"),
    Column("SNR dB", "right"),
    Column("step", "right"),
    Column("from", "right"),
    Column("to", "right"),
)
_FIRST = 12
_LEFT = 12
"""Number of tensors in floating point that a display lists."""


class QuantizationRow(NamedTuple):
    """One quantized tensor."""

    tensor: str
    operation: str
    role: str
    bits: int
    minimum: float
    maximum: float
    step: float
    channels: int
    clipped: float
    """Share of clipped values."""
    sqnr: float
    """Signal-to-noise ratio of rounding this tensor, in dB."""
    rmse_per_step: float
    snr: float
    """Signal-to-noise ratio with the errors of the tensors before, in dB."""


@dataclass(frozen=True)
class QuantizationSummary:
    """What the quantization of a graph costs."""

    title: str
    facts: tuple[str, ...]
    headline: str
    """The answer in a few words. Words in `backticks` are code."""
    sentence: str
    steps: Sequence[tuple[str, float]]
    """Ratio of the outputs in dB after each step of the quantization."""
    rows: tuple[QuantizationRow, ...] = field(default=(), repr=False)
    """All quantized tensors in the order of the graph."""
    left: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Tensors in floating point, and why."""


def quantization_card(summary: QuantizationSummary, *, brief: bool = False) -> Card:
    """Return the card of a quantization."""
    blocks: list[Block] = [answer(summary.headline, summary.sentence)]
    if len(summary.steps) > 1:
        blocks.append(Paragraph(_gains(summary.steps)))
    flowing = [row for row in summary.rows if row.role in ("input", "activation")]
    if not brief and flowing:
        bars = [LevelBar(row.tensor, row.sqnr, row.snr) for row in flowing]
        caption = "activations in the order of the graph · error in dB below the signal: red is of "
        caption += "rounding this one, gray with the errors before it"
        blocks.append(Figure(level_chart(bars, caption)))
    if summary.rows:
        blocks.append(_table(summary, brief=brief))
    if summary.left:
        blocks.append(_floating(summary.left, brief=brief))
    return Card(summary.title, BLUE, summary.facts, tuple(blocks))


def _gains(steps: Sequence[tuple[str, float]]) -> Line:
    words = [f"{name} {numbers.number(snr)} dB" for name, snr in steps]
    return (Phrase("Outputs: "), Phrase(", then ".join(words), "strong", limit=0))


def _table(summary: QuantizationSummary, *, brief: bool) -> Table:
    few = 6 if brief else _FIRST
    worst = sorted(summary.rows, key=_rank)
    chosen = selection(worst, few, 0)
    cells = tuple(None if row is None else tuple(_cells(row)) for row in chosen)
    note = left_out(chosen, len(summary.rows), "tensors, the worst first", "report.to_frame()")
    return Table(COLUMNS, cells, note)


def _rank(row: QuantizationRow) -> tuple[bool, float]:
    """Return the key for the worst first; biases, of fine steps, follow the others."""
    return row.role == "bias", math.inf if math.isnan(row.sqnr) else row.sqnr


def _cells(row: QuantizationRow) -> Iterator[Cell]:
    yield Cell(row.operation, marker=family(row.operation).color)
    yield Cell(row.tensor, code=True)
    channels = f" ×{row.channels:,}" if row.channels > 1 else ""
    yield Cell(f"{row.role}{channels}", "muted")
    yield Cell(f"{row.bits}", "muted")
    yield Cell(numbers.number(row.sqnr))
    yield Cell(numbers.number(row.rmse_per_step))
    yield Cell(numbers.percent(row.clipped) if row.clipped else "")
    yield Cell(numbers.number(row.snr))
    yield Cell(numbers.number(row.step))
    yield Cell(numbers.number(row.minimum))
    yield Cell(numbers.number(row.maximum))


def _floating(left: Mapping[str, str], *, brief: bool) -> Block:
    reasons: dict[str, list[str]] = {}
    for name, reason in left.items():
        reasons.setdefault(reason, []).append(name)
    lines: list[Block] = []
    for reason, names in list(reasons.items())[:_LEFT]:
        shown = ", ".join(code(name) for name in names[:4])
        more = f" and {len(names) - 4:,} more" if len(names) > 4 else ""
        lines.append(Paragraph((*code_in(f"{shown}{more}: "), Phrase(reason, "muted"))))
    title = f"{numbers.plural(len(left), 'tensor')} in floating point · report.left"
    return Fold((Phrase(title, "muted", limit=0),), tuple(lines), html_only=brief)
