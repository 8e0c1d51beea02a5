"""The card of the differences of two graphs: the answer, a strip of operations, tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from nnefkit.display import numbers
from nnefkit.display.change_strip import change_strip
from nnefkit.display.colors import GREEN, RED
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
from nnefkit.display.vocabulary import family

_TONES: dict[str, Tone] = {"added": "right", "removed": "wrong", "changed": "warning"}
OPERATIONS = (
    Column("change", least=8),
    Column("operation", least=12),
    Column("tensor", least=16),
    Column("line in a", "right"),
    Column("line in b", "right"),
    Column("from → to", least=20),
)
WEIGHTS = (
    Column("weight", least=16),
    Column("max |a−b|", "right"),
    Column("relative", "right"),
    Column("SNR dB", "right"),
    Column("cosine", "right"),
    Column("note", least=12),
)
DETAILS = (Column("difference", least=16), Column("name", least=16), Column("a"), Column("b"))
_FIRST = 16


class ChangedOperationRow(NamedTuple):
    """An operation that was added, removed or changed."""

    kind: str
    operation: str
    tensor: str
    """Its first result in the first graph; empty if it was added."""
    other: str
    line: int | None
    other_line: int | None
    words: str
    """What changed."""


class ChangedWeightRow(NamedTuple):
    """A weight with other values."""

    label: str
    other: str
    max_abs: float | None
    relative: float | None
    snr: float | None
    cosine: float | None
    ok: bool
    """Whether it is within the tolerance."""
    note: str


class DifferenceRow(NamedTuple):
    """Another difference."""

    kind: str
    name: str
    """May be in `backticks`."""
    before: str
    after: str


@dataclass(frozen=True)
class DiffSummary:
    """What differs between two graphs."""

    title: str
    ok: bool
    """Whether the graphs compute the same."""
    headline: str
    """The answer in a few words. Words in `backticks` are code."""
    sentence: str
    facts: tuple[str, ...]
    strip: tuple[str, ...] = field(default=(), repr=False)
    """What happened to each operation: "same", "changed", "added" or "removed"."""
    operations: tuple[ChangedOperationRow, ...] = field(default=(), repr=False)
    weights: tuple[ChangedWeightRow, ...] = field(default=(), repr=False)
    """The worst first."""
    details: tuple[DifferenceRow, ...] = field(default=(), repr=False)


def diff_card(summary: DiffSummary, *, brief: bool = False) -> Card:
    """Return the card of the differences of two graphs."""
    tone: Tone = "right" if summary.ok else "wrong"
    blocks: list[Block] = [answer(summary.headline, summary.sentence, tone)]
    if not brief and any(kind != "same" for kind in summary.strip):
        blocks.append(Figure(change_strip(summary.strip)))
    few = 6 if brief else _FIRST
    if summary.operations:
        blocks.append(_table(OPERATIONS, summary.operations, _operation, few, "operations"))
    if summary.weights:
        code = "difference.weights"
        blocks.append(_table(WEIGHTS, summary.weights, _weight, few, "weights", code))
    if summary.details:
        code = "difference.to_frame()"
        half = few // 2
        blocks.append(_table(DETAILS, summary.details, _detail, half, "other differences", code))
    color = GREEN if summary.ok else RED
    return Card(summary.title, color, summary.facts, tuple(blocks))


def _table(
    columns: tuple[Column, ...],
    rows: Sequence[ChangedOperationRow] | Sequence[ChangedWeightRow] | Sequence[DifferenceRow],
    cells: object,
    few: int,
    noun: str,
    code: str = "difference.operations",
) -> Table:
    chosen = selection(rows, few, 0)
    made = tuple(None if row is None else tuple(cells(row)) for row in chosen)  # type: ignore[operator]
    return Table(columns, made, left_out(chosen, len(rows), noun, code))


def _operation(row: ChangedOperationRow) -> Iterator[Cell]:
    yield Cell(row.kind, _TONES.get(row.kind, "plain"))
    yield Cell(row.operation, marker=family(row.operation).color)
    same = row.tensor == row.other or not row.tensor or not row.other
    name = row.other or row.tensor
    yield Cell(name if same else f"{row.tensor} → {row.other}", code=True, limit=48)
    yield Cell(numbers.count(row.line), "muted")
    yield Cell(numbers.count(row.other_line), "muted")
    yield Cell(row.words, limit=96)


def _weight(row: ChangedWeightRow) -> Iterator[Cell]:
    name = row.label if row.label == row.other else f"{row.label} → {row.other}"
    yield Cell(name, code=True, limit=64)
    yield Cell(numbers.number(row.max_abs))
    yield Cell(numbers.number(row.relative))
    yield Cell(numbers.number(row.snr))
    yield Cell("" if row.cosine is None else f"{row.cosine:.5f}")
    note = row.note or ("within tolerance" if row.ok else "")
    yield Cell(note, "plain" if row.ok else "warning", limit=64)


def _detail(row: DifferenceRow) -> Iterator[Cell]:
    yield Cell(row.kind)
    yield Cell(row.name.replace("`", ""), code=True, limit=64)
    yield Cell(row.before, limit=64)
    yield Cell(row.after, limit=64)
